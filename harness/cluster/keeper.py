"""The one actor of a node: its images within its own budget, and the containers of tasks that were killed."""

import logging
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

import ray

from harness import __version__
from harness.cluster.values import CONDUCTOR, Brought, Failed, Opened
from harness.common.once import Once
from harness.config.schema import EvaluationConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.core.machine_platform import own_platform
from harness.errors import HarnessError, InfrastructureError
from harness.grading.job import protocol
from harness.grading.log_grading import grader_version
from harness.images.open_images import open_images
from harness.images.supply import LocalImage, LocalImages
from harness.sandbox.left_over import NODE_LABEL, TOKEN_LABEL, Chosen

log = logging.getLogger(__name__)

BRINGING = "bringing"  # the threads that wait for images, so that they hold up nothing else
LOOK_SECONDS = 0.5  # between two looks at whether the processes of the jobs under way are alive
PIECE = 4 << 20  # bytes of a repository that travel at a time


def code_version() -> str:
    """What must be the same on all machines of a run: a verdict must not depend on where it was made."""
    return f"{__version__} {own_platform()} {protocol()} {grader_version()}"


@dataclass
class _Held:
    """A job that was sent here."""

    hold: ExitStack = field(default_factory=ExitStack)  # what keeps its image here
    image: LocalImage | None = None
    pid: int | None = None  # of the process that runs it; None: it has not begun
    began: float = 0.0


