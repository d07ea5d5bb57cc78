"""False alarms and price of the counter-evaluation: python benchmarks/control.py [--check] [--instances ID,...].

The instances are those of the SWE-bench Lite rows (HARNESS_SWEBENCH_ROWS, or --rows) whose images are built here.
The honest patch of each is its gold patch and one more file, so that it is never taken for the gold patch itself. It is
evaluated, and each of the draws evaluates it once more with an expectation changed. A run that was stopped goes on
where it was. With --check the exit status is 1 if a counter-evaluation fails, or the machine could not do one. The last
line is the figures.
"""

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from parts.arguments import BenchmarkParser
from parts.built import add_built, open_built

from harness.common.journal import Journal
from harness.common.progress import Progress
from harness.core.control import ControlState
from harness.core.instance import Instance
from harness.core.verdict import Verdict
from harness.grading.counter_evaluation import CounterEvaluation
from harness.grading.log_grading import read_statuses
from harness.grading.session import Session
from harness.grading.specification import Specification
from harness.repo.diff import creation_patch

DRAWS = 10
NOTE = creation_patch("control_note.txt", b"fixes nothing\n")


@dataclass(frozen=True)
class Row:
    """One instance: the verdict on its honest patch, and that verdict with each draw's control."""

    instance_id: str
    verdict: Verdict
    checked: Sequence[Verdict]

    def count(self, state: ControlState) -> int:
        """How many draws ended so."""
        return sum(verdict.control is not None and verdict.control.state is state for verdict in self.checked)

    @property
    def changes(self) -> list[bool]:
        """Of each change that was drawn, whether its test failed with the honest patch, as it must."""
        return [change.failed for v in self.checked if v.control for change in v.control.changes]

    @property
    def seconds(self) -> float:
        """Wall time of the first draw, which repeats no other; 0 if there was none."""
        return self.checked[0].control.seconds if self.checked and self.checked[0].control else 0.0


def statuses(instance: Instance, specification: Specification, log: str, exit_status: int | None) -> Mapping[str, str]:
    """What a log says of each test."""
    return read_statuses(instance, specification, log, exit_status)[0]


def measure(
    instances: Sequence[Instance], session: Session, folder: Path, draws: int, workers: int, progress: Progress
) -> list[Row]:
    """Evaluate every honest patch, and draw for it as often as wanted, the draws of one instance one after another.

    As many instances at a time as containers: no time is spent on waiting for a turn.
    """
    stage = progress.stage("instances", len(instances))

    def row(instance: Instance) -> Row:
        testbed, patch = session.testbeds[instance.instance_id], instance.patch + NOTE
        verdict = session.evaluator.evaluate(testbed, patch)
        checked = [control.checked(testbed, patch, verdict) for control in controls]
        stage.add()
        return Row(instance.instance_id, verdict, checked)

    with ExitStack() as opened, ThreadPoolExecutor(workers) as pool:
        controls = [
            CounterEvaluation(
                session.evaluator,
                session.commands,
                opened.enter_context(Journal(folder / f"controls-{draw}.jsonl")),
                statuses,
                partial(str, draw),
            )
            for draw in range(draws)
        ]
        return list(pool.map(row, instances))


def report(rows: Sequence[Row]) -> None:
    """Print the table, what went wrong, the conditions and the figures."""
    states = list(ControlState)
    print(f"{'instance':34} {'verdict':12} {'s':>6}  " + " ".join(f"{state:>10}" for state in states) + "  first s")
    for row in rows:
        counts = " ".join(f"{row.count(state):10}" for state in states)
        print(f"{row.instance_id:34} {row.verdict.outcome:12} {row.verdict.seconds:6.1f}  {counts}  {row.seconds:8.1f}")
        for control in (v.control for v in row.checked if v.control):
            if control.state is not ControlState.PASSED:
                print(f"  {control.state}: {control.detail}")
            for change in control.changes if not all(change.failed for change in control.changes) else ():
                print(f"  failed {change.failed}, {change.kind}: {change.test}: {change.before!r} -> {change.after!r}")
        if row.verdict.flags or not row.verdict.resolved:
            print(f"  {row.verdict.detail} {'; '.join(row.verdict.flags)}")
    print(f"{platform.platform()}, {os.cpu_count()} CPUs")
    changes = [failed for row in rows for failed in row.changes]
    drawn = [row for row in rows if row.changes]
    share = median([row.seconds / row.verdict.seconds for row in drawn] or [0.0])
    counted = " ".join(f"{state.replace('-', '_')}={sum(row.count(state) for row in rows)}" for state in states)
    print(
        f"figures: instances={len(rows)} {counted} changes={len(changes)} "
        f"not_failing={changes.count(False)} price={share:.2f}"
    )


def main() -> int:
    """Run the benchmark; the exit status."""
    parser = BenchmarkParser(__doc__)
    add_built(parser, Path("results/control"))
    parser.add_argument("--draws", type=int, default=DRAWS, help="counter-evaluations of each instance")
    parser.add_check("if a counter-evaluation fails, or the machine could not do one")
    given = parser.parse_args()
    with open_built(given) as built:
        rows = measure(built.instances, built.session, built.folder, given.draws, given.workers, built.progress)
    report(rows)
    bad = sum(row.count(state) for row in rows for state in (ControlState.FAILED, ControlState.UNDONE))
    return 1 if given.check and bad else 0


if __name__ == "__main__":
    sys.exit(main())
