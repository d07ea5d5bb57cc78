"""Agentless SWE-bench evaluation of code models, checkpoint against checkpoint."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`load_results`, loaded on its first use: the packages below it must not load what is above them."""
    if name == "load_results":
        return import_module("harness.compare.frames").load_results
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
