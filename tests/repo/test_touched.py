"""The small index, beside the index of the whole tree: git says the same of both."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.repo.diff import Replacement, change_patch, creation_patch, split_lines
from harness.repo.mirror import BareRepository
from harness.repo.snapshot import GitSnapshot

FILES = {
    "a.py": b"x = 1\ny = 2\n",
    "pkg/a b.py": b"x = 1\n",
    "pkg/caf\u00e9.py": b"x = 1\n",
    "pkg/other.py": b"x = 1\n",
    "empty": b"",
}


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for path, content in FILES.items():
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_bytes(content)
    with BareRepository.create(tmp_path_factory.mktemp("cache") / "a.git") as bare:
        yield GitSnapshot(bare, bare.commit_folder(source))


def whole_tree_says(snapshot, patch: str) -> str:
    """What git says with an index of every file."""
    bare: BareRepository = snapshot._repository
    index = {"GIT_INDEX_FILE": str(bare.path / "whole"), "GIT_DIR": str(bare.path), "LC_ALL": "C.UTF-8"}
    bare.git("read-tree", snapshot.commit, env=index)
    Path(bare.path / "patch").write_bytes(patch.encode("utf-8", "surrogateescape"))
    ran = subprocess.run(
        ["git", "apply", "--cached", "--check", str(bare.path / "patch")],
        env=index,
        cwd=bare.path,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stderr.strip()


def renamed(old: str, new: str) -> str:
    return f"diff --git a/{old} b/{new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"


CHANGES = [change_patch(path, split_lines(FILES[path]), [Replacement(0, 1, (b"z\n",))]) for path in list(FILES)[:4]]
PATCHES = {
    "several": "".join(CHANGES),
    "one": CHANGES[1],
    "quoted": CHANGES[2],
    "no match": CHANGES[0].replace("-x = 1", "-x = 3"),
    "new": creation_patch("pkg/new.py", b"x\n"),
    "new but there": creation_patch("a.py", b"x\n"),
    "new empty but there": creation_patch("empty", b""),
    "mode": "diff --git a/pkg/a b.py b/pkg/a b.py\nold mode 100644\nnew mode 100755\n",
    "mode, quoted": 'diff --git "a/pkg/caf\\303\\251.py" "b/pkg/caf\\303\\251.py"\nold mode 100644\nnew mode 100755\n',
    "deleted empty": "diff --git a/empty b/empty\ndeleted file mode 100644\nindex e69de29..0000000\n",
    "rename": renamed("pkg/other.py", "pkg/there.py"),
    "rename onto another": renamed("pkg/other.py", "a.py"),
    "binary": change_patch("a.py", split_lines(FILES["a.py"]), [Replacement(0, 1, (b"\xff\n",))]),
    "traditional": "--- a.py\n+++ a.py\n@@ -1,2 +1,2 @@\n-x = 1\n+x = 2\n y = 2\n",
    "traditional, other prefix": "--- old/a.py\n+++ new/a.py\n@@ -1,2 +1,2 @@\n-x = 1\n+x = 2\n y = 2\n",
    "unknown": CHANGES[0].replace("a.py", "none.py"),
    "torn": CHANGES[0][:-3],
    "none": "no patch",
}


@pytest.mark.parametrize("name", PATCHES)
def test_git_says_the_same_as_of_the_whole_tree(snapshot, name):
    assert snapshot.check_applies(PATCHES[name]) == whole_tree_says(snapshot, PATCHES[name])


def test_some_apply_and_some_do_not(snapshot):
    applying = {name for name, patch in PATCHES.items() if not snapshot.check_applies(patch)}
    assert {"several", "one", "quoted", "new", "mode", "mode, quoted", "rename", "binary", "deleted empty"} <= applying
    assert applying.isdisjoint({"no match", "new but there", "new empty but there", "unknown", "torn", "none"})


@settings(max_examples=15, deadline=None)
@given(
    names=st.sets(
        st.text('ab /\u00e9"\t', min_size=1, max_size=5).filter(lambda n: n.strip("/") == n and "//" not in n),
        min_size=1,
        max_size=3,
    )
)
def test_new_files_of_any_name(snapshot, names):
    patch = "".join(creation_patch(f"new/{name}", b"x\n") for name in sorted(names))
    assert snapshot.check_applies(patch) == whole_tree_says(snapshot, patch)
