"""Every sandbox that is here beside Docker's: start-up, overhead and verdicts, in one run.

    .venv/bin/python benchmarks/sandboxes.py --rows ROWS [--instances ID,ID|all] [--sandboxes docker,podman]

ROWS is a file in the 5.x schema whose images all sandboxes have. The start-up is the wall time of a job that does
nothing, the sandboxes in turn, of which the median counts. Each instance is then tested under each sandbox with its
gold patch, a wrong one and an empty one, ``--workers`` at a time; the overhead is what an evaluation adds to the time
of its tests, for which one worker is right. With ``--check`` the exit status is 1 if a verdict differs from that of the
first sandbox.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from evaluate import INSTANCES, WRONG
from parts.arguments import BenchmarkParser, rows_file

from harness.common.run_folder import RunFolder
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.core.interfaces import Command, Job
from harness.core.verdict import Verdict
from harness.dataset.instances import load_instances
from harness.grading.executor import LocalExecutor
from harness.grading.session import evaluation_session
from harness.images.open_images import open_images

COMPARED = (
    "outcome", "phase", "exit_status", "fail_to_pass_success", "fail_to_pass_failure", "pass_to_pass_success",
    "pass_to_pass_failure", "flags", "detail", "image_digest",
)  # fmt: skip


def start_ups(kinds: Sequence[str], image: str, rounds: int) -> dict[str, float]:
    """Median seconds of a job that does nothing, by sandbox."""
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    with ExitStack() as opened:
        sandboxes = {}
        for kind in kinds:
            images = opened.enter_context(open_images(EvaluationConfig(sandbox=kind, workers=1)))
            sandboxes[kind] = opened.enter_context(images.sandbox(f"bench-{kind}", 1))
        job = Job(image, {}, (Command(("/bin/true",)),), EvaluationConfig().limits(), workdir="/")
        for _ in range(rounds + 1):
            for kind, sandbox in sandboxes.items():
                began = time.monotonic()
                sandbox.run(job)
                seconds[kind].append(time.monotonic() - began)
    return {kind: statistics.median(each[1:]) for kind, each in seconds.items()}  # the first one warms up


def evaluated(kind: str, instances: Sequence[Instance], workers: int) -> tuple[dict[tuple[str, str], Verdict], float]:
    """Verdicts by patch and instance, and the seconds of all workers."""
    config = EvaluationConfig(sandbox=kind, workers=workers)
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder)) as records, open_images(config) as images:
        executor = LocalExecutor(images, config, records.label)
        with evaluation_session(instances, config, records, executor) as session:
            began = time.monotonic()
            futures = {
                (name, instance.instance_id): session.submit(instance, patch)
                for instance in instances
                for name, patch in (("gold", instance.patch), ("wrong", WRONG), ("empty", ""))
            }
            verdicts = {key: future.result() for key, future in futures.items()}
            return verdicts, workers * (time.monotonic() - began)


def differences(one: Verdict, other: Verdict) -> dict[str, Any]:
    """What of two verdicts must be the same and is not: both values by name."""
    dumped = [verdict.model_dump(mode="json") for verdict in (one, other)]
    values = {name: [each[name] for each in dumped] for name in COMPARED}
    return {name: pair for name, pair in values.items() if pair[0] != pair[1]}


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--rows", type=rows_file, metavar="FILE", required=True, help="rows in the 5.x schema")
    parser.add_argument("--instances", default=INSTANCES, help="ids of the instances, comma-separated, or all")
    parser.add_argument("--workers", type=int, default=1, help="evaluations at a time")
    parser.add_argument("--sandboxes", default="docker,podman,apptainer", help="kinds, comma-separated")
    parser.add_argument("--rounds", type=int, default=5, help="jobs that do nothing, in each sandbox")
    parser.add_check("if a verdict differs from that of the first sandbox")
    arguments = parser.parse_args()
    ids = None if arguments.instances == "all" else arguments.instances.split(",")
    instances = load_instances(str(arguments.rows), ids=ids)
    kinds = arguments.sandboxes.split(",")
    started = start_ups(kinds, str(instances[0].image), arguments.rounds)
    figures: dict[str, Any] = {}
    first: dict[tuple[str, str], Verdict] = {}
    for kind in kinds:
        verdicts, wall = evaluated(kind, instances, arguments.workers)
        first = first or verdicts
        tests = sum(verdict.test_seconds for verdict in verdicts.values())
        ran = sum(verdict.test_seconds > 0 for verdict in verdicts.values())
        differ = {
            "/".join(key): differences(first[key], verdict)
            for key, verdict in verdicts.items()
            if differences(first[key], verdict)
        }
        figures[kind] = {
            "start_up": round(started[kind], 3),
            "overhead": round((wall - tests) / ran, 3),
            "tests": round(tests, 1),
            "verdicts": len(verdicts),
            "resolved": sum(verdict.resolved for verdict in verdicts.values()),
            "differ": differ,
        }
        print(kind, json.dumps(figures[kind]), flush=True)
    if arguments.check and any(each["differ"] for each in figures.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
