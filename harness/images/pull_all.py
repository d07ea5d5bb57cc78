"""Bringing the images of many instances to this machine: is there room, all at once, with progress, one result each."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from harness.common.progress import Progress
from harness.common.stage import Stage
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.errors import HarnessError, InfrastructureError, InputError
from harness.images.disk_check import require_room
from harness.images.provider import ImageProvider, open_engine_images
from harness.images.pull_progress import Amount

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class PullResult:
    """What became of one instance's image."""

    instance_id: str
    image: str | None  # its local name, None if it is not available
    seconds: float
    megabytes: float  # that were downloaded
    here: bool = False  # it was on this machine already
    error: HarnessError | None = None


def prefetch(instances: Sequence[Instance], evaluation: EvaluationConfig) -> list[PullResult]:
    """Bring every instance's image here, as many at a time as ``evaluation`` says: one result each, in their order.

    Started again after an end of whatever kind, it pulls what is missing. Raises InputError if the disk
    has no room for what is to come, and if Docker is not reachable.
    """
    with open_engine_images(evaluation) as images:
        require_room(images, instances)
        with Progress() as progress:
            return pull_all(images, instances, evaluation.images.pulls, progress)


def pull_all(
    images: ImageProvider, instances: Sequence[Instance], workers: int, progress: Progress
) -> list[PullResult]:
    """One result for each instance, in their order; an interrupt ends the pulls under way."""
    with (
        progress.passing("pull", len(instances)) as pulled,
        progress.passing("layers") as layers,
        progress.passing("MB") as megabytes,
    ):
        display = _Display(pulled, layers, megabytes)
        pool = ThreadPoolExecutor(workers, thread_name_prefix="pull")
        try:
            return list(pool.map(lambda instance: _pull(images, instance, display), instances))
        except BaseException:
            images.close()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _pull(images: ImageProvider, instance: Instance, display: "_Display") -> PullResult:
    began, came = time.monotonic(), _Bytes(display)
    image, error, here = None, None, False
    try:
        if image := images.find(instance):
            here = True
        else:
            with display.images.running(instance.instance_id):
                image = images.obtain(instance, came.add)
    except HarnessError as failure:
        error = failure
    display.images.count(here)
    name = str(image.name) if image else None
    return PullResult(instance.instance_id, name, time.monotonic() - began, came.done / MEGABYTE, here, error)


@dataclass(frozen=True)
class _Display:
    """Images, layers and megabytes; how many there are of the last two turns up as the daemon reports."""

    images: Stage
    layers: Stage
    megabytes: Stage


class _Bytes:
    """What one image has moved, shown in whole megabytes."""

    def __init__(self, display: _Display) -> None:
        self.done = 0
        self._all = 0
        self._display = display

    def add(self, came: Amount) -> None:
        done, known = self.done // MEGABYTE, self._all // MEGABYTE
        self.done += came.bytes_done
        self._all += came.bytes
        self._display.layers.grow(came.layers)
        self._display.layers.add(came.layers_done)
        self._display.megabytes.grow(self._all // MEGABYTE - known)
        self._display.megabytes.add(self.done // MEGABYTE - done)


def require_pulled(results: Sequence[PullResult]) -> None:
    """Raises one error for all images that are not available: InputError if every registry answered."""
    failed = [result for result in results if result.error]
    said = f"{len(failed)} of {len(results)} images can't be had: " + " | ".join(
        f"{result.instance_id}: {result.error}" for result in failed
    )
    if any(not isinstance(result.error, InputError) for result in failed):
        raise InfrastructureError(said)
    if failed:
        raise InputError(said)
