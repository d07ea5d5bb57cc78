"""The instances' base states, read from wherever they lie."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from harness.common.collect import collect
from harness.common.paths import cache_folder
from harness.common.progress import Progress
from harness.common.stage import Stage
from harness.core.instance import Instance
from harness.core.interfaces import Repository, Snapshot
from harness.images.git_copy import ImageFinder
from harness.images.provider import ImageProvider
from harness.repo.image_repository import ImageRepository
from harness.repo.snapshot import open_repository


@contextmanager
def open_snapshots(
    instances: Sequence[Instance], images: ImageProvider, progress: Progress
) -> Iterator[dict[str, Snapshot]]:
    """The instances' base states, by id, to be read in the block: rebuilt, from a mirror, or out of their own images.

    Raises InputError naming the instances that none of these holds.
    """
    # under a budget the last images stay here, and the first instances are tested first
    order = instances[::-1] if images.on_demand else instances
    with ExitStack() as opened:
        with ImageFinder(images) as finder:
            own = ImageRepository(cache_folder() / "images", finder)
            repository = opened.enter_context(open_repository(cache_folder(), own))
            with progress.passing("base states", len(order)) as stage:
                found = collect(order, partial(_opened, repository, stage))
        yield {instance.instance_id: found[instance.instance_id] for instance in instances}


def _opened(repository: Repository, stage: Stage, instance: Instance) -> Snapshot:
    with stage.running(instance.instance_id):
        snapshot = repository.snapshot(instance)
    stage.add()
    return snapshot
