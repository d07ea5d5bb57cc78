"""What has to be on this machine before a run: images found, loaded, pulled or built, in that order."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.build.build_instances import shown_builds
from harness.build.builder import build_images
from harness.common.paths import cache_folder
from harness.common.progress import Progress
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.dataset.recipes import RecipeBook, load_recipes
from harness.errors import InfrastructureError
from harness.images.disk import GIB
from harness.images.disk_check import require_room
from harness.images.provider import ImageProvider
from harness.images.pull_all import pull_all, require_pulled

if TYPE_CHECKING:
    from docker import DockerClient


def prepare_images(
    images: ImageProvider,
    instances: Sequence[Instance],
    evaluation: EvaluationConfig,
    recipes: Path | None,
    progress: Progress,
) -> None:
    """Bring the instances' images here, as far as that is allowed and does not wait until they are wanted.

    Raises InputError if an image is not available, or the disk has no room for those that are to come.
    """
    if not (evaluation.pull or evaluation.build or evaluation.images.folder):
        return
    with progress.doing("looking for images"):
        missing = [instance for instance in instances if images.find(instance) is None]
    buildable = load_recipes(recipes) if evaluation.build else RecipeBook(environments={}, instances={})
    coming = missing if evaluation.pull else [instance for instance in missing if images.saved(instance)]
    if coming:
        budget = evaluation.image_budget
        require_room(images, instances, budget * GIB if budget else None)
        if images.on_demand:
            return
        results = pull_all(images, coming, evaluation.images.pulls, progress)
        require_pulled([result for result in results if result.instance_id not in buildable.instances])
        missing = [instance for instance in missing if images.find(instance) is None]
    if evaluation.build and missing:
        _build(images.client, missing, buildable, progress)


def _build(client: "DockerClient", instances: Sequence[Instance], book: RecipeBook, progress: Progress) -> None:
    with shown_builds(progress) as shown:
        results = build_images(client, instances, book, cache_folder(), shown)
    failed = [f"{result.instance_id}: {result.error}" for result in results if result.error]
    if failed:
        raise InfrastructureError(f"{len(failed)} of {len(results)} builds failed: {' | '.join(failed)}")
