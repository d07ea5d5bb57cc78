"""Where jobs run and images lie: on this machine, or on the nodes of a cluster."""

import os
from collections.abc import Callable, Sized
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self

from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.core.interfaces import Sandbox
from harness.images.git_copy import ImageFinder
from harness.images.supply import AnySandbox, Images, LocalImages
from harness.repo.image_repository import Image

MEMORY_SHARE = 0.8  # of this machine's free memory, for all containers together


class JobSandbox(Sandbox, Protocol):
    """A `Sandbox` whose jobs are counted and can be ended."""

    @property
    def containers(self) -> Sized:
        """Jobs that have a container, or are getting one."""
        ...

    @property
    def turns(self) -> Sized:
        """Of them, those whose last command runs."""
        ...

    @property
    def not_enforced(self) -> tuple[str, ...]:
        """Names of the limits that do not hold in its containers: a part of each verdict's key."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def reap(self) -> int:
        """Remove the containers that an earlier process of the same run left behind; return their number."""
        ...

    def stop(self) -> None:
        """End every job now and begin no other: their callers get `Stopped`."""
        ...


class Executor(Protocol):
    """What an evaluation session needs to know of the machines; the same work gets the same verdicts on all of them."""

    @property
    def images(self) -> Images:
        """The instances' images there."""
        ...

    def workers(self) -> int:
        """Jobs at a time, if the settings do not say."""
        ...

    def sandbox(self, turns: int) -> JobSandbox:
        """What runs the jobs, at most ``turns`` of them at a time."""
        ...

    def repositories(self) -> AbstractContextManager[Callable[[Instance], Image]]:
        """A function that finds an instance's image to read its repository from; it raises InputError."""
        ...


class LocalExecutor:
    """The `Executor` of this machine."""

    def __init__(self, images: LocalImages, evaluation: EvaluationConfig, run: str) -> None:
        """``run`` labels the containers."""
        self.images = images
        self.evaluation = evaluation
        self._run = run

    def workers(self) -> int:
        """As many as this machine's free CPUs and memory hold."""
        return default_workers(self.evaluation)

    def sandbox(self, turns: int) -> AnySandbox:
        """Containers of the engine that the settings name, which says first what it does not enforce."""
        sandbox = self.images.sandbox(self._run, turns)
        sandbox.engine.warn()
        return sandbox

    def repositories(self) -> ImageFinder:
        """This machine's images."""
        return ImageFinder(self.images)


def default_workers(evaluation: EvaluationConfig) -> int:
    """As many containers at a time as the free CPUs and the free memory of this machine hold, each at its limit.

    CPUs count as free beyond the load of the last minute, but half of them always do: load passes.
    """
    cpus = os.cpu_count() or 1
    free_cpus = max(cpus - os.getloadavg()[0], cpus / 2)
    by_memory = int(_free_memory() * MEMORY_SHARE / evaluation.limits().memory_bytes)
    return max(1, min(int(free_cpus / evaluation.cpus), by_memory))


def _free_memory() -> int:
    """Bytes that new processes may have without swapping; all memory if the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
