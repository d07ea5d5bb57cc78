"""Time of making and checking one candidate's patch: python benchmarks/patch.py [--check] [--repeats N].

Gold patches of SWE-bench rows (HARNESS_SWEBENCH_ROWS, or --rows), where their base state was rebuilt on this machine,
given as plain answers with as many different comments as repeats, so that no answer is read twice. "In memory" is
what an answer costs up to its patch: reading it, matching it, Python's syntax, the patch, its vote and its effect;
"proof" adds `git apply` on the snapshot. What every candidate of an instance shares (the file before the change) is
read once before. Wall time on one core, milliseconds, one candidate after another.
With --check the exit status is 1 when a target is missed.
"""

import asyncio
import os
import platform
import statistics
import sys
from collections.abc import Iterator
from time import perf_counter

from parts.arguments import BenchmarkParser
from parts.gold_answers import CONTEXT, rebuilt_rows

from harness.core.instance import Instance
from harness.core.interfaces import Answer, Snapshot
from harness.model.ask import Reply
from harness.repair.gold import answer_text, gold_blocks
from harness.repair.sample import read_answer
from harness.repo.gold_locations import gold_files

MOST_IN_MEMORY, MOST_WITH_PROOF = 10.0, 30.0  # ms, the median over all rows
REPEATS = 5


class Unproven:
    """A snapshot that lets every patch pass without asking git."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.commit, self.tree = snapshot.commit, snapshot.tree
        self.paths, self.read, self.mode = snapshot.paths, snapshot.read, snapshot.mode

    def check_applies(self, patch: str) -> str:  # noqa: ARG002 - the protocol's own
        """Always empty."""
        return ""


def answers(instance: Instance, snapshot: Snapshot, first: int, count: int) -> Iterator[Answer]:
    """The gold patch as an answer, each time with another comment in what it adds: numbers ``first`` and on."""
    text = answer_text(gold_blocks(instance, snapshot, CONTEXT))
    for number in range(first, first + count):
        yield Answer(text.replace("\n=======\n", f"\n=======\n# {number}\n"), "stop", 0, 0, 0.0)


async def milliseconds(instance: Instance, snapshot: Snapshot, proven: bool, repeats: int) -> list[float]:
    """Times of single candidates of one instance."""
    judge = snapshot if proven else Unproven(snapshot)
    shown, times = gold_files(instance, snapshot), []
    for number, answer in enumerate(answers(instance, snapshot, proven * (repeats + 1), repeats + 1)):
        start = perf_counter()
        fields = await read_answer(Reply.of(answer), judge, shown)
        if number:  # the first one reads what all share
            times.append(1000 * (perf_counter() - start))
        if "reason" in fields:
            raise SystemExit(f"{instance.instance_id}: {fields['reason']}: {fields['detail']}")
    return times


def main() -> int:
    parser = BenchmarkParser(__doc__)
    parser.add_rows("rows whose base states were rebuilt here")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="candidates of each row, measured one by one")
    parser.add_check("when a target is missed")
    options = parser.parse_args()
    found: dict[bool, list[float]] = {False: [], True: []}
    print(f"{'instance':34}{'lines':>7}{'in memory':>11}{'with proof':>12}   ms, median of {options.repeats}")
    for instance, snapshot in rebuilt_rows(str(options.rows)):
        lines = max(snapshot.read(place.path).count(b"\n") for place in gold_files(instance, snapshot))
        medians = {}
        for proven, times in found.items():
            measured = asyncio.run(milliseconds(instance, snapshot, proven, options.repeats))
            times += measured
            medians[proven] = statistics.median(measured)
        print(f"{instance.instance_id:34}{lines:7}{medians[False]:11.1f}{medians[True]:12.1f}", flush=True)
    return report(found, options.check)


def report(found: dict[bool, list[float]], check: bool) -> int:
    """Print the figures; 1 where a target is missed and that matters."""
    memory, proof = found[False], found[True]
    if not memory:
        raise SystemExit("no row's base state is on this machine")
    figures = [
        f"{name}: median {statistics.median(times):.1f}, 90% {statistics.quantiles(times, n=10)[-1]:.1f}, "
        f"most {max(times):.1f} ms"
        for name, times in (("in memory", memory), ("with proof", proof))
    ]
    print(f"\n{len(memory)} candidates each, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("; ".join(figures))
    missed = statistics.median(memory) > MOST_IN_MEMORY or statistics.median(proof) > MOST_WITH_PROOF
    return 1 if check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
