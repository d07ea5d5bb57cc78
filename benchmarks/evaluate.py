"""Our evaluator and the official harness (an environment of its own) in turn, on the same images and patches.

    .venv/bin/python benchmarks/evaluate.py --rows ROWS [--rounds 3] [--workers 1,2] [--instances ID,ID] [--check]

ROWS is a file in the 5.x schema whose images are here (`harness images build --rows ROWS`). Each instance is evaluated
with its gold patch, with a wrong one and with an empty one. The floor is the same two scripts in a container that is
created, started and removed by force, and nothing else. An overhead is what an evaluation adds to the wall time that
the test commands alone would take, shared evenly among the workers. With ``--check`` the exit status is 1 on a missed
target.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker import DockerClient
from parts.arguments import BenchmarkParser, rows_file

from harness.common.docker_client import connect
from harness.common.paths import cache_folder
from harness.common.run_folder import RunFolder
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.dataset.instances import load_instances
from harness.grading.job import evaluation_job
from harness.grading.session import evaluation_session
from harness.grading.specification import specify
from harness.grading.testbed import Testbed
from harness.pipeline.executors import open_executor
from harness.sandbox.exec import packed

OFFICIAL = "5.0.2"  # release of the swebench package
OVERHEAD_SECONDS = 0.35  # per evaluation, at most
OVERHEAD_SHARE = 1 / 20  # of the official harness' overhead, at most
FLOOR_RATIO = 1.15  # wall time over the floor's, at most
INSTANCES = (  # of each repository those whose tests are short
    "pytest-dev__pytest-9359,pytest-dev__pytest-7168,sympy__sympy-24909,sympy__sympy-24102,"
    "django__django-16046,django__django-15790,pallets__flask-4992,sphinx-doc__sphinx-10325"
)
WRONG = (
    "diff --git a/harness_wrong.py b/harness_wrong.py\nnew file mode 100644\n--- /dev/null\n+++ b/harness_wrong.py\n"
    "@@ -0,0 +1 @@\n+wrong = True\n"
)

Patches = dict[str, str]  # instance id -> patch


@dataclass(frozen=True)
class Timing:
    """One pass over all instances and kinds of patches. Seconds."""

    wall: float
    tests: float  # of that, in test commands, all workers together
    resolved: frozenset[tuple[str, str]]  # kind of patch, instance id

    def overhead(self, evaluations: int, workers: int) -> float:
        """Wall time that each evaluation that ran tests adds to that of the tests, shared evenly among the workers."""
        return (self.wall - self.tests / workers) / evaluations


def ours(instances: Sequence[Instance], kinds: dict[str, Patches], workers: int) -> Timing:
    """The pass through our evaluator, its journal empty."""
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder)) as records:
        started = time.monotonic()
        config = EvaluationConfig(workers=workers)
        with (
            open_executor(config, records.path) as executor,
            evaluation_session(instances, config, records, executor) as session,
        ):
            futures = {
                (kind, i.instance_id): session.submit(i, patches[i.instance_id])
                for kind, patches in kinds.items()
                for i in instances
            }
            verdicts = {key: future.result() for key, future in futures.items()}
        wall = time.monotonic() - started
    failed = [verdict for verdict in verdicts.values() if verdict.outcome is Outcome.INFRASTRUCTURE]
    if failed:
        sys.exit(f"the machine failed: {failed[0].detail}")
    resolved = frozenset(key for key, verdict in verdicts.items() if verdict.resolved)
    return Timing(wall, sum(verdict.test_seconds for verdict in verdicts.values()), resolved)


def official_command() -> Path:
    """The official harness' command, installed from its package into an environment of its own, once."""
    folder = cache_folder() / "benchmarks" / f"swebench-{OFFICIAL}"
    command = folder / "bin" / "swebench"
    if not command.is_file():
        print(f"installing swebench {OFFICIAL} into {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", f"swebench=={OFFICIAL}"], check=True)
    return command


def official(swebench: Path, rows: Path, kinds: dict[str, Patches], workers: int, tests: float) -> Timing:
    """The pass through ``swebench eval``; it does not tell the time in tests, which is taken as ours."""
    wall, resolved = 0.0, set()
    with tempfile.TemporaryDirectory() as folder:
        for kind, patches in kinds.items():
            predictions = Path(folder) / f"{kind}.jsonl"
            lines = ({"instance_id": i, "model_name_or_path": kind, "model_patch": p} for i, p in patches.items())
            predictions.write_text("".join(json.dumps(line) + "\n" for line in lines))
            command = [str(swebench), "eval", str(rows.resolve()), "-p"]
            command += [str(predictions), "--run-id", f"bench-{kind}", "-j", str(workers)]
            command += [part for instance_id in patches for part in ("-i", instance_id)]
            started = time.monotonic()
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            wall += time.monotonic() - started
            reports = list(Path(folder).glob(f"{kind}.bench-{kind}.json"))
            if done.returncode or not reports:
                sys.exit(f"swebench eval failed: {(done.stdout + done.stderr)[-2000:]}")
            resolved |= {(kind, i) for i in json.loads(reports[0].read_text())["resolved_ids"]}
    return Timing(wall, tests, frozenset(resolved))


