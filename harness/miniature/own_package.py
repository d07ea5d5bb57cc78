"""A conftest.py for a folder of packages: lets pytest run the tests of all in one process, each with its own package.

Copied by `harness.miniature.testrun`. Folders may hold packages of the same name. A test module is imported with its
own folder on the path, and what it imported from there is forgotten afterwards.
"""

import sys
from collections.abc import Generator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Collect one module, which imports it."""
    if not isinstance(collector, pytest.Module):
        return (yield)
    folder = str(HERE / collector.path.relative_to(HERE).parts[0])
    sys.path.insert(0, folder)
    try:
        return (yield)
    finally:
        sys.path.remove(folder)
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(f"{folder}/"):
                del sys.modules[name]
