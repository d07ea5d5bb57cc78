"""The miniature set: little packages with a bug each, as instances in SWE-bench's own row format.

For tests and demonstrations on machines that can reach no data set. What a row says of its tests was seen in real
pytest runs of the package, before and after the gold patch.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from harness.errors import HarnessError, InputError
from harness.miniature.package import ORDINARY, Difficulty, Package, draw_packages
from harness.miniature.split import Split
from harness.miniature.testrun import PYTEST, run_tests, write_files
from harness.miniature.texts import VERSION, Suite, Texts, write_suite, write_texts

ENVIRONMENT = "miniature"
PYTHON = "3.11"
REQUIREMENTS = ("iniconfig==2.0.0", "packaging==24.2", "pluggy==1.5.0", "pytest==8.3.5")
LOG_PARSER = "parse_log_pytest"
FIRST_DAY = datetime(2025, 1, 1, tzinfo=UTC)  # instances are dated a day apart rather than now: same seed, same bytes


@dataclass(frozen=True)
class MiniatureSet:
    """Where a generated set lies."""

    rows: Path  # the data set
    recipes: Path  # how each instance's image is made
    sources: Path  # folder with each instance's base state, by instance id
    instance_ids: tuple[str, ...]


def generate(
    folder: Path, seed: int = 0, count: int = 12, split: Split = "held-out", difficulty: Difficulty = ORDINARY
) -> MiniatureSet:
    """Write ``count`` instances to ``folder``: ``rows.jsonl``, ``recipes.json``, ``sources/<instance_id>/``.

    The same seed gives the same bytes, and a smaller count the first ones of the same instances. Files of an
    earlier set are replaced. Raises InputError for a count below one, and where pytest is not installed.
    """
    if count < 1:
        raise InputError(f"a miniature set needs at least one instance (given: {count})")
    drawn = [
        (package, write_texts(Random(package.seed), package), write_suite(package))
        for package in islice(draw_packages(seed, split, difficulty), count)
    ]
    tag = "-".join(filter(None, ("" if split == "held-out" else split, difficulty.label)))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        rows = list(pool.map(partial(_row, tag), range(1, count + 1), *zip(*drawn, strict=True)))
    ids = [row["instance_id"] for row in rows]
    result = MiniatureSet(folder / "rows.jsonl", folder / "recipes.json", folder / "sources", tuple(ids))
    for instance_id, (_, texts, suite) in zip(ids, drawn, strict=True):
        shutil.rmtree(result.sources / instance_id, ignore_errors=True)
        write_files(result.sources / instance_id, {**texts.base, **suite.base})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    suites = dict(zip(ids, (suite for _, _, suite in drawn), strict=True))
    recipes = json.dumps(_recipes(suites), indent=1) + "\n"
    write_files(folder, {result.rows.name: lines, result.recipes.name: recipes})
    return result


def _row(tag: str, number: int, package: Package, texts: Texts, suite: Suite) -> dict[str, str]:
    """The instance's row, its test lists read off two runs of its tests."""
    before, after = (run_tests({**code, **suite.added}, suite.changed) for code in (texts.base, texts.fixed))
    fail_to_pass = [test for test in after if not before[test]]
    if not fail_to_pass or not all(after.values()):
        raise HarnessError(
            f"{package.name}: the gold patch does not turn failing tests into passing ones: {before}, {after}"
        )
    commit = hashlib.sha256(json.dumps({**texts.base, **suite.base}, sort_keys=True).encode()).hexdigest()[:40]
    return {
        "repo": f"miniature/{package.name}",
        "instance_id": "-".join(filter(None, (f"miniature__{package.name}", tag, str(number)))),
        "base_commit": commit,
        "patch": texts.patch,
        "test_patch": suite.patch,
        "problem_statement": texts.issue,
        "hints_text": "",
        "created_at": (FIRST_DAY + timedelta(days=number - 1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": VERSION,
        "FAIL_TO_PASS": json.dumps(fail_to_pass),
        "PASS_TO_PASS": json.dumps([test for test in after if before[test]]),
        "environment_setup_commit": commit,
    }


def _recipes(suites: Mapping[str, Suite]) -> dict[str, Any]:
    """A recipe file: each base state is a folder, nothing is installed, and the row's own test files are run."""
    return {
        "environments": {ENVIRONMENT: {"python": PYTHON, "requirements": REQUIREMENTS}},
        "instances": [
            {
                "instance_id": instance_id,
                "environment": ENVIRONMENT,
                "folder": {"path": f"sources/{instance_id}"},
                "install": None,
                "test_cmd": " ".join(("python", *PYTEST, *suite.changed)),
                "log_parser": LOG_PARSER,
            }
            for instance_id, suite in suites.items()
        ],
    }
