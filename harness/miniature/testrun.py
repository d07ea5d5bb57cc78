"""Running the tests of generated packages with pytest, in processes and folders of their own."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from harness.errors import HarnessError, InputError

PYTEST = ("-m", "pytest", "-rA", "-p", "no:cacheprovider")  # arguments for Python, here and in the recipes
TOGETHER = ("--import-mode=importlib", "--continue-on-collection-errors", "--tb=no")  # for many packages at once
BATCH = 40  # packages that one process tests
TIMEOUT = 300.0  # seconds; the tests of a batch take a few
OWN_PACKAGE = Path(__file__).with_name("own_package.py")


@dataclass(frozen=True)
class Tree:
    """A package, and those of its files that hold the tests to run."""

    files: Mapping[str, str]  # path -> text
    test_named_files: Sequence[str]


def run_tests(trees: Sequence[Tree]) -> list[dict[str, bool]]:
    """For each tree whether each of its tests passes, by pytest's node id as the benchmark's own parser reads it.

    Many trees share a process, which changes nothing of what their tests do. Raises InputError if pytest is not
    installed, HarnessError if it reports no results for a tree.
    """
    if importlib.util.find_spec("pytest") is None:
        raise InputError("generated packages are checked with pytest: install it (`pip install pytest`)")
    batches = [trees[start : start + BATCH] for start in range(0, len(trees), BATCH)]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(chain.from_iterable(pool.map(_run, batches)))


def _run(trees: Sequence[Tree]) -> list[dict[str, bool]]:
    from swebench.harness.log_parsers.python import parse_log_pytest

    with tempfile.TemporaryDirectory(prefix="miniature-") as folder:
        paths = []
        for number, tree in enumerate(trees):
            write_files(Path(folder, str(number)), tree.files)
            paths += [f"{number}/{path}" for path in tree.test_named_files]
        shutil.copyfile(OWN_PACKAGE, Path(folder, "conftest.py"))
        command = [sys.executable, *PYTEST, *TOGETHER, f"--rootdir={folder}", *paths]
        run = subprocess.run(
            command, cwd=folder, env=_environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    results: list[dict[str, bool]] = [{} for _ in trees]
    for test, status in parse_log_pytest(run.stdout, None).items():
        number, _, node = test.partition("/")
        results[int(number)][node] = status == "PASSED"
    if not all(results):
        raise HarnessError(f"pytest ended with status {run.returncode} and no results: {run.stdout}{run.stderr}")
    return results


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write a tree: path -> text."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")


def _environment() -> dict[str, str]:
    """Ours without what would change how pytest runs; its installed plugins stay out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    return kept | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
