"""A disk budget for instances' images: those of finished instances go first, the least recently used of them first."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from statistics import mean
from typing import TYPE_CHECKING

from harness.common.docker_client import translated
from harness.core.image_name import ImageName
from harness.errors import InfrastructureError
from harness.images.disk import GIB, Layers, image_layers, together
from harness.images.inventory import KIND_LABEL
from harness.images.pull import digests, find
from harness.images.saved_images import SavedImages

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

log = logging.getLogger(__name__)

GOING_SECONDS = 0.1  # between tries to remove images that containers still use
GOING_TRIES = 50


class Budget:
    """Keeps the images that it knows of within so many bytes, as far as those without work at hand go.

    Images of finished instances go first. Only what can be had again is removed: images that a registry gave or that
    are saved; those built here only if ``built`` says so and their instances are finished. Nothing is forced: what a
    container uses, or another name holds, stays. Safe for threads.
    """

    def __init__(
        self,
        client: "DockerClient",
        limit: float,
        built: bool = False,
        again: bool = False,
        saved: SavedImages | None = None,
    ) -> None:
        """``limit`` in bytes, layers that several of the images share counted once.

        ``again`` says that whoever needs an image brings it again: unfinished instances' images may go as well.
        """
        self._client = client
        self._limit = limit
        self._built = built
        self._again = again
        self._saved = saved
        self._lock = threading.Lock()
        self._sizes: dict[ImageName, Layers] = {}  # by name, the least recently used first
        self._held: Counter[ImageName] = Counter()
        self._finished: set[ImageName] = set()
        self._arrived: set[ImageName] = set()  # pulled, and not yet taken by whoever pulled them
        self._coming = 0  # pulls under way
        self._added: list[int] = []  # bytes that each image brought to those that were here
        self._warned = False
        self._in_use = False  # whether a container kept the image that was to go last
        self._stuck: set[ImageName] = set()  # images whose containers did not go when they were waited for

    def take(self, name: ImageName) -> bool:
        """The image is wanted now and stays until `leave`. False, and nothing is taken, if it is gone."""
        with self._lock:
            if name not in self._sizes and find(self._client, str(name)) is None:
                return False
            self._held[name] += 1
            self._finished.discard(name)
            self._arrived.discard(name)
            self._know(name)
            self._keep()
            return True

    def leave(self, name: ImageName) -> None:
        """What the image was taken for is over; it goes only when its room is needed."""
        with self._lock:
            self._held[name] -= 1
            self._know(name)

    def finish(self, name: ImageName) -> None:
        """Nothing more is wanted of the image for now."""
        with self._lock:
            if name in self._sizes:
                self._finished.add(name)
                self._keep()

    def settle(self) -> None:
        """Try again to remove what containers that were just going may have held."""
        with self._lock:
            self._keep()

    @contextmanager
    def room(self, name: ImageName) -> Iterator[None]:
        """Room for the image while it comes, which is taken to be as large as those before it were on average."""
        with self._lock:
            self._coming += 1
        came = False
        try:
            self._make_room()
            yield
            came = True
        finally:
            with self._lock:
                self._coming -= 1
                if came and find(self._client, str(name)):
                    self._arrived.add(name)
                    self._know(name)

    def _make_room(self) -> None:
        """Remove until there is room, or nothing can go; containers of jobs that ended take a moment to be gone."""
        used: ImageName | None = None
        for _ in range(GOING_TRIES):
            with self._lock:
                used = self._keep(patient=True)
            if used is None:
                return
            time.sleep(GOING_SECONDS)
        with self._lock:
            if used:
                self._stuck.add(used)
            self._keep()

    def _know(self, name: ImageName) -> None:
        """The image is here, and the most recently used one."""
        if name in self._sizes:
            self._sizes[name] = self._sizes.pop(name)
            return
        layers, before = image_layers(self._client, str(name)), together(self._sizes.values())
        if before:  # the first brings what all share
            self._added.append(together([*self._sizes.values(), layers]) - before)
        self._sizes[name] = layers

    def _leaving(self) -> list[ImageName]:
        """Names of the images that may go, those of finished instances first, the least recently used of them first."""
        idle = [name for name in self._sizes if not self._held[name] and name not in self._arrived]
        finished = [name for name in idle if name in self._finished]
        return finished + [name for name in idle if name not in self._finished] if self._again else finished

    def _fits(self) -> bool:
        coming = self._coming * mean(self._added) if self._added else 0
        return together(self._sizes.values()) + coming <= self._limit

    def _keep(self, patient: bool = False) -> ImageName | None:
        """Remove until the rest fits; if ``patient``, no further than to an image that a container uses: its name."""
        for name in self._leaving():
            if self._fits():
                return None
            self._in_use = False
            if self._evict(name):
                del self._sizes[name]
                self._finished.discard(name)
            elif patient and self._in_use and name not in self._stuck:
                return name
        self._tell_of_the_rest()
        return None

    def _tell_of_the_rest(self) -> None:
        stay = self._sizes.keys() - set(self._leaving())
        wanted = together(self._sizes[name] for name in stay)
        if wanted > self._limit and not self._warned:
            self._warned = True
            log.warning(
                "images that are still wanted take %.2f GiB, more than the budget of %.2f GiB: going on",
                wanted / GIB,
                self._limit / GIB,
            )

    def _evict(self, name: ImageName) -> bool:
        """Remove the names that the image has from its registries, and with the last of them the image."""
        try:
            image = find(self._client, str(name))
            if image is None:
                return True
            if not digests(image) and not self._is_saved(image, name) and not self._may_go_built(image, name):
                return False
            return self._remove(image, name)
        except InfrastructureError as error:
            log.warning("image %s stays: %s", name, error)
            return False

    def _is_saved(self, image: "Image", name: ImageName) -> bool:
        saved = self._saved.find(name) if self._saved else None
        return saved is not None and saved.digest == image.id

    def _may_go_built(self, image: "Image", name: ImageName) -> bool:
        return self._built and name in self._finished and image.labels.get(KIND_LABEL) == "instance"

    def _remove(self, image: "Image", name: ImageName) -> bool:
        from docker.errors import APIError, ImageNotFound

        origins = {known.familiar for known in digests(image)}
        names = [ImageName.parse(tag) for tag in image.tags]
        if any(known != name and known.familiar not in origins for known in names):
            return False  # somebody gave it a name of their own
        for known in map(str, (*names, *digests(image))):
            with translated(f"removing image {known}"), suppress(ImageNotFound):
                try:
                    self._client.images.remove(known)
                except APIError as error:
                    if error.status_code != HTTPStatus.CONFLICT:
                        raise
                    self._in_use = True
                    return False
        log.info("image %s went", name)
        return True
