"""Agentless SWE-bench evaluation of code models, checkpoint against checkpoint."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


OFFERED = {"load_results": "harness.compare.frames", "gate": "harness.pipeline.gate_call"}  # name -> its module


def __getattr__(name: str) -> Any:
    """What a program needs first, loaded on its first use: the packages below it must not load what is above them."""
    if name in OFFERED:
        return getattr(import_module(OFFERED[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