class Keeper:
    """An actor with several threads, so that one pull holds nobody up."""

    def __init__(self, node: str, run: str, evaluation: EvaluationConfig) -> None:
        """``run`` is the label of the run's containers."""
        self._node = node
        self._run = run
        self._evaluation = evaluation
        self._conductor: Any = ray.get_actor(CONDUCTOR)
        self._held: dict[str, _Held] = {}  # by token
        self._over: set[str] = set()  # tokens of jobs that were forgotten and may still be on their way
        self._here: dict[str, LocalImage] = {}  # by instance id, of images that stay
        self._pulls: Once[LocalImage] = Once(lambda _: None)
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._opened: LocalImages | None = None
        self._until_closed = ExitStack()

    def open(self, alive: Collection[str], instances: Sequence[Instance]) -> Opened | Failed:
        """Reap what earlier processes left here; returns what the driver has to know of the node.

        ``alive`` has the ids of the cluster's nodes: several of them may share one Docker daemon.
        """
        try:
            images: LocalImages = self._until_closed.enter_context(open_images(self._evaluation))
            self._opened, missing = images, images.not_enforced()
            self.reap(alive)
            threading.Thread(target=self._watch, name="watch", daemon=True).start()
            found = {i.instance_id: image for i in instances if (image := self._images.find(i))}
        except HarnessError as error:
            return Failed.of(error)
        self._tell(*found.values())
        return Opened(code_version(), missing, found)

    @property
    def _images(self) -> LocalImages:
        assert self._opened is not None, "a keeper is opened before it is asked for anything"
        return self._opened

    def _tell(self, *images: LocalImage) -> None:
        self._conductor.has.remote(self._node, {str(image.name): image.digest for image in images})

    @ray.method(concurrency_group=BRINGING)  # type: ignore[untyped-decorator]
    def bring(self, token: str, instance: Instance, digest: str | None) -> Brought:
        """A job is sent here: its image, brought here if need be, which stays until `end`."""
        return Brought(self._node, self._held_for(token, instance, digest))

    def begin(self, token: str, pid: int, instance: Instance, digest: str | None) -> LocalImage | Failed:
        """A task of this node begins: the same, at once if the job was sent here and its image was brought."""
        image = self._held_for(token, instance, digest)
        with self._lock:
            if held := self._held.get(token):
                held.pid, held.began = pid, time.monotonic()
        return image

    def _held_for(self, token: str, instance: Instance, digest: str | None) -> LocalImage | Failed:
        with self._opening:
            if self._opened is None and isinstance(opened := self.open((), ()), Failed):  # Ray started it anew
                return opened
        with self._lock:
            if token in self._over:
                self._over.remove(token)
                return Failed("the job is over", "stopped")
            held = self._held.setdefault(token, _Held())
        if held.image:
            return held.image
        image = self._hold(instance, held.hold)
        if isinstance(image, LocalImage) and digest not in (None, image.digest):
            image = Failed(f"image {image.name} is {image.digest} here, not {digest}")
        if isinstance(image, Failed):
            self.end(token)
            return image
        with self._lock:
            held.image = image
            wanted = self._held.get(token) is held
        if not wanted:  # it ended meanwhile
            held.hold.close()
        return image

    def wanted(self, instance: Instance) -> ImageName | Failed:
        """Name that the instance's image comes under here."""
        try:
            return self._images.wanted(instance)
        except HarnessError as error:
            return Failed.of(error)

    @ray.method(concurrency_group=BRINGING)  # type: ignore[untyped-decorator]
    def obtain(self, instance: Instance) -> LocalImage | Failed:
        """The instance's image, which is on this node now."""
        with ExitStack() as held:
            return self._hold(instance, held)

    def _hold(self, instance: Instance, held: ExitStack) -> LocalImage | Failed:
        try:
            if not self._evaluation.image_budget and instance.instance_id in self._here:
                return self._here[instance.instance_id]
            if self._images.find(instance) is None:
                self._pulls.get(instance.instance_id, lambda: self._pulled(instance))
            image = self._here[instance.instance_id] = held.enter_context(self._images.hold(instance))
            return image
        except HarnessError as error:
            return Failed.of(error)

    def _pulled(self, instance: Instance) -> LocalImage:
        """Pull an image, when it is this node's turn: not every node asks the registry for it at once."""
        name = str(self._images.wanted(instance))
        ray.get(self._conductor.pull.remote(self._node, name))
        try:
            image = self._images.obtain(instance)
            self._tell(image)
            return image
        finally:
            self._conductor.pulled.remote(self._node, name)

    def end(self, token: str) -> None:
        """A job is over: its image may go."""
        with self._lock:
            held = self._held.pop(token, None)
        if held:
            held.hold.close()

    def forget(self, token: str) -> None:
        """A job that was sent here is not wanted any more; one that has begun stays until its process has ended."""
        with self._lock:
            held = self._held.get(token)
            if held is None:
                self._over.add(token)
        if held and held.pid is None:
            self.end(token)

    def finish(self, instance: Instance) -> None:
        """Nothing more is wanted of the instance's image: under a budget it may go."""
        with suppress(InfrastructureError):
            self._images.finish(instance)

    def git(self, instance: Instance) -> Iterator[bytes | Failed]:
        """The repository of the instance's image as a tar archive, in pieces; or, as the last one, why it ended."""
        with ExitStack() as held:
            image = self._hold(instance, held)
            if isinstance(image, Failed):
                yield image
                return
            try:
                archive = held.enter_context(self._images.repository(image).git_archive())
            except HarnessError as error:
                yield Failed.of(error)
                return
            yield from _pieces(archive)

    def reap(self, alive: Collection[str] = ()) -> int:
        """Remove the run's containers of this node, and with ``alive`` also those of nodes that are no more.

        Those of jobs under way stay. Returns their number.
        """
        with self._lock:
            going = set(self._held)
        return self._remove(lambda labels: _ours(labels, self._node, going, alive))

    def stop(self) -> int:
        """Remove the containers of this node, those of jobs under way included; returns their number."""
        return self._remove(lambda labels: labels.get(NODE_LABEL) == self._node)

    def close(self) -> None:
        """Every job is over: no container stays, and what they kept of images may go as well."""
        self.stop()
        self._images.settle()
        self._until_closed.close()

    def _remove(self, chosen: Chosen) -> int:
        return self._images.left_over(self._run).remove(chosen)

    def _watch(self) -> None:
        """Tell what runs here. Take away the containers of tasks that were killed, and let their images go."""
        told: set[str] = set()
        while True:
            time.sleep(LOOK_SECONDS)
            with self._lock:
                running = {token: held for token, held in self._held.items() if held.pid is not None}
                now = time.monotonic()
            if running or told:
                self._conductor.runs.remote(self._node, {token: now - held.began for token, held in running.items()})
            told = set(running)
            for token in (token for token, held in running.items() if held.pid and not _lives(held.pid)):
                try:
                    self._remove(partial(_of_token, token))
                    self.end(token)
                except InfrastructureError as error:
                    log.warning("%s; trying again", error)


def _ours(labels: Mapping[str, str], node: str, going: Collection[str], alive: Collection[str]) -> bool:
    """Whether a container is this node's, or that of a node that is no more, and of no job under way."""
    began = labels.get(NODE_LABEL)
    return labels.get(TOKEN_LABEL) not in going and (began == node or bool(alive and began not in alive))


def _of_token(token: str, labels: Mapping[str, str]) -> bool:
    return labels.get(TOKEN_LABEL) == token


def _lives(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece
