"""A disk budget for instances' images: those of finished instances go first, the least recently used of them first."""

import logging
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from harness.common.docker_client import translated
from harness.errors import InfrastructureError
from harness.images.disk import GIB, Layers, image_layers, together
from harness.images.inventory import KIND_LABEL
from harness.images.pull import digests, find

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

log = logging.getLogger(__name__)


class Budget:
    """Keeps the images that it is told of within so many bytes, as far as those of finished instances go.

    Only what can be had again is removed: images that a registry gave; those built here only where ``built`` says so.
    Nothing is forced: what a container uses, or another name holds, stays. Safe for threads.
    """

    def __init__(self, client: "DockerClient", limit: float, built: bool = False) -> None:
        """``limit`` in bytes, layers that several of the images share counted once."""
        self._client = client
        self._limit = limit
        self._built = built
        self._lock = threading.Lock()
        self._sizes: dict[str, Layers] = {}  # by name, the least recently used first
        self._finished: set[str] = set()
        self._warned = False

    def use(self, name: str) -> None:
        """The image is wanted now."""
        with self._lock:
            self._finished.discard(name)
            known = self._sizes.pop(name) if name in self._sizes else image_layers(self._client, name)
            self._sizes[name] = known
            self._keep()

    def finish(self, name: str) -> None:
        """Nothing more is wanted of the image for now."""
        with self._lock:
            if name in self._sizes:
                self._finished.add(name)
                self._keep()

    def settle(self) -> None:
        """Try again to remove what containers that were just going may have held."""
        with self._lock:
            self._keep()

    def _keep(self) -> None:
        for name in [name for name in self._sizes if name in self._finished]:
            if self._used() <= self._limit:
                return
            if self._evict(name):
                del self._sizes[name]
                self._finished.remove(name)
        wanted = together(sizes for name, sizes in self._sizes.items() if name not in self._finished)
        if wanted > self._limit and not self._warned:
            self._warned = True
            log.warning(
                "images that are still wanted take %.2f GiB, more than the budget of %.2f GiB: going on",
                wanted / GIB,
                self._limit / GIB,
            )

    def _used(self) -> int:
        return together(self._sizes.values())

    def _evict(self, name: str) -> bool:
        """Remove the names that the image has from its registries, and with the last of them the image."""
        try:
            image = find(self._client, name)
            if image is None:
                return True
            if not digests(image) and not (self._built and image.labels.get(KIND_LABEL) == "instance"):
                return False
            return self._remove(image, name)
        except InfrastructureError as error:
            log.warning("image %s stays: %s", name, error)
            return False

    def _remove(self, image: "Image", name: str) -> bool:
        from docker.errors import APIError, ImageNotFound

        sources = {digest.partition("@")[0] for digest in digests(image)}
        names = [tag for tag in image.tags if tag == name or tag.rpartition(":")[0] in sources]
        if len(names) < len(image.tags):
            return False  # somebody gave it a name of their own
        for known in (*names, *digests(image)):
            with translated(f"removing image {known}"), suppress(ImageNotFound):
                try:
                    self._client.images.remove(known)
                except APIError as error:
                    if error.status_code != HTTPStatus.CONFLICT:
                        raise
                    return False  # a container uses it
        log.info("image %s went: its instance is finished", name)
        return True
