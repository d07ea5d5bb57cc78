"""Evaluations of the instances whose images are built here: the arguments that name them, and an open session."""

import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.common.docker_client import connect
from harness.common.progress import Progress
from harness.common.run_folder import RunFolder
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.dataset.instances import load_instances
from harness.grading.session import Session, evaluation_session
from harness.images.inventory import list_images
from harness.pipeline.executors import open_executor
from parts.arguments import BenchmarkParser


@dataclass(frozen=True)
class Built:
    """What a benchmark works with; ``folder`` keeps its records, from which a stopped run goes on."""

    instances: list[Instance]
    session: Session
    folder: Path
    progress: Progress


def add_built(parser: BenchmarkParser, output: Path) -> None:
    """Add the arguments that `open_built` reads; records go to ``output`` by default."""
    parser.add_rows("rows of SWE-bench Lite")
    parser.add_argument("--instances", help="ids of the instances, comma-separated; every built one if not given")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="containers at a time")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for the tests of one patch")
    parser.add_argument("--output", type=Path, default=output, help="folder of the records")


@contextmanager
def open_built(given: Namespace) -> Iterator[Built]:
    """Open a session on the instances that are named and built, all built ones if none is named."""
    built = {image.instance_id for image in list_images(connect())}
    wanted = given.instances.split(",") if given.instances else built
    instances = [i for i in load_instances(str(given.rows)) if i.instance_id in built & set(wanted)]
    evaluation = EvaluationConfig(workers=given.workers, timeout=given.timeout)
    with (
        RunFolder(given.output) as folder,
        open_executor(evaluation, given.output) as executor,
        evaluation_session(instances, evaluation, folder, executor) as session,
        Progress() as progress,
    ):
        yield Built(instances, session, folder.path, progress)
