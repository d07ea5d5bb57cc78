"""The repository inside an instance's image, copied out of it without starting it."""

import tarfile
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from harness.common.docker_client import RUN_LABEL, translated
from harness.core.instance import Instance
from harness.errors import InputError
from harness.images.provider import ImageProvider

if TYPE_CHECKING:
    from docker import DockerClient

REPOSITORY = "/testbed/.git"


@dataclass(frozen=True)
class DockerImage:
    """An instance's image on this machine."""

    client: "DockerClient"
    name: str
    digest: str

    def unpack_git(self, folder: Path) -> Path:
        """Put a copy of the image's ``/testbed/.git`` below ``folder`` and give its path.

        Raises InputError if the image has no repository there, InfrastructureError if Docker fails.
        """
        with tempfile.TemporaryFile() as archive:
            self._copy(archive)
            archive.seek(0)
            with tarfile.open(fileobj=archive) as files:
                files.extractall(folder, filter="data")
        if not (folder / ".git" / "HEAD").is_file():
            raise InputError(f"image {self.name}: {REPOSITORY} is not a repository")
        # objects are not to be looked for where an image says that this machine has some
        (folder / ".git" / "objects" / "info" / "alternates").unlink(missing_ok=True)
        return folder / ".git"

    def _copy(self, archive: IO[bytes]) -> None:
        from docker.errors import NotFound

        with translated(f"reading {REPOSITORY} of image {self.name}"):
            container = self.client.containers.create(self.name, ["true"], labels={RUN_LABEL: "checkout"})
            try:
                chunks, _ = container.get_archive(REPOSITORY)
                for chunk in chunks:
                    archive.write(chunk)
            except NotFound as error:
                raise InputError(f"image {self.name} holds no {REPOSITORY}") from error
            finally:
                container.remove(force=True)


class ImageFinder:
    """Finds instances' images and keeps the one that it found last. Leave it when done.

    Under a budget the others may go, but they are not finished: tests are still to come.
    """

    def __init__(self, images: ImageProvider) -> None:
        self._images = images
        self._last = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._last.close()

    def __call__(self, instance: Instance) -> DockerImage:
        """The instance's image; the one before may go. Raises InputError if there is none."""
        self._last.close()
        image = self._last.enter_context(self._images.hold(instance))
        return DockerImage(self._images.client, str(image.name), image.digest)
