"""Agentless SWE-bench evaluation of code models, checkpoint against checkpoint."""

TYPE_CHECKING = False  # as in typing, which takes longer to load than all else that comes before the command
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"


OFFERED = {"load_results": "harness.compare.frames", "gate": "harness.pipeline.gate_call"}  # name -> its module


def __getattr__(name: str) -> "Any":
    """What a program needs first, loaded on its first use: the packages below it must not load what is above them."""
    if name in OFFERED:
        from importlib import import_module

        return getattr(import_module(OFFERED[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
