"""Verdicts beside the official grading of the same logs: python benchmarks/parity.py [--check] [--instances ID,...].

The instances are those of the SWE-bench Lite rows (HARNESS_SWEBENCH_ROWS, or --rows) whose images are built here.
On each: the gold patch, no patch at all, a wrong patch, and mutated gold patches - at least 200 over all instances,
most of them where the tests are short. Every log is graded a second time by swebench's own `get_eval_report`, and
compared per test id; so is the same log with carriage returns, in colour, and with both, as other terminals and runners
would have written it. A run that was stopped goes on where it was. With --check the exit status is 1 when anything
differs, or fewer mutants than wanted were graded. The last line is the figures.
"""

import os
import platform
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain, cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from parts.arguments import BenchmarkParser
from parts.built import add_built, open_built
from parts.log_noise import NOISES
from parts.mutations import mutants

from harness.common.paths import cache_folder
from harness.common.progress import Progress
from harness.core.instance import Instance
from harness.core.verdict import Outcome, Phase, Verdict
from harness.dataset.recipes import load_recipes
from harness.grading.log_grading import LogGrade, grade, log_text, official_spec
from harness.grading.session import Session
from harness.grading.specification import Specification, specify
from harness.repo.diff import creation_patch
from harness.repo.snapshot import open_repository

MUTANTS = 215
SLOW_SECONDS = 20.0  # of the gold patch's tests; slower instances get one mutant each
SEED = 20
WRONG = creation_patch("parity_wrong.txt", b"fixes nothing\n")
KINDS = ("gold", "empty", "wrong", "mutant")


@dataclass
class Row:
    """One kind of patch, over all instances."""

    outcomes: Counter[str] = field(default_factory=Counter)
    graded: int = 0
    test_ids: int = 0
    differences: list[str] = field(default_factory=list)


def official(
    instance: Instance, specification: Specification, text: str, exit_status: int | None
) -> tuple[dict[str, Any], bool]:
    """The official verdict on a log: test ids by list, none where it is not graded at all, and whether resolved."""
    from swebench.harness.constants import TEST_EXIT_CODE
    from swebench.harness.grading import get_eval_report

    prediction = {"instance_id": instance.instance_id, "model_name_or_path": "parity", "model_patch": "parity"}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "test_output.txt"
        path.write_text(f"{text}\n{TEST_EXIT_CODE}: {exit_status}\n", encoding="utf-8", newline="")
        reports = get_eval_report(official_spec(instance, specification), prediction, str(path), True)
    report = reports[instance.instance_id]
    return (report["tests_status"], report["resolved"]) if "tests_status" in report else ({}, False)


def compare(rows: dict[str, Row], kind: str, instance: Instance, verdict: Verdict, log: Path) -> None:
    """Count one verdict, with every test id on which the official grading of its log differs."""
    rows[kind].outcomes[verdict.outcome.value] += 1
    if verdict.phase is not Phase.GRADE:
        return
    specification, status = specification_of(instance), verdict.exit_status
    text = log.read_bytes().decode("utf-8", "replace")
    where = f"{verdict.key} {instance.instance_id}"
    compare_grades(rows[kind], where, verdict, official(instance, specification, text, status))
    for noise, noisy in NOISES.items():
        written = noisy(text, SEED)
        ours = grade(instance, specification, log_text(written.encode()), status)
        rows[noise].outcomes[ours.outcome.value] += 1
        compare_grades(rows[noise], f"{where} {noise}", ours, official(instance, specification, written, status))


def compare_grades(row: Row, where: str, grade: Verdict | LogGrade, theirs: tuple[dict[str, Any], bool]) -> None:
    """Count the test ids of one graded log, and those on which it differs from the official grading."""
    ours = {
        "FAIL_TO_PASS": {"success": grade.fail_to_pass_success, "failure": grade.fail_to_pass_failure},
        "PASS_TO_PASS": {"success": grade.pass_to_pass_success, "failure": grade.pass_to_pass_failure},
    }
    row.graded += 1
    statuses, resolved = theirs
    for kind, lists in ours.items():
        for name, ids in lists.items():
            expected = statuses.get(kind, {}).get(name, [])
            row.test_ids += len(ids)
            row.differences += [f"{where} {name} {i}" for i in {*ids} ^ {*expected}]
    if resolved != (grade.outcome is Outcome.RESOLVED):
        row.differences.append(f"{where}: {grade.outcome.value}, official resolved: {resolved}")


