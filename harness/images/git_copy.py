"""The repository inside an instance's image, copied out of it without starting it."""

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from harness.common.docker_client import RUN_LABEL, translated
from harness.core.instance import Instance
from harness.errors import InputError
from harness.images.supply import LocalImages
from harness.repo.image_repository import Image

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
        with self.git_archive() as archive:
            return extract_git(archive, folder, self.name)

    @contextmanager
    def git_archive(self) -> Iterator[IO[bytes]]:
        """The image's ``/testbed/.git`` as a tar archive, for the block. Raises as `unpack_git` does."""
        with tempfile.TemporaryFile() as archive:
            self._copy(archive)
            archive.seek(0)
            yield archive

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


def extract_git(archive: IO[bytes], folder: Path, image: str) -> Path:
    """Put the repository in a tar archive below ``folder`` and give its path; ``image`` is the one it comes from.

    Raises InputError if there is none in it.
    """
    with tarfile.open(fileobj=archive) as files:
        files.extractall(folder, filter="data")
    if not (folder / ".git" / "HEAD").is_file():
        raise InputError(f"image {image}: {REPOSITORY} is not a repository")
    # objects are not to be looked for where an image says that this machine has some
    (folder / ".git" / "objects" / "info" / "alternates").unlink(missing_ok=True)
    return folder / ".git"


@dataclass(frozen=True)
class UnpackedImage:
    """An instance's image whose files lie in a folder."""

    root: Path
    name: str
    digest: str

    def unpack_git(self, folder: Path) -> Path:
        """As `DockerImage.unpack_git`."""
        source = self.root / REPOSITORY.lstrip("/")
        if not (source / "HEAD").is_file():
            raise InputError(f"image {self.name} holds no {REPOSITORY}")
        shutil.copytree(source, folder / ".git", symlinks=True)
        (folder / ".git" / "objects" / "info" / "alternates").unlink(missing_ok=True)
        return folder / ".git"

    @contextmanager
    def git_archive(self) -> Iterator[IO[bytes]]:
        """As `DockerImage.git_archive`."""
        source = self.root / REPOSITORY.lstrip("/")
        if not source.is_dir():
            raise InputError(f"image {self.name} holds no {REPOSITORY}")
        with tempfile.TemporaryFile() as archive:
            with tarfile.open(fileobj=archive, mode="w") as files:
                files.add(source, ".git")
            archive.seek(0)
            yield archive


class ImageFinder:
    """Finds instances' images and keeps the one that it found last. Leave it when done.

    Under a budget the others may go, but they are not finished: tests are still to come.
    """

    def __init__(self, images: LocalImages) -> None:
        self._images = images
        self._last = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._last.close()

    def __call__(self, instance: Instance) -> Image:
        """The instance's image; the one before may go. Raises InputError if there is none."""
        self._last.close()
        image = self._last.enter_context(self._images.hold(instance))
        return self._images.repository(image)
