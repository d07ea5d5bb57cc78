"""Snapshots out of an image's own repository; the image is a folder here, a real one in the integration tests."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.repo.image_repository import ImageRepository


@dataclass
class FolderImage:
    source: Path
    digest: str = "sha256:" + "1" * 64
    opened: int = 0

    def unpack_git(self, folder: Path) -> Path:
        self.opened += 1
        return Path(shutil.copytree(self.source / ".git", folder / ".git"))


def commit(folder: Path, text: str) -> None:
    (folder / "a.py").write_text(text)
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for arguments in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "x")):
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


@pytest.fixture
def image(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    commit(source, "x = 0\n")
    commit(source, "x = 1\n")
    return FolderImage(source)


def test_what_is_checked_out_is_taken_over_once_without_its_history(image, instance, tmp_path):
    with ImageRepository(tmp_path / "images", lambda _: image) as repository:
        snapshot = repository.snapshot(instance)
        assert snapshot.read("a.py") == b"x = 1\n"
        assert snapshot.check_applies(instance.patch) == ""
        assert repository.snapshot(instance).commit == snapshot.commit
        assert repository.find(instance.repo).git("rev-list", "--count", snapshot.commit) == "1"
    with ImageRepository(tmp_path / "images", lambda _: image) as later:
        assert later.snapshot(instance).read("a.py") == b"x = 1\n"
    assert image.opened == 1


def test_a_changed_image_is_another_snapshot(image, instance, tmp_path):
    with ImageRepository(tmp_path / "images", lambda _: image) as repository:
        repository.snapshot(instance)
        commit(image.source, "x = 2\n")
        image.digest = "sha256:" + "2" * 64
        assert repository.snapshot(instance).read("a.py") == b"x = 2\n"
    assert image.opened == 2


def test_no_image(instance, tmp_path):
    def none(_):
        raise InputError("no image on this machine")

    with ImageRepository(tmp_path / "images", none) as repository, pytest.raises(InputError, match="no image"):
        repository.snapshot(instance)
