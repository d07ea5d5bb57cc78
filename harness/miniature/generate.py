"""The miniature set: little packages with a bug each, as instances in SWE-bench's own row format.

For tests and demonstrations on machines that can reach no data set. What a row says of its tests was seen in real
pytest runs of the package, before and after the gold patch.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from harness.errors import HarnessError, InputError
from harness.miniature.package import ORDINARY, Difficulty, Package, draw_packages
from harness.miniature.split import Split
from harness.miniature.testrun import PYTEST, Tree, run_tests, write_files
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

    The same seed produces the same bytes, and a smaller count the first ones of the same instances. Files of an
    earlier set are replaced. An instance's id names its split and difficulty if they are not the default. Raises
    InputError for a count below one, and if pytest is not installed.
    """
    if count < 1:
        raise InputError(f"a miniature set needs at least one instance (given: {count})")
    drawn = list(islice(_draw(seed, split, difficulty), count))
    seen = run_tests([Tree({**code, **one.suite.added}, one.suite.changed) for one in drawn for code in one.states])
    rows = [
        _row(number, one, before, after)
        for number, (one, before, after) in enumerate(zip(drawn, seen[::2], seen[1::2], strict=True))
    ]
    ids = tuple(one.instance_id for one in drawn)
    result = MiniatureSet(folder / "rows.jsonl", folder / "recipes.json", folder / "sources", ids)
    for one in drawn:
        shutil.rmtree(result.sources / one.instance_id, ignore_errors=True)
        write_files(result.sources / one.instance_id, one.base)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    recipes = json.dumps(_recipes(drawn), indent=1) + "\n"
    write_files(folder, {result.rows.name: lines, result.recipes.name: recipes})
    return result


@dataclass(frozen=True)
class _Drawn:
    """An instance before its tests have run."""

    instance_id: str
    package: Package
    texts: Texts
    suite: Suite

    @property
    def base(self) -> dict[str, str]:
        """The whole tree, path -> text."""
        return {**self.texts.base, **self.suite.base}

    @property
    def states(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The source files before and after the fix."""
        return self.texts.base, self.texts.fixed


def _draw(seed: int, split: Split, difficulty: Difficulty) -> Iterator[_Drawn]:
    """Instances without end."""
    tag = [part for part in ("" if split == "held-out" else split, difficulty.label) if part]
    for number, package in enumerate(draw_packages(seed, split, difficulty), 1):
        instance_id = "-".join((f"miniature__{package.name}", *tag, str(number)))
        texts = write_texts(Random(f"{package.seed}/issue"), package, difficulty.issues)
        yield _Drawn(instance_id, package, texts, write_suite(package))


def _row(day: int, drawn: _Drawn, before: Mapping[str, bool], after: Mapping[str, bool]) -> dict[str, str]:
    """The instance's row; its test lists come from two runs of its tests."""
    fail_to_pass = [test for test in after if not before[test]]
    if not fail_to_pass or not all(after.values()):
        raise HarnessError(
            f"{drawn.instance_id}: the gold patch does not turn failing tests into passing ones: {before}, {after}"
        )
    commit = hashlib.sha256(json.dumps(drawn.base, sort_keys=True).encode()).hexdigest()[:40]
    return {
        "repo": f"miniature/{drawn.package.name}",
        "instance_id": drawn.instance_id,
        "base_commit": commit,
        "patch": drawn.texts.patch,
        "test_patch": drawn.suite.patch,
        "problem_statement": drawn.texts.issue,
        "hints_text": "",
        "created_at": (FIRST_DAY + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": VERSION,
        "FAIL_TO_PASS": json.dumps(fail_to_pass),
        "PASS_TO_PASS": json.dumps([test for test in after if before[test]]),
        "environment_setup_commit": commit,
    }


def _recipes(drawn: Sequence[_Drawn]) -> dict[str, Any]:
    """A recipe file: each base state is a folder, nothing is installed, and the row's own test files are run."""
    return {
        "environments": {ENVIRONMENT: {"python": PYTHON, "requirements": REQUIREMENTS}},
        "instances": [
            {
                "instance_id": one.instance_id,
                "environment": ENVIRONMENT,
                "folder": {"path": f"sources/{one.instance_id}"},
                "install": None,
                "test_cmd": " ".join(("python", *PYTEST, *one.suite.changed)),
                "log_parser": LOG_PARSER,
            }
            for one in drawn
        ],
    }
