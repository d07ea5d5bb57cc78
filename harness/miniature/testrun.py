"""Running the tests of a generated package with pytest, in a process and a folder of its own."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import HarnessError, InputError

PYTEST = ("-m", "pytest", "-rA", "-p", "no:cacheprovider")  # arguments for Python, here and in the recipes
TIMEOUT = 120.0  # seconds; the tests of a package take well under one


def run_tests(files: Mapping[str, str], test_files: Sequence[str]) -> dict[str, bool]:
    """Whether each test of the ``test_files`` passes, by pytest's node id as the benchmark's own parser reads it.

    ``files`` is the whole package, path -> text. Raises InputError where pytest is not installed, HarnessError
    where it ends without results.
    """
    from swebench.harness.log_parsers.python import parse_log_pytest

    if importlib.util.find_spec("pytest") is None:
        raise InputError("generated packages are checked with pytest: install it (`pip install pytest`)")
    with tempfile.TemporaryDirectory(prefix="miniature-") as folder:
        write_files(Path(folder), files)
        command = [sys.executable, *PYTEST, *test_files]
        run = subprocess.run(
            command, cwd=folder, env=_environment(), capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    statuses: dict[str, str] = parse_log_pytest(run.stdout, None)
    if not statuses:
        raise HarnessError(f"pytest ended with status {run.returncode} and no results: {run.stdout}{run.stderr}")
    return {test: status == "PASSED" for test, status in statuses.items()}


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
