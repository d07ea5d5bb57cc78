"""The grammar of an image's name: registry, repository, tag or digest."""

import re
from dataclasses import dataclass, field
from string import Formatter
from typing import Self

HUB = "docker.io"
HUB_HOSTS = ("", HUB, "index.docker.io")  # as names begin that mean the hub
OFFICIAL = "library"  # path of the images on the hub that belong to no owner
NO_OWNER = re.compile("[.:A-Z]")  # in what begins a name: then it is a host
PLACES = {"instance", "owner", "name"}
PREFIX = re.compile(r"[\w.-]+(:\d+)?(/[\w.-]+)*(:[\w.-]+)?/?", re.ASCII)


@dataclass(frozen=True)
class ImageName:
    """An image's name in its parts. Two ways to write a name are equal; ``str`` returns it as it was written."""

    registry: str  # host[:port]
    repository: str  # path there, with the hub's unwritten "library/"
    version: str  # tag, or "sha256:..."
    written: str = field(default="", compare=False, repr=False)  # the text that it was read from, if any

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a name as Docker does: an unwritten tag is ``latest``, and a tag beside a digest has no meaning.

        What is no name is kept as it is written; Docker says what is wrong with it.
        """
        path, at, digest = text.partition("@")
        host = _host(path)
        registry = HUB if host in HUB_HOSTS else host
        path, _, tag = path.removeprefix(f"{host}/").partition(":")
        if registry == HUB and "/" not in path:
            path = f"{OFFICIAL}/{path}"
        return cls(registry, path, digest if at else tag or "latest", text)

    def __str__(self) -> str:
        return self.written or f"{self.familiar}{self._ending}"

    @property
    def by_digest(self) -> bool:
        """Whether the version is a digest: no tag holds a colon."""
        return ":" in self.version

    @property
    def familiar(self) -> str:
        """The name without its version, as short as Docker writes it: ``python``, ``swebench/a``, ``ghcr.io/a/b``."""
        owner, _, rest = self.repository.partition("/")
        short = rest if owner == OFFICIAL and "/" not in rest else self.repository
        return short if self.registry == HUB and not _host(short) else f"{self.registry}/{self.repository}"

    @property
    def path(self) -> str:
        """The name without its registry: ``library/python:3.9``."""
        return f"{self.repository}{self._ending}"

    @property
    def last(self) -> str:
        """The last part of the path, with the version: ``python:3.9``."""
        return self.path.rpartition("/")[2]

    @property
    def _ending(self) -> str:
        return f"@{self.version}" if self.by_digest else f":{self.version}"

    def pinned(self, digest: str) -> "ImageName":
        """The same image by its digest instead of its tag."""
        return ImageName(self.registry, self.repository, digest)


def _host(path: str) -> str:
    """The registry that a name begins with, empty if it begins with none."""
    head, slash, _ = path.partition("/")
    return head if slash and (head == "localhost" or NO_OWNER.search(head)) else ""


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
