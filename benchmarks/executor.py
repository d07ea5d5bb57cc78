"""What sending a job to a Ray cluster costs, beside the same jobs on this machine; and what the driver keeps in memory.

    benchmarks/executor.py [--check] [--tasks 10000]

Jobs are stand-ins: they sleep and print. The cluster is Ray's own, with several nodes on this machine; the path of a
job is that of a run, from the journal over the node's keeper and back.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from ray.cluster_utils import Cluster

from harness.build.build_instances import build_instances
from harness.cluster.cluster_connection import connected
from harness.cluster.executions import Executions
from harness.cluster.job_task import kept
from harness.cluster.ray_sandbox import RaySandbox
from harness.cluster.values import Brought, Came, Order
from harness.common.journal import Journal
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult, Job, Sandbox
from harness.dataset.instances import load_instances
from harness.grading.scripts import CommandRunner, Script
from harness.grading.session import specifications_of
from harness.grading.testbed import Testbed
from harness.miniature.generate import generate

TARGET_MS = 20.0  # a job, beyond the same one on this machine
TARGET_MIB = 16.0  # that the driver may grow while the jobs beyond the first tenth run, beyond what it does here
SECONDS, OUTPUT = 0.05, b"a line of a log\n" * 1250  # of one job; 20 kB
NODES, SLOTS = 2, 4


class StandIn:
    """A `Sandbox` without containers."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """A job takes ``seconds``."""
        self._seconds = seconds

    def digest(self, _: str) -> str:
        """The same for every image."""
        return "sha256:0"

    def run(self, _: Job) -> tuple[CommandResult, ...]:
        """Sleep and print."""
        time.sleep(self._seconds)
        return (CommandResult(0, OUTPUT, self._seconds),)


def stand_in(order: Order, instance: Instance, brought: Brought | None) -> Came:
    """A task with all that belongs to one, but the container."""
    return kept(order, instance, brought, lambda _: StandIn())


def resident_mib() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


class Jobs:
    """Questions that differ in a number, asked of one sandbox."""

    def __init__(self, sandbox: Sandbox, instance: Instance, folder: Path) -> None:
        self._bed = Testbed(instance, specifications_of([instance], None)[instance.instance_id], str(instance.image))
        self._journal = Journal(folder / "journal" / "evaluations.jsonl.gz")
        self._runner = CommandRunner(sandbox, self._journal, folder / "logs", EvaluationConfig().limits())

    def one(self, number: int) -> float:
        """Ask one; the seconds that it took."""
        began = time.monotonic()
        self._runner.run(self._bed, Script(f"echo {number}", {}))
        return time.monotonic() - began

    def many(self, numbers: range, at_a_time: int) -> float:
        """Ask many; the seconds that they took together."""
        began = time.monotonic()
        with ThreadPoolExecutor(at_a_time) as pool:
            for _ in pool.map(self.one, numbers):
                pass
        return time.monotonic() - began


def growth(jobs: Jobs, tasks: int, slots: int) -> tuple[float, float]:
    """MiB that this process grows by while the jobs beyond the first tenth run, and their seconds."""
    jobs.many(range(tasks // 10), slots)
    before = resident_mib()
    seconds = jobs.many(range(tasks // 10, tasks), slots)
    return resident_mib() - before, seconds


@contextmanager
def on_ray(instance: Instance, folder: Path) -> Iterator[Sandbox]:
    """A cluster of several nodes on this machine, and the sandbox that sends jobs there."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    node = {"num_cpus": SLOTS, "memory": SLOTS << 32, "resources": {"sandbox": SLOTS}, "object_store_memory": 200 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False, **node})
    try:
        for _ in range(NODES - 1):
            cluster.add_node(**node)
        evaluation = EvaluationConfig(executor="ray", ray_address=cluster.address)
        with connected(evaluation, "benchmark") as connection:
            connection.begin([instance])
            yield RaySandbox(connection, lambda _: instance, Executions(folder), task=stand_in)
    finally:
        cluster.shutdown()


def measured(jobs: Jobs, slots: int) -> tuple[float, float]:
    """Milliseconds of one job alone, and of one job's share where every place is taken."""
    jobs.many(range(100_000, 100_000 + 4 * slots), slots)  # processes start, and load what they need
    alone = 1000 * median(jobs.one(number) for number in range(200_000, 200_060))
    number = 40 * slots
    return alone, 1000 * jobs.many(range(300_000, 300_000 + number), slots) / number


def main() -> int:
    """Print what was measured; 1 if a target is missed and ``--check`` asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="exit with status 1 if a target is missed")
    parser.add_argument("--tasks", type=int, default=10_000, help="jobs while memory is watched")
    given = parser.parse_args()
    slots = NODES * SLOTS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = generate(folder / "miniature", seed=0, count=1)
        build_instances(str(made.rows), recipes=made.recipes, rows=folder / "rows.jsonl")
        [instance] = load_instances(str(folder / "rows.jsonl"))
        alone, share = measured(Jobs(StandIn(), instance, folder / "here"), slots)
        instant = Jobs(StandIn(0), instance, folder / "instant")  # it stays, so that nothing after it takes its memory
        grown_here, _ = growth(instant, given.tasks, slots)
        (folder / "there").mkdir()
        with on_ray(instance, folder / "there") as sandbox:
            jobs = Jobs(sandbox, instance, folder / "there")
            alone_ray, share_ray = measured(jobs, slots)
            grown, seconds = growth(jobs, given.tasks, slots)
    over, over_share = alone_ray - alone, share_ray - share
    print(f"one job alone: {alone:.1f} ms here, {alone_ray:.1f} ms on Ray: {over:.1f} ms more (target {TARGET_MS:g})")
    print(
        f"one job's share of {slots} places: {share:.1f} ms here, {share_ray:.1f} ms on Ray: {over_share:.1f} ms more"
    )
    print(f"{given.tasks} jobs, of which {0.9 * given.tasks / seconds:.0f} a second; after the first tenth, the driver")
    print(f"grows by {grown:.1f} MiB, here by {grown_here:.1f} MiB (target for the difference: {TARGET_MIB:g})")
    missed = max(over, over_share) > TARGET_MS or grown - grown_here > TARGET_MIB
    return int(given.check and missed)


if __name__ == "__main__":
    sys.exit(main())
