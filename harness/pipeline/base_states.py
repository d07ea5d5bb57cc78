"""The instances' base states, read from wherever they lie."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from harness.common.collect import collect
from harness.common.paths import cache_folder
from harness.common.progress import Progress
from harness.core.instance import Instance
from harness.core.interfaces import Repository, Snapshot
from harness.grading.executor import Executor
from harness.repo.image_repository import ImageRepository
from harness.repo.snapshot import open_repository


@contextmanager
def open_snapshots(
    instances: Sequence[Instance], executor: Executor, progress: Progress
) -> Iterator[dict[str, Snapshot]]:
    """The instances' base states, by id, to be read in the block: rebuilt, from a mirror, or out of their own images.

    Raises InputError naming the instances that none of these holds.
    """
    # under a budget the last images stay here, and the first instances are tested first
    order = instances[::-1] if executor.images.on_demand else instances
    with ExitStack() as opened:
        with executor.repositories() as finder:
            own = ImageRepository(cache_folder() / "images", finder)
            repository = opened.enter_context(open_repository(cache_folder(), own))
            opening = _Opening(repository)
            with progress.doing("opening base states", lambda: f"{opening.done} of {len(order)}"):
                found = collect(order, opening.of)
        yield {instance.instance_id: found[instance.instance_id] for instance in instances}


class _Opening:
    """Opens base states, and knows how many by now."""

    def __init__(self, repository: Repository) -> None:
        self.done = 0
        self._repository = repository

    def of(self, instance: Instance) -> Snapshot:
        snapshot = self._repository.snapshot(instance)
        self.done += 1
        return snapshot
