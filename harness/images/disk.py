"""What images take on the disk: layers counted once, free space, and what is still to come."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from harness.common.docker_client import translated
from harness.common.hashing import content_hash
from harness.core.image_name import HUB, ImageName
from harness.errors import InfrastructureError, InputError
from harness.images.registry import Registries

if TYPE_CHECKING:
    from docker import DockerClient

UNPACKED = 3.0  # times what a layer has as it is sent, about: sources and Python packages shrink to a third
UNKNOWN = 1 << 30  # bytes of one instance's image beside shared layers, if nothing says
GIB = float(1 << 30)

Layers = Mapping[str, int]  # what identifies a layer -> its bytes


def image_layers(client: "DockerClient", image: str) -> Layers:
    """The layers of a local image that hold anything.

    A layer is known by its content and that of all below it, which is what the daemon shares layers by, and its size:
    the daemon tells sizes of an image's steps, empty ones among them, without saying which of its layers each made.
    Raises InfrastructureError if Docker fails.
    """
    with translated(f"reading the layers of image {image}"):
        contents: list[str] = client.images.get(image).attrs["RootFS"].get("Layers") or []
        history: list[dict[str, Any]] = client.api.history(image)  # type: ignore[no-untyped-call]
    sizes = [step["Size"] for step in reversed(history) if step["Size"]]
    found: dict[str, int] = {}
    below = ""
    for content, size in zip(contents, sizes, strict=False):
        below = content_hash(below, content)
        found[content_hash(below, str(size))] = size
    return found


def together(images: Iterable[Layers]) -> int:
    """Bytes of all layers of several images, each counted once."""
    union: dict[str, int] = {}
    for image in images:
        union.update(image)
    return sum(union.values())


def docker_root(client: "DockerClient") -> Path | None:
    """Where a daemon on this machine keeps its images, None for one elsewhere."""
    with translated("asking the Docker daemon for its folder"):
        root = Path(client.info()["DockerRootDir"])
    is_here = str(client.api.base_url).startswith(("http+docker", "unix"))
    return root if is_here and root.is_dir() else None


def free_bytes(folder: Path) -> int:
    """Bytes that may still be written below a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def expected(wanted: Sequence[Sequence[ImageName]], local: Sequence[Layers]) -> tuple[int, bool]:
    """Bytes that images to be pulled will take, and whether a part of them is assumed.

    ``wanted`` has the places of each image. The first that knows the size is taken; Docker Hub, which counts
    such questions as pulls, is not asked. The others count as much as the ``local`` ones have of their own on average.
    """
    sent: dict[str, int] = {}
    unknown = 0
    registries = Registries()
    unasked = {HUB}  # and those that do not answer: waiting for each image again could take hours
    for places in wanted:
        for place in places:
            if place.registry in unasked:
                continue
            try:
                sent.update(registries.manifest(place).layers)
                break
            except InfrastructureError:
                unasked.add(place.registry)
            except InputError:
                continue  # pulling it will say what is wrong
        else:
            unknown += 1
    registries.close()
    return int(UNPACKED * sum(sent.values())) + unknown * _usual(local), unknown > 0


def _usual(local: Sequence[Layers]) -> int:
    """Bytes of an image that no other has."""
    counts: dict[str, int] = {}
    for image in local:
        for layer in image:
            counts[layer] = counts.get(layer, 0) + 1
    own = [sum(size for layer, size in image.items() if counts[layer] == 1) for image in local]
    return int(mean(own)) if own else UNKNOWN


def require_free(root: Path, need: int, said: str, otherwise: str) -> None:
    """Raise InputError if ``need`` bytes do not fit below ``root``.

    ``said`` names what takes them, ``otherwise`` what to do besides making room.
    """
    free = free_bytes(root)
    if need > free:
        raise InputError(f"{said}, but {root} has {free / GIB:.1f} GiB free: make room, {otherwise}")