def shares(instances: Sequence[Instance], gold: Sequence[Verdict], wanted: int) -> list[int]:
    """How many mutants each instance gets, ``wanted`` in all: at most one where its tests are slow, the rest evenly."""
    quick = [number for number, verdict in enumerate(gold) if verdict.test_seconds < SLOW_SECONDS]
    slow = [number for number in range(len(instances)) if number not in quick]
    counts = [0] * len(instances)
    for number, _ in zip(chain(slow, cycle(quick or slow)), range(wanted), strict=False):
        counts[number] += 1
    return counts


def measure(instances: Sequence[Instance], session: Session, wanted: int, progress: Progress) -> dict[str, Row]:
    """Evaluate everything, and grade each log once more."""
    stage = progress.stage("tests", 3 * len(instances) + wanted)
    repository = open_repository(cache_folder())
    gold = [session.submit(instance, instance.patch) for instance in instances]
    pending = [("gold", instance, future) for instance, future in zip(instances, gold, strict=True)]
    pending += [("empty", instance, session.submit_base(instance)) for instance in instances]
    pending += [("wrong", instance, session.submit(instance, WRONG)) for instance in instances]
    counts = shares(instances, [future.result() for future in gold], wanted)
    for instance, count in zip(instances, counts, strict=True):
        for patch in mutants(instance, repository.snapshot(instance), count, SEED):
            pending.append(("mutant", instance, session.submit(instance, patch)))
    rows = {kind: Row() for kind in (*KINDS, *NOISES)}
    for kind, instance, future in pending:
        verdict = future.result()
        log = session.evaluator.log_path(verdict)
        compare(rows, kind, instance, verdict, log)
        stage.add()
    return rows


def specification_of(instance: Instance) -> Specification:
    """What was run for an instance."""
    return specify(instance, load_recipes().instances.get(instance.instance_id))


def report(rows: dict[str, Row], instances: int) -> None:
    """Print the table, the conditions and the figures."""
    print(f"{'patch':16} {'evaluated':>9} {'graded':>7} {'test ids':>9} {'different':>9}  outcomes")
    for kind, row in rows.items():
        outcomes = ", ".join(f"{name} {count}" for name, count in row.outcomes.most_common())
        total = row.outcomes.total()
        print(f"{kind:16} {total:9} {row.graded:7} {row.test_ids:9} {len(row.differences):9}  {outcomes}")
    for difference in [d for row in rows.values() for d in row.differences][:20]:
        print(f"differs: {difference}")
    graded = sum(row.graded for row in rows.values())
    different = sum(len(row.differences) for row in rows.values())
    ids = sum(row.test_ids for row in rows.values())
    print(f"swebench {version('swebench')}, {platform.platform()}, {os.cpu_count()} CPUs, seed {SEED}")
    mutated = rows["mutant"].outcomes.total()
    print(f"figures: instances={instances} mutants={mutated} graded={graded} test_ids={ids} differences={different}")


def main() -> int:
    """Run the benchmark; the exit status."""
    parser = BenchmarkParser(__doc__)
    add_built(parser, Path("results/parity"))
    parser.add_argument("--mutants", type=int, default=MUTANTS, help="mutated gold patches over all instances")
    parser.add_check("when anything differs, or fewer patches than wanted were graded")
    given = parser.parse_args()
    with open_built(given) as built:
        rows = measure(built.instances, built.session, given.mutants, built.progress)
    report(rows, len(built.instances))
    complete = all(rows[kind].graded == len(built.instances) for kind in ("gold", "empty", "wrong"))
    enough = complete and rows["mutant"].outcomes.total() >= min(200, given.mutants)
    same = not any(row.differences for row in rows.values())
    return 1 if given.check and not (enough and same) else 0


if __name__ == "__main__":
    sys.exit(main())
