"""What the parts of a run ask of images, wherever these lie."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Protocol

from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.repo.image_repository import Image
from harness.sandbox.apptainer import ApptainerSandbox
from harness.sandbox.docker import DockerSandbox
from harness.sandbox.left_over import LeftOver

AnySandbox = DockerSandbox | ApptainerSandbox


@dataclass(frozen=True)
class LocalImage:
    """An instance's image on one machine."""

    name: ImageName
    digest: str  # content id, "sha256:..."


class Images(Protocol):
    """Images of instances when they are wanted, wherever they lie."""

    on_demand: bool

    def find(self, instance: Instance) -> LocalImage | None:
        """The instance's image, if it is there."""
        ...

    def wanted(self, instance: Instance) -> ImageName:
        """Name that it is pulled under. Raises InputError if it may not be pulled."""
        ...

    def obtain(self, instance: Instance) -> LocalImage:
        """The instance's image, which is there now."""
        ...

    def hold(self, instance: Instance) -> AbstractContextManager[LocalImage]:
        """The same, which stays for the block."""
        ...

    def finish(self, instance: Instance) -> None:
        """Nothing more is wanted of it."""
        ...

    def settle(self) -> None:
        """Every container is gone."""
        ...

    def close(self) -> None:
        """End the pulls under way."""
        ...


class LocalRepository(Image, Protocol):
    """An image of this machine as a place to read its repository from."""

    def git_archive(self) -> AbstractContextManager[IO[bytes]]:
        """The repository as a tar archive, for the block."""
        ...


class LocalImages(Images, Protocol):
    """Those of this machine: an engine's (`ImageProvider`), or unpacked ones (`UnpackedImages`)."""

    def repository(self, image: LocalImage) -> LocalRepository:
        """An image that is there, to read its repository from."""
        ...

    def size(self, images: Collection[LocalImage]) -> int | None:
        """Bytes that they take together; None if that is not known without reading all of them."""
        ...

    def sandbox(self, run: str, turns: int) -> AnySandbox:
        """What runs containers over them."""
        ...

    def not_enforced(self) -> tuple[str, ...]:
        """Names of the limits that do not hold in these."""
        ...

    def left_over(self, run: str) -> LeftOver:
        """What jobs of that run have on this machine."""
        ...
