"""What an image adds to the sources that it shares, without Docker: files, git objects, and what may not be shared."""

import pytest

from harness.build.shared_sources import Ground, filling, require_older
from harness.core.image_name import ImageName
from harness.errors import InputError
from harness.repo.mirror import BareRepository

IMAGE = ImageName.parse("image")
OLDER = {"a.py": "x = 1\n", "b/c.py": "y = 1\n", "gone.py": "", "folder": "a file"}
NEWER = {"a.py": "x = 1\n", "b/c.py": "y = 2\n", "folder/d.txt": "now a folder"}


@pytest.fixture
def repository(tmp_path):
    with BareRepository.create(tmp_path / "repos/owner__name.git") as repository:
        yield repository


@pytest.fixture
def commit(repository, tmp_path):
    """Commits files: path -> text."""

    def make(files: dict[str, str]) -> str:
        folder = tmp_path / f"files-{len(list(tmp_path.iterdir()))}"
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return repository.commit_folder(folder)

    return make


def filled(folder, repository, commit, ground, **options):
    """Files below ``tree``, and what has to go, of a build's folder."""
    folder.mkdir()
    filling(repository, commit, ground, **options)(folder)
    files = {str(p.relative_to(folder / "tree")) for p in (folder / "tree").rglob("*") if p.is_file()}
    gone = (folder / "gone").read_text().split("\0")[:-1] if (folder / "gone").exists() else None
    return files, gone


def held_in(folder) -> set[str]:
    """Every object of a repository, reachable or not."""
    every = ("cat-file", "--batch-all-objects", "--batch-check=%(objectname)")
    return set(BareRepository(folder).git(*every).split())


def test_only_what_differs_is_laid_on_what_is_there(repository, commit, tmp_path):
    older, newer = commit(OLDER), commit(NEWER)
    files, gone = filled(tmp_path / "build", repository, newer, Ground(IMAGE, "3.11", (older,)))
    assert files == {"b/c.py", "folder/d.txt"}
    compiled = ["b/__pycache__/c.cpython-311.pyc", "__pycache__/gone.cpython-311.pyc"]
    assert gone == ["b/c.py", "folder", "gone.py", *compiled]
    # the two packs together are all that the state needs; the second alone has nothing twice
    held = held_in(tmp_path / "build/git")
    assert held == repository.objects(newer) - repository.objects(f"{older}^{{tree}}")


def test_the_first_state_lies_there_as_objects_and_no_commit(repository, commit, tmp_path):
    older = commit(OLDER)
    files, gone = filled(tmp_path / "build", repository, older, Ground(IMAGE, "3.11"), with_commit=False)
    assert (files, gone) == (set(OLDER), [])
    assert [path.name for path in (tmp_path / "build/git").iterdir()] == ["objects"]
    (tmp_path / "build/git/HEAD").write_text("ref: refs/heads/main\n")
    (tmp_path / "build/git/refs").mkdir()
    held = held_in(tmp_path / "build/git")
    assert held == repository.objects(f"{older}^{{tree}}")
    assert older not in held


def test_nothing_shared_is_a_whole_repository(repository, commit, tmp_path):
    files, gone = filled(tmp_path / "build", repository, commit(NEWER), Ground(IMAGE, "3.11"))
    assert (files, gone) == (set(NEWER), None)
    assert (tmp_path / "build/git/HEAD").exists()


def test_other_rules_for_line_ends_make_every_file_anew(repository, commit, tmp_path):
    older, newer = commit(OLDER), commit({**OLDER, ".gitattributes": "*.py text eol=crlf\n"})
    files, _ = filled(tmp_path / "build", repository, newer, Ground(IMAGE, "3.11", (older,)))
    assert files == {*OLDER, ".gitattributes"}


def test_sources_that_hold_the_fix_are_refused(repository, commit, instance):
    """Not only where the whole file is as the fix leaves it: a later release that holds it among other changes, too."""
    base = {"a.py": "x = 1\n" + "#\n" * 20 + "end\n", "tests/test_a.py": "def test_old():\n    pass\n"}
    later = {**base, "a.py": "x = 2\n" + "#\n" * 20 + "changed since\n"}
    older, fixed = (Ground(IMAGE, "3.11", (commit(files),)) for files in (base, later))
    patched = instance.model_copy(
        update={"patch": "diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,3 @@\n-x = 1\n+x = 2\n #\n #\n"}
    )
    require_older(repository, patched, older)
    with pytest.raises(InputError, match="hold the row's patch already"):
        require_older(repository, patched, fixed)
    test_only = patched.model_copy(update={"patch": "", "test_patch": patched.patch})
    with pytest.raises(InputError, match="let its recipe lie on older ones"):
        require_older(repository, test_only, Ground(IMAGE, "3.11", (*older.states, *fixed.states)))
