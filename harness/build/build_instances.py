"""Building instances: images and bare repositories from recipes, and rows that name them."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from harness.build.base import BaseChoice
from harness.build.builder import BuildResult, OnProgress, Step, build_images
from harness.common.collect import collect
from harness.common.docker_client import connect
from harness.common.files import write_jsonl
from harness.common.paths import cache_folder, check_file
from harness.common.progress import Progress
from harness.common.stage import Stage
from harness.core.instance import Instance
from harness.core.interfaces import SandboxKind
from harness.dataset.instances import load_instances
from harness.dataset.recipes import load_recipes
from harness.errors import InfrastructureError, InputError
from harness.grading.specification import Specification, specify


def build_instances(
    dataset: str,
    split: str = "test",
    ids: Sequence[str] | None = None,
    recipes: Path | None = None,
    rows: Path | None = None,
    base: BaseChoice = "auto",
    sandbox: SandboxKind = "docker",
) -> list[BuildResult]:
    """Build, or find built, the named instances of a data set (all that have a recipe if none is named).

    Each image is checked against its snapshot. ``rows`` gets the instances as rows of the 5.x schema.
    ``sandbox`` names the engine.
    Raises InputError for instances without a recipe, InfrastructureError naming each build that failed.
    """
    if rows:
        check_file(rows, "the file of rows")
    book = load_recipes(recipes)
    loaded = load_instances(dataset, split, ids)
    instances = [instance for instance in loaded if ids or instance.instance_id in book.instances]
    if not instances:
        raise InputError(f"{dataset}: no recipe makes any of its {len(loaded)} instances; give --recipes")
    by_id = collect(instances, lambda instance: specify(instance, book.recipe(instance.instance_id)))
    client = connect(sandbox=sandbox)
    with Progress() as progress, shown_builds(progress) as shown:
        results = build_images(client, instances, book, cache_folder(), shown, base)
    client.close()
    failed = [f"{result.instance_id}: {result.error}" for result in results if result.error]
    if failed:
        raise InfrastructureError(f"{len(failed)} of {len(results)} builds failed: {' | '.join(failed)}")
    if rows:
        images = {result.instance_id: result.image for result in results}
        try:
            write_jsonl(rows, (row_with(i, images[i.instance_id], by_id[i.instance_id]) for i in instances))
        except OSError as error:
            error.add_note("the images are kept, and the same command finds them")
            raise
    return results


def row_with(instance: Instance, image: str, specification: Specification) -> dict[str, Any]:
    """The instance as a row of the 5.x schema, as the official harness reads it."""
    return {
        **instance.model_dump(mode="json", by_alias=True),
        "FAIL_TO_PASS": json.dumps(instance.fail_to_pass),
        "PASS_TO_PASS": json.dumps(instance.pass_to_pass),
        "image": image,
        "eval_script": specification.script,
        "log_parser": specification.log_parser,
        "eval_type": specification.eval_type,
    }


@contextmanager
def shown_builds(progress: Progress) -> Iterator[OnProgress]:
    """What shows a builder's steps for the length of the block: one stage of the display for each kind of image."""
    with ExitStack() as shown:
        yield _Display(progress, shown)


class _Display:
    """A builder's steps on a display."""

    def __init__(self, progress: Progress, shown: ExitStack) -> None:
        self._progress = progress
        self._shown = shown
        self._stages: dict[str, Stage] = {}
        self._running: dict[tuple[str, str], AbstractContextManager[None]] = {}
        self._lock = threading.Lock()

    def __call__(self, step: Step) -> None:
        with self._lock:
            stage = self._stages.get(step.stage) or self._shown.enter_context(
                self._progress.passing(step.stage, step.total)
            )
            self._stages[step.stage] = stage
            if step.state == "begun":
                self._running[step.stage, step.name] = running = stage.running(step.name)
                running.__enter__()
                return
            self._running.pop((step.stage, step.name)).__exit__(None, None, None)
            stage.count(step.state == "reused")
