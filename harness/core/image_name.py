"""The grammar of an image's name: registry, repository, tag or digest."""

import re
from dataclasses import dataclass
from string import Formatter

HUB = "docker.io"
PLACES = {"instance", "owner", "name"}
PREFIX = re.compile(r"[\w.-]+(:\d+)?(/[\w.-]+)*(:[\w.-]+)?/?", re.ASCII)


@dataclass(frozen=True)
class ImageName:
    """An image's name in its parts."""

    registry: str  # host[:port]
    repository: str  # path there, with the hub's unwritten "library/"
    version: str  # tag, or "sha256:..."


def parse(name: str) -> ImageName:
    """The parts of an image's name, as Docker reads it: a tag that is not given is ``latest``."""
    path, at, digest = name.partition("@")
    head, slash, rest = path.partition("/")
    is_host = bool(slash) and ("." in head or ":" in head or head == "localhost")
    registry, path = (head, rest) if is_host else (HUB, path)
    path, _, tag = path.partition(":")
    if registry == HUB and "/" not in path:
        path = f"library/{path}"
    return ImageName(registry, path, digest if at else tag or "latest")


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
