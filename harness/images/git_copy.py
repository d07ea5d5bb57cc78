"""The repository inside an instance's image, copied out of it without starting it."""

import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from harness.common.docker_client import RUN_LABEL, connect, translated
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.errors import InputError
from harness.images.provider import ImageSupply

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

        Raises InputError where the image has no repository there, InfrastructureError where Docker fails.
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
    """Finds instances' images; asks for Docker only when the first is looked for."""

    def __init__(self, evaluation: EvaluationConfig) -> None:
        """``evaluation`` says where images may come from, and the budget that they are kept within."""
        # tests are still to come: what only a build would bring back has to stay
        images = evaluation.images.model_copy(update={"evict_built": False})
        self._evaluation = evaluation.model_copy(update={"images": images})
        self._client: DockerClient | None = None
        self._supply: ImageSupply | None = None
        self._last: Instance | None = None

    def __call__(self, instance: Instance) -> DockerImage:
        """The instance's image; the one before may go. Raises InputError where there is none, or no Docker."""
        self._client = self._client or connect()
        self._supply = self._supply or ImageSupply(self._client, self._evaluation)
        if self._last and self._supply.on_demand:
            self._supply.finish(self._last)
        self._last = instance
        image = self._supply.obtain(instance)
        return DockerImage(self._client, image.name, image.digest)

    def close(self) -> None:
        """Close the connections."""
        if self._client:
            self._client.close()
