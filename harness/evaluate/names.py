"""Names of an instance's images: ours, the benchmark's, and where other registries keep them."""

import re
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING

from harness.evaluate.specifications import published_image
from harness.instance import Instance

if TYPE_CHECKING:
    from harness.config import ImagesConfig

HUB = "docker.io"
PLACES = {"instance", "owner", "name"}
PREFIX = re.compile(r"[\w.-]+(:\d+)?(/[\w.-]+)*(:[\w.-]+)?/?", re.ASCII)


@dataclass(frozen=True)
class Reference:
    """An image's name in its parts."""

    registry: str  # host[:port]
    repository: str  # path there, with the hub's unwritten "library/"
    version: str  # tag, or "sha256:..."


def built_name(instance_id: str) -> str:
    """Name of the image that the project builds for an instance."""
    return f"harness/sweb.eval.x86_64.{instance_id.lower()}:latest"


def local_names(instance: Instance) -> list[str]:
    """Under which names an instance's image may be here, best first; the last is the one that is pulled.

    A row that names an image has that one and no other; a classic row has our built one or else the official one.
    """
    ours = [built_name(instance.instance_id), published_image(instance.instance_id)]
    return [instance.image] if instance.image else ours


def sources(name: str, images: "ImagesConfig", instance: Instance | None = None) -> list[str]:
    """Where to pull the image ``name`` from, in the order to try: the mirror, its own registry, the other registries.

    Other registries hold images of instances only.
    """
    found = [name]
    reference = parse(name)
    if images.mirror and reference.registry == HUB:
        found.insert(0, f"{images.mirror.rstrip('/')}/{reference.repository}{_ending(reference.version)}")
    if instance:
        found += [_elsewhere(name, registry, instance) for registry in images.registries]
    return list(dict.fromkeys(found))


def _elsewhere(name: str, registry: str, instance: Instance) -> str:
    if "{" not in registry:
        return f"{registry.rstrip('/')}/{name.rpartition('/')[2]}"
    instance_id = instance.instance_id.lower()
    owner, _, rest = instance_id.partition("__")
    return registry.format(instance=instance_id, owner=owner, name=rest)


def parse(name: str) -> Reference:
    """The parts of an image's name, as Docker reads it: a tag that is not given is ``latest``."""
    path, at, digest = name.partition("@")
    head, slash, rest = path.partition("/")
    is_host = bool(slash) and ("." in head or ":" in head or head == "localhost")
    registry, path = (head, rest) if is_host else (HUB, path)
    path, _, tag = path.partition(":")
    if registry == HUB and "/" not in path:
        path = f"library/{path}"
    return Reference(registry, path, digest if at else tag or "latest")


def pinned(name: str, digest: str) -> str:
    """The same image by its digest instead of its tag."""
    path = name.partition("@")[0]
    head, _, last = path.rpartition("/")
    return "/".join(filter(None, (head, last.partition(":")[0]))) + f"@{digest}"


def _ending(version: str) -> str:
    return f"@{version}" if version.startswith("sha256:") else f":{version}"


def check_registry(registry: str) -> None:
    """Raises ValueError for what can't stand before an image's name, or has a place that nothing fills."""
    try:
        places = {place for _, place, _, _ in Formatter().parse(registry) if place is not None}
    except ValueError as error:
        raise ValueError(f"{registry}: {error}") from error
    if unknown := places - PLACES:
        raise ValueError(f"{registry}: no place {{{min(unknown)}}}; there are {{instance}}, {{owner}} and {{name}}")
    if not PREFIX.fullmatch(registry.format(**dict.fromkeys(PLACES, "x"))):
        raise ValueError(f"{registry}: a registry is host[:port][/path], without a scheme such as https://")