def floor(client: DockerClient, instances: Sequence[Instance], kinds: dict[str, Patches], workers: int) -> float:
    """Wall time of the same scripts without our evaluator."""

    def one(work: tuple[Instance, str]) -> None:
        instance, patch = work
        testbed = Testbed(instance, specify(instance), instance.image or "")
        job = evaluation_job(testbed, None, patch, EvaluationConfig().limits())
        container = client.containers.create(job.image, ["sleep", "600"], network_mode="none", nano_cpus=10**9)
        container.put_archive("/", packed(job.files))
        container.start()
        for command in job.commands:
            container.exec_run(list(command.argv), workdir=job.workdir)
        container.remove(force=True)

    work = [(i, patches[i.instance_id]) for patches in kinds.values() for i in instances if patches[i.instance_id]]
    started = time.monotonic()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, work))
    return time.monotonic() - started


def compare(
    arguments: argparse.Namespace, client: DockerClient, instances: list[Instance], workers: int
) -> dict[str, Any]:
    """Figures for one worker count: medians over the rounds."""
    kinds = {
        "gold": {i.instance_id: i.patch for i in instances},
        "wrong": {i.instance_id: WRONG for i in instances},
        "empty": {i.instance_id: "" for i in instances},
    }
    tested = 2 * len(instances)
    mine, theirs, floors = [], [], []
    for _ in range(arguments.rounds):
        floors.append(floor(client, instances, kinds, workers))
        mine.append(ours(instances, kinds, workers))
        theirs.append(official(arguments.swebench, arguments.rows, kinds, workers, mine[-1].tests))
        print(
            f"workers {workers}: floor {floors[-1]:.1f}, ours {mine[-1].wall:.1f}, official {theirs[-1].wall:.1f} s",
            flush=True,
        )
    wall = statistics.median(m.wall for m in mine)
    official_wall = statistics.median(t.wall for t in theirs)
    least = statistics.median(floors)
    own = statistics.median(m.overhead(tested, workers) for m in mine)
    other = statistics.median(t.overhead(tested, workers) for t in theirs)
    return {
        "workers": workers,
        "evaluations": tested,
        "wall": round(wall, 2),
        "official_wall": round(official_wall, 2),
        "floor_wall": round(least, 2),
        "tests": round(statistics.median(m.tests for m in mine), 2),
        "overhead": round(own, 3),
        "official_overhead": round(other, 3),
        "overhead_share": round(own / other, 4),
        "floor_ratio": round(wall / least, 3),
        "official_ratio": round(official_wall / wall, 2),
        "verdicts_equal": all(m.resolved == t.resolved for m, t in zip(mine, theirs, strict=True)),
    }


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--rows", type=rows_file, metavar="FILE", required=True, help="rows in the 5.x schema")
    parser.add_argument("--rounds", type=int, default=3, help="passes of each, of which the median counts")
    parser.add_argument("--workers", default="1,2", help="counts of workers, comma-separated, each measured")
    parser.add_argument("--instances", default=INSTANCES, help="ids of the instances, comma-separated")
    parser.add_check("when a target is missed")
    arguments = parser.parse_args()
    arguments.swebench = official_command()
    client = connect()
    instances = load_instances(str(arguments.rows), ids=arguments.instances.split(","))
    print(f"{len(instances)} instances, gold, wrong and empty patches, {arguments.rounds} rounds, median;")
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; {', '.join(i.instance_id for i in instances)}")
    results = [compare(arguments, client, instances, int(workers)) for workers in arguments.workers.split(",")]
    for figures in results:
        print("\n" + "\n".join(f"  {name:<20}{value}" for name, value in figures.items()))
    missed = [figures for figures in results if not _holds(figures)]
    print(json.dumps(results))
    if arguments.check and missed:
        sys.exit(1)


def _holds(figures: dict[str, Any]) -> bool:
    return (
        figures["overhead"] <= OVERHEAD_SECONDS
        and figures["overhead_share"] <= OVERHEAD_SHARE
        and figures["floor_ratio"] <= FLOOR_RATIO
        and figures["verdicts_equal"]
    )


if __name__ == "__main__":
    main()
