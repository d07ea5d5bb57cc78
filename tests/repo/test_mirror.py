import os
import subprocess
from pathlib import Path

import pytest

from harness.errors import InfrastructureError, PatchError
from harness.repo.mirror import BareRepository

CHANGE = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
ADDITION = "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+y = 1\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "bin").mkdir(parents=True)
    (folder / "a.py").write_text("x = 2\n")
    (folder / "new.py").write_text("y = 1\n")
    (folder / "bin/run").write_text("#!/bin/sh\n")
    (folder / "bin/run").chmod(0o755)
    (folder / "link").symlink_to("a.py")
    (folder / ".gitignore").write_text("*.log\n")
    (folder / "kept.log").write_text("kept\n")
    return folder


@pytest.fixture
def repository(tmp_path: Path):
    with BareRepository.create(tmp_path / "bare.git") as repository:
        yield repository


def test_a_commit_keeps_modes_links_and_ignored_files(repository, folder):
    entries = repository.entries(repository.commit_folder(folder))
    modes = {path: entry.mode for path, entry in entries.items()}
    assert modes == {
        ".gitignore": "100644",
        "a.py": "100644",
        "bin/run": "100755",
        "kept.log": "100644",
        "link": "120000",
        "new.py": "100644",
    }
    assert repository.read(entries["link"].object) == b"a.py"


def test_the_hash_depends_on_the_files_alone(repository, folder, tmp_path, monkeypatch):
    first = repository.commit_folder(folder)
    os.utime(folder / "a.py", (1, 1))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "somebody")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2020-01-01T00:00:00")
    with BareRepository.create(tmp_path / "other.git") as other:
        assert other.commit_folder(folder) == first
        (folder / "a.py").chmod(0o755)
        assert other.commit_folder(folder) != first


def test_patches_are_taken_back_out(repository, folder):
    commit = repository.commit_folder(folder, undo=[ADDITION, CHANGE])
    entries = repository.entries(commit)
    assert "new.py" not in entries
    assert repository.read(entries["a.py"].object) == b"x = 1\n"


def test_a_patch_that_does_not_come_out(repository, folder):
    with pytest.raises(PatchError, match=r"a\.py: patch does not apply"):
        repository.commit_folder(folder, undo=[CHANGE, CHANGE])


def test_settings_of_the_user_do_not_matter(repository, folder, tmp_path, monkeypatch):
    config = tmp_path / "gitconfig"
    config.write_text("[core]\n\tautocrlf = true\n\tfileMode = false\n[apply]\n\twhitespace = error\n")
    (folder / "crlf").write_bytes(b"one\r\n")
    plain = repository.commit_folder(folder)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    assert repository.commit_folder(folder) == plain
    trailing_blank = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 2\n+x = 3 \n"
    assert repository.apply_problem(repository.entries(plain), trailing_blank) == ""


def test_resolve(repository, folder):
    commit = repository.commit_folder(folder)
    assert repository.resolve("refs/instances/one") is None
    repository.point("refs/instances/one", commit)
    assert repository.resolve("refs/instances/one") == commit
    assert repository.resolve("--all") is None
    assert repository.resolve("0" * 40) is None


def test_an_export_is_a_clean_repository_with_one_commit(repository, folder, tmp_path):
    commit = repository.commit_folder(folder)
    (folder / "a.py").write_text("later\n")
    repository.point("refs/heads/main", repository.commit_folder(folder))
    repository.export(commit, tmp_path / "out")

    def git(*arguments: str) -> str:
        return subprocess.check_output(["git", *arguments], cwd=tmp_path / "out", text=True).strip()

    assert git("rev-parse", "HEAD") == commit
    assert git("rev-list", "--count", "--all") == "1"
    assert git("status", "--porcelain") == ""
    assert git("count-objects").startswith("9 objects")  # 6 blobs, 2 trees, 1 commit: none of a later state


def test_objects_are_read_after_repacking(repository, folder):
    commit = repository.commit_folder(folder)
    repository.point("refs/heads/main", commit)
    name = repository.entries(commit)["a.py"].object
    assert repository.read(name) == b"x = 2\n"
    repository.repack()
    assert repository.read(name) == b"x = 2\n"


def test_a_failing_command_says_why(repository):
    with pytest.raises(InfrastructureError, match="git rev-parse failed"):
        repository.tree("0" * 40)
