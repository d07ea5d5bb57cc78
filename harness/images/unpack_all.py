"""Unpacking the images of many instances for a sandbox without an engine, from an engine or from registries."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

from harness.common.progress import Progress
from harness.config.schema import ImagesConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.errors import HarnessError, InfrastructureError, InputError
from harness.images.names import local_names, sources
from harness.images.origins import in_engine, in_registry
from harness.images.pull_all import MEGABYTE, PullResult
from harness.images.registry import Registries
from harness.sandbox.image_folders import ImageFolders

if TYPE_CHECKING:
    from docker import DockerClient


def from_engine(folders: ImageFolders, client: "DockerClient", names: Sequence[ImageName]) -> int:
    """Unpack images that an engine has; how many were not here yet. Raises InfrastructureError."""
    return sum(folders.unpack(str(name), in_engine(client, name)) for name in names)


def from_registries(
    folders: ImageFolders, instances: Sequence[Instance], images: ImagesConfig, progress: Progress
) -> list[PullResult]:
    """Unpack every instance's image without any engine, ``images.pulls`` at a time: one result each, in their order."""
    with progress.passing("unpack", len(instances)) as stage, ThreadPoolExecutor(images.pulls, "unpack") as pool:

        def one(instance: Instance) -> PullResult:
            with stage.running(instance.instance_id):
                result = _unpacked(folders, instance, images)
            stage.count(result.here)
            return result

        return list(pool.map(one, instances))


def _unpacked(folders: ImageFolders, instance: Instance, images: ImagesConfig) -> PullResult:
    name, began = local_names(instance)[-1], time.monotonic()
    if folders.find(str(name)) is not None:
        return PullResult(instance.instance_id, str(name), 0.0, 0.0, here=True)
    failures: list[HarnessError] = []
    with closing(Registries()) as registries:
        for source in sources(name, images, instance):
            try:
                origin = in_registry(registries, source)
                folders.unpack(str(name), origin)
            except HarnessError as error:
                failures.append(error)
            else:
                return PullResult(instance.instance_id, str(name), time.monotonic() - began, origin.size / MEGABYTE)
    said = "; ".join(map(str, failures))
    refused = all(isinstance(error, InputError) for error in failures)
    failure = InputError(said) if refused else InfrastructureError(said)
    return PullResult(instance.instance_id, None, time.monotonic() - began, 0.0, error=failure)
