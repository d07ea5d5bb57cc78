"""The `Repository` of instances of which only the image is at hand: the files come out of its own ``/testbed/.git``."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.repo.mirror import BareRepository
from harness.repo.snapshot import REFERENCES, BareRepositories, GitSnapshot, project_path


class Image(Protocol):
    """An instance's image."""

    @property
    def digest(self) -> str:
        """Its content id, "sha256:..."."""
        ...

    def unpack_git(self, folder: Path) -> Path:
        """Put a copy of its repository below ``folder`` and return its path. Raises InputError if it has none."""
        ...


class ImageRepository(BareRepositories):
    """The `Repository` of the instances' images. Each image is opened once; what it holds is kept by its content."""

    def __init__(self, folder: Path, image: Callable[[Instance], Image]) -> None:
        """``image`` finds an instance's image; it raises InputError if there is none."""
        super().__init__(folder)
        self._image = image

    def snapshot(self, instance: Instance) -> Snapshot:
        """The state that the image has checked out. Raises InputError if no image holds one.

        Its commit alone is taken over: the history of an image may hold the fix.
        """
        image = self._image(instance)
        reference = f"{REFERENCES}/{instance.instance_id}/{image.digest.removeprefix('sha256:')}"
        repository = self.find(instance.repo)
        commit = repository and repository.resolve(reference)
        if not repository or not commit:
            repository = BareRepository.create(project_path(self.folder, instance.repo))
            with tempfile.TemporaryDirectory() as scratch:
                repository.fetch_head(image.unpack_git(Path(scratch)), reference)
            repository = self.find(instance.repo) or repository
            commit = repository.resolve(reference) or ""
        return GitSnapshot(repository, commit)
