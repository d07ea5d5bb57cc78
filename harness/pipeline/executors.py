"""Opening what a run's settings name: this machine, or a Ray cluster."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from harness.common.progress import Progress
from harness.common.run_folder import run_label
from harness.config.schema import CheckpointConfig, EvaluationConfig
from harness.config.serving_keys import ServingConfig
from harness.core.instance import Instance
from harness.errors import InputError
from harness.grading.executor import Executor, LocalExecutor
from harness.images.open_images import open_images
from harness.images.provider import ImageProvider
from harness.model.devices import devices_here
from harness.model.serving_places import Places
from harness.pipeline.prepare_images import prepare_images


class Prepared(Executor, Protocol):
    """An `Executor` that has to be prepared for its instances, and has places for servers."""

    def prepare(self, instances: Sequence[Instance], recipes: Path | None, progress: Progress) -> None:
        """See which images are there, and bring what has to be there before. Raises InputError."""
        ...

    def places(self, checkpoints: Sequence[CheckpointConfig], serving: ServingConfig) -> Places:
        """Where a run's checkpoints are served. Raises InputError if one of them can't be."""
        ...


class Here(LocalExecutor):
    """This machine, whose images are pulled or built ahead."""

    def prepare(self, instances: Sequence[Instance], recipes: Path | None, progress: Progress) -> None:
        """Bring the images here, if an engine has them. Raises InputError as `prepare_images` does."""
        if isinstance(self.images, ImageProvider):
            prepare_images(self.images, instances, self.evaluation, recipes, progress)

    def places(self, checkpoints: Sequence[CheckpointConfig], serving: ServingConfig) -> Places:
        """This machine's devices, which every checkpoint was found to fit on before."""
        del checkpoints
        return Places(devices_here(serving), serving.ahead, serving.switch == "reload")


@contextmanager
def open_executor(evaluation: EvaluationConfig, output: Path) -> Iterator[Prepared]:
    """The machines that ``evaluation`` names, for the run in the folder ``output``.

    Raises InputError if Docker, or the cluster, can't be reached.
    """
    if evaluation.executor == "local":
        with open_images(evaluation) as images:
            yield Here(images, evaluation, run_label(output))
        return
    try:
        from harness.cluster.ray_executor import open_cluster
    except ImportError as error:
        raise InputError(
            f"evaluation.executor=ray needs Ray ({error}); install it with `pip install 'agentless-harness[ray]'`"
        ) from error
    with open_cluster(evaluation, output) as cluster:
        yield cluster
