"""The benchmark's own log parsers and grading rules, without what its package loads beside them.

``swebench.harness`` imports cloud and data set libraries on its first use: 1.5 s for every process that reads a log,
against 0.04 s for the four modules needed here.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _unexecuted(package: str) -> Iterator[None]:
    """Within, modules of a package are imported without running its ``__init__``; afterwards it imports as ever."""
    if package in sys.modules:
        yield
        return
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    sys.modules[package] = importlib.util.module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[package]


with _unexecuted("swebench.harness"):
    from swebench.harness.constants import (
        APPLY_PATCH_FAIL,
        RESET_FAILED,
        TESTS_ERROR,
        TESTS_TIMEOUT,
        EvalType,
        ResolvedStatus,
    )
    from swebench.harness.grading import (
        SUITE_RAN,
        get_eval_tests_report,
        get_resolution_status,
        parse_test_exit_code,
    )
    from swebench.harness.log_parsers import PARSER_REGISTRY
    from swebench.types import TestSpec

__all__ = [
    "APPLY_PATCH_FAIL",
    "PARSER_REGISTRY",
    "RESET_FAILED",
    "SUITE_RAN",
    "TESTS_ERROR",
    "TESTS_TIMEOUT",
    "EvalType",
    "ResolvedStatus",
    "TestSpec",
    "get_eval_tests_report",
    "get_resolution_status",
    "parse_test_exit_code",
]
