"""Whether the disk under Docker has room for images to build: asked before the first of them."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.build.base import REPOSITORY
from harness.build.environment import environment_layer
from harness.common.docker_client import translated
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.dataset.recipes import FolderSource, MirrorSource, RecipeBook, SdistSource, Source
from harness.images.disk import GIB, docker_root, require_free
from harness.images.names import built_name

if TYPE_CHECKING:
    from docker import DockerClient

# What building takes, about, as seen on the shipped recipes; bytes.
BASE_BYTES = 250_000_000
ENVIRONMENT_BYTES = 30_000_000  # of one without packages
REQUIREMENT_BYTES = 6_000_000  # of each package in it
UNPACKED_TWICE = 7.0  # times a source package: its files, what is compiled from them, their git objects
WITH_OBJECTS = 2.0  # times a folder
MIRRORED_BYTES = 70_000_000  # of a commit in a mirror, which is not asked for its size


def require_build_room(client: "DockerClient", instances: Sequence[Instance], book: RecipeBook) -> None:
    """See that the disk under Docker holds the images that are still to be built, with all that they stand on.

    Raises InputError, saying what is needed and what is free; a daemon elsewhere is not looked at.
    """
    root = docker_root(client)
    if root is None:
        return
    with translated("listing images"):
        # the daemon's bare listing: an image that goes meanwhile does no harm
        here = {ImageName.parse(tag) for image in client.api.images() for tag in image["RepoTags"] or ()}
    missing = [instance for instance in instances if built_name(instance.instance_id) not in here]
    need = build_need([instance.instance_id for instance in missing], book, here)
    said = f"{len(missing)} images to build take about {need / GIB:.1f} GiB"
    require_free(root, need, said, "or name fewer instances")


def build_need(ids: Sequence[str], book: RecipeBook, here: Collection[ImageName]) -> int:
    """Bytes that building these instances takes beside the images whose names are ``here``; an estimate."""
    recipes = [book.recipe(instance_id) for instance_id in ids]
    bases = {name for name in here if name.familiar.startswith(REPOSITORY)}
    specs = {recipe.environment: book.environments[recipe.environment] for recipe in recipes}
    need = 0
    for python in {spec.python for spec in specs.values()}:
        need += 0 if any(base.familiar == f"{REPOSITORY}{python}" for base in bases) else BASE_BYTES
    for spec in specs.values():
        if not any(environment_layer(spec, base).name in here for base in bases):
            need += ENVIRONMENT_BYTES + REQUIREMENT_BYTES * len(spec.requirements)
    # each part's own size if nothing is shared: what sharing saves is not known before
    return need + sum(_source_need(recipe.source) for recipe in recipes)


def _source_need(source: Source) -> int:
    match source:
        case SdistSource(bytes=size):
            return int(UNPACKED_TWICE * size)
        case FolderSource(path=path):
            return int(WITH_OBJECTS * _folder_bytes(path))
        case MirrorSource():
            return MIRRORED_BYTES


def _folder_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
