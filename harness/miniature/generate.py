"""The miniature set: little packages with one bug each, as instances in SWE-bench's own row format.

For tests and demonstrations on machines that can reach no data set. What a row says of its tests was seen in real
pytest runs of the package, before and after the gold patch.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from harness.errors import HarnessError, InputError
from harness.miniature.package import Cell, cells, draw_package
from harness.miniature.testrun import PYTEST, run_tests, write_files
from harness.miniature.texts import VERSION, Texts, write_texts

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


def generate(folder: Path, seed: int = 0, count: int = 12) -> MiniatureSet:
    """Write ``count`` instances to ``folder``: ``rows.jsonl``, ``recipes.json``, ``sources/<instance_id>/``.

    The same seed gives the same bytes, and a smaller count the first ones of the same instances. Files of an
    earlier set are replaced. Raises InputError for a count below one, and where pytest is not installed.
    """
    if count < 1:
        raise InputError(f"a miniature set needs at least one instance (given: {count})")
    drawn = list(islice(_draw(seed), count))
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        rows = list(pool.map(_row, range(1, count + 1), *zip(*drawn, strict=True)))
    ids = [row["instance_id"] for row in rows]
    result = MiniatureSet(folder / "rows.jsonl", folder / "recipes.json", folder / "sources", tuple(ids))
    texts = dict(zip(ids, (texts for _, texts in drawn), strict=True))
    for instance_id in ids:
        shutil.rmtree(result.sources / instance_id, ignore_errors=True)
        write_files(result.sources / instance_id, texts[instance_id].base)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    recipes = json.dumps(_recipes(texts), indent=1) + "\n"
    write_files(folder, {result.rows.name: lines, result.recipes.name: recipes})
    return result


def _draw(seed: int) -> Iterator[tuple[str, Texts]]:
    """Packages without end, as (name, texts). Every kind of bug comes once before one comes again."""
    order: list[Cell] = []
    number = 0
    while True:
        if not order:
            order = cells()
            Random(f"{seed}/order/{number}").shuffle(order)
        random = Random(f"{seed}/{number}")
        package = draw_package(random, order.pop())
        yield package.name, write_texts(random, package)
        number += 1


def _row(number: int, name: str, texts: Texts) -> dict[str, str]:
    """The instance's row, its test lists read off two runs of its tests."""
    before, after = run_tests(texts.tested, texts.test_file), run_tests(texts.fixed, texts.test_file)
    fail_to_pass = [test for test in after if not before[test]]
    if not fail_to_pass or not all(after.values()):
        raise HarnessError(f"{name}: the gold patch does not turn failing tests into passing ones: {before}, {after}")
    commit = hashlib.sha256(json.dumps(texts.base, sort_keys=True).encode()).hexdigest()[:40]
    return {
        "repo": f"miniature/{name}",
        "instance_id": f"miniature__{name}-{number}",
        "base_commit": commit,
        "patch": texts.patch,
        "test_patch": texts.test_patch,
        "problem_statement": texts.issue,
        "hints_text": "",
        "created_at": (FIRST_DAY + timedelta(days=number - 1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": VERSION,
        "FAIL_TO_PASS": json.dumps(fail_to_pass),
        "PASS_TO_PASS": json.dumps([test for test in after if before[test]]),
        "environment_setup_commit": commit,
    }


def _recipes(texts: Mapping[str, Texts]) -> dict[str, Any]:
    """A recipe file: each base state is a folder, nothing is installed, and the row's own test file is run."""
    return {
        "environments": {ENVIRONMENT: {"python": PYTHON, "requirements": REQUIREMENTS}},
        "instances": [
            {
                "instance_id": instance_id,
                "environment": ENVIRONMENT,
                "folder": {"path": f"sources/{instance_id}"},
                "install": None,
                "test_cmd": " ".join(("python", *PYTEST, text.test_file)),
                "log_parser": LOG_PARSER,
            }
            for instance_id, text in texts.items()
        ],
    }
