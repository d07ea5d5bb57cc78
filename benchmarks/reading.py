"""What reading answers and test logs costs the driver: on its own machine, and sent to a Ray cluster.

    benchmarks/reading.py [--check]

Answers change files of this project, which lie in memory; the logs are those of long test runs. The cluster is Ray's
own on this machine. What counts is the CPU time of this process, which bounds how many jobs a driver feeds.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
from parts.arguments import BenchmarkParser

from harness.core.interfaces import Cost
from harness.core.location import Location
from harness.dataset.instances import load_instances
from harness.grading import log_worker
from harness.grading.log_workers import LogWorkers
from harness.grading.specification import END_MARKER, START_MARKER, Specification
from harness.miniature.generate import generate
from harness.model.ask import Reply
from harness.repair.sample import read_answer
from harness.repo.memory_snapshot import MemorySnapshot

HARNESS = Path(__file__).parents[1] / "harness"
ANSWERS, LOGS, BATCH = 60, 15, 20
LOG = "".join(
    (
        f"{START_MARKER}\n",
        *(f"PASSED tests/test_module_{number % 50}.py::test_{number}\n" for number in range(2000)),
        "what tests print by the thousand lines, and nobody looks at again\n" * 3000,
        f"{END_MARKER}\n",
    )
)
Question = tuple[Reply, Sequence[Location]]


def questions(files: Sequence[Path]) -> list[Question]:
    """Answers that each add a line to one of the files."""
    found = []
    for number in range(ANSWERS):
        file = files[number % len(files)]
        lines = file.read_text(encoding="utf-8").splitlines()
        old = lines[len(lines) // 2 : len(lines) // 2 + 6]
        new = [*old[:3], f"# {number}", *old[3:]]
        block = "\n".join(("<<<<<<< SEARCH", *old, "=======", *new, ">>>>>>> REPLACE"))
        text = f"{'The bug is in this file. ' * 40}\n\n```python\n### {file.name}\n{block}\n```\n"
        found.append((Reply(text, None, "", Cost()), (Location(file.name),)))
    return found


def read(asked: Sequence[Question], snapshot: MemorySnapshot) -> list[dict[str, Any]]:
    """What a run makes of answers."""

    async def all_of_them() -> list[dict[str, Any]]:
        return [await read_answer(reply, snapshot, shown) for reply, shown in asked]

    return asyncio.run(all_of_them())


def measured(name: str, number: int, work: Callable[[], object]) -> float:
    """Print and return the milliseconds of CPU time that one of ``number`` pieces of work takes this process."""
    began, spent = time.perf_counter(), time.process_time()
    work()
    spent, took = (1000 * seconds / number for seconds in (time.process_time() - spent, time.perf_counter() - began))
    print(f"{name:38} {spent:6.2f} ms of the driver, {took:6.2f} ms until the next", flush=True)
    return spent


def answers() -> tuple[float, float]:
    """An answer here, and as a task of its own."""
    files = sorted(HARNESS.glob("*/*.py"), key=lambda path: -path.stat().st_size)[:30]
    snapshot = MemorySnapshot({file.name: file.read_bytes() for file in files})
    asked = questions(files)
    read(asked[:5], snapshot)
    here = measured("an answer, here", ANSWERS, lambda: read(asked, snapshot))
    remote, held = ray.remote(read), ray.put(snapshot)
    ray.get([remote.remote(asked[:2], held) for _ in range(4)])
    batches = [asked[first : first + BATCH] for first in range(0, ANSWERS, BATCH)]
    alone = measured("on Ray, one after another", ANSWERS, lambda: [ray.get(remote.remote([q], held)) for q in asked])
    measured("on Ray, all at once", ANSWERS, lambda: ray.get([remote.remote([q], held) for q in asked]))
    measured(f"on Ray, {BATCH} in a task", ANSWERS, lambda: ray.get([remote.remote(batch, held) for batch in batches]))
    return here, alone


def logs() -> tuple[float, float]:
    """A log in a process here, and as a task of its own."""
    with tempfile.TemporaryDirectory() as folder:
        [instance] = load_instances(str(generate(Path(folder), seed=0, count=1).rows))
    asked = (instance, Specification(f"{START_MARKER}\n{END_MARKER}", "parse_log_pytest", "pass_and_fail"), LOG, 0, ())
    with LogWorkers() as weigh:
        weigh(*asked)
        here = measured(f"a log of {len(LOG) // 1000} kB, here", LOGS, lambda: [weigh(*asked) for _ in range(LOGS)])
    remote = ray.remote(log_worker.answer)
    ray.get([remote.remote("weigh", asked) for _ in range(4)])
    return here, measured("on Ray", LOGS, lambda: ray.get([remote.remote("weigh", asked) for _ in range(LOGS)]))


def main() -> int:
    """Print what was measured; 1 if a target is missed and ``--check`` asks."""
    parser = BenchmarkParser(__doc__)
    parser.add_check("if sending an answer or a log costs the driver less than half of reading it here")
    given = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init("local", num_cpus=2, log_to_driver=False, include_dashboard=False)
    try:
        pays = [there < here / 2 for here, there in (answers(), logs())]
    finally:
        ray.shutdown()
    return int(given.check and any(pays))


if __name__ == "__main__":
    sys.exit(main())
