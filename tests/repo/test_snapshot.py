"""One set of tests over the kinds of the `Repository` seam that read git on the host."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.core.instance import Instance
from harness.errors import InputError
from harness.repo.mirror import BareRepository
from harness.repo.snapshot import MirrorRepository, RebuiltRepository, open_repository

FILES = {
    "pkg/a.py": b"x = 1\n",
    "pkg/binary": b"\x00\r\n\xff",
    "caf\xc3\xa9.txt".encode("latin-1").decode(): b"",
    "z": b"no newline",
}
PATCH = "--- a/pkg/a.py\n+++ b/pkg/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"


def instance(commit: str = "0" * 40, instance_id: str = "owner__name-1", repo: str = "owner/name") -> Instance:
    return Instance(
        instance_id=instance_id,
        repo=repo,
        base_commit=commit,
        patch="",
        test_patch="",
        problem_statement="",
        fail_to_pass=(),
        pass_to_pass=(),
    )


def fill(folder: Path) -> None:
    for path, content in FILES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "link").symlink_to("pkg/a.py")


def rebuilt(cache: Path, source: Path) -> tuple[RebuiltRepository, Instance]:
    with BareRepository.create(cache / "repos/owner__name.git") as bare:
        bare.point("refs/instances/owner__name-1", bare.commit_folder(source))
    return RebuiltRepository(cache / "repos"), instance()


def mirrored(cache: Path, source: Path) -> tuple[MirrorRepository, Instance]:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.check_output(["git", *identity, *arguments], cwd=source, text=True).strip()

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "-m", "base")
    base = git("rev-parse", "HEAD")
    (source / "pkg/a.py").write_text("x = 2\n")
    git("commit", "--quiet", "-a", "-m", "fix")
    git("clone", "--quiet", "--mirror", ".", str(cache / "mirrors/owner__name.git"))
    return MirrorRepository(cache / "mirrors"), instance(base)


@pytest.fixture(params=[rebuilt, mirrored])
def held(request, tmp_path):
    source = tmp_path / "source"
    fill(source)
    repository, held = request.param(tmp_path, source)
    with repository:
        yield repository, held


@pytest.fixture
def snapshot(held):
    repository, row = held
    return repository.snapshot(row)


def test_regular_files_sorted(snapshot):
    assert snapshot.paths() == tuple(sorted([*FILES, "run"]))


def test_bytes_as_they_are(snapshot):
    assert {path: snapshot.read(path) for path in FILES} == FILES


def test_modes(snapshot):
    assert [snapshot.mode(path) for path in ("z", "run", "link")] == ["100644", "100755", "120000"]


@pytest.mark.parametrize("path", ["none", "pkg", "../z", "/z", ""])
def test_an_unknown_path(snapshot, path):
    with pytest.raises(KeyError):
        snapshot.read(path)
    with pytest.raises(KeyError):
        snapshot.mode(path)


def test_what_git_apply_says(snapshot):
    assert snapshot.check_applies(PATCH) == ""
    assert "patch does not apply" in snapshot.check_applies(PATCH.replace("x = 1", "x = 3"))
    assert "corrupt patch" in snapshot.check_applies(PATCH + "@@ -5 +5 @@\n")
    assert "does not exist in index" in snapshot.check_applies(PATCH.replace("a.py", "b.py"))


def test_checking_leaves_the_snapshot_alone(snapshot):
    snapshot.check_applies(PATCH)
    assert snapshot.read("pkg/a.py") == b"x = 1\n"
    assert snapshot.check_applies(PATCH) == ""


def test_many_threads_read_one_repository(held):
    repository, row = held
    snapshots = [repository.snapshot(row) for _ in range(4)]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda n: snapshots[n % 4].read(list(FILES)[n % 3]), range(400)))
    assert read == [FILES[list(FILES)[n % 3]] for n in range(400)]


def test_the_tree_is_gits_own(snapshot, held):
    repository, row = held
    bare = repository.find(row.repo)
    assert snapshot.tree == bare.git("rev-parse", f"{snapshot.commit}^{{tree}}")


def test_an_instance_that_is_not_held(held):
    repository, row = held
    with pytest.raises(InputError, match="owner__name-2"):
        repository.snapshot(instance(instance_id="owner__name-2"))
    with pytest.raises(InputError, match="owner__name-1"):
        repository.snapshot(row.model_copy(update={"repo": "owner/nam"}))


def test_a_repository_name_that_is_a_path(held):
    with pytest.raises(InputError, match="owner/name"):
        held[0].snapshot(instance(repo="../name"))


def test_rebuilt_states_come_before_mirrors(tmp_path):
    for name, fill_cache in (("a", rebuilt), ("b", mirrored)):
        (tmp_path / name).mkdir()
        fill(tmp_path / name)
        (tmp_path / name / "name").write_text(name)
        fill_cache(tmp_path / "cache", tmp_path / name)
    base = subprocess.check_output(["git", "rev-parse", "HEAD~1"], cwd=tmp_path / "b", text=True).strip()
    repository = open_repository(tmp_path / "cache")
    assert repository.snapshot(instance(base)).read("name") == b"a"
    assert repository.snapshot(instance(base, "owner__name-2")).read("name") == b"b"


def test_nothing_is_held(tmp_path):
    with pytest.raises(InputError, match=r"harness images build.* \| .*no mirror of owner/name"):
        open_repository(tmp_path).snapshot(instance())
