import os
import subprocess
from pathlib import Path

import pytest

from harness.common.resources import resource
from harness.core.interfaces import CommandResult
from harness.grading.applied import Applied, Change, take_changes
from harness.grading.unapplied import unapplied


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("pkg/sub").mkdir(parents=True)
    Path("docs").mkdir()
    for path, text in {"a.py": "a\n", "pkg/__init__.py": "", "pkg/sub/b.py": "b\n", "docs/gone.txt": "x"}.items():
        Path(path).write_text(text)
    Path("link").symlink_to("a.py")
    # what attributes of the tree would make of contents has no part in what is told
    Path(".gitattributes").write_text("*.py ident eol=crlf working-tree-encoding=UTF-16 -diff\n")
    for command in ("init -q", "-c core.attributesFile=/dev/null add link docs", "add -f .gitattributes"):
        subprocess.run(["git", *command.split()], check=True)
    for path in ("a.py", "pkg/__init__.py", "pkg/sub/b.py"):
        blob = subprocess.check_output(["git", "hash-object", "-w", "--no-filters", path], text=True).strip()
        subprocess.run(["git", "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}"], check=True)
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "base"], check=True)
    return tmp_path


def told(*touched: str) -> bytes:
    """What docker/changes.sh prints of paths that were touched."""
    listed = Path(".git/touched")
    listed.write_bytes(b"".join(os.fsencode(path) + b"\0" for path in touched) * 2)  # git names old and new
    script = str(resource("docker") / "changes.sh")
    return subprocess.check_output(["bash", script, str(listed.absolute()), "tests/test_a.py"])


def read(output: bytes) -> Applied | None:
    return take_changes(CommandResult(0, output, 0.1))[1]


def test_what_a_tree_holds_now_and_held_before(tree: Path) -> None:
    Path("pkg/sub/b.py").write_bytes(b"b\r\n\xff\0$Id$")
    Path("docs/gone.txt").unlink()
    Path("docs").rmdir()
    Path("link").unlink()
    Path("link").symlink_to("/etc")
    Path("--checkpoint-action=exec=false").write_text("x")
    Path("new\nline.py").write_text("n")
    touched = (
        "pkg/sub/b.py",
        "docs/gone.txt",
        "link",
        "new\nline.py",
        "--checkpoint-action=exec=false",
        "a.py",
        "never",
    )
    applied = read(told(*touched))
    assert applied == Applied(
        touched=frozenset(touched),
        changes=(
            Change("--checkpoint-action=exec=false", None, b"x"),
            Change("docs/gone.txt", b"x", None),
            Change("link", b"a.py", b"/etc", link=True),
            Change("new\nline.py", None, b"n"),
            Change("pkg/sub/b.py", b"b\n", b"b\r\n\xff\0$Id$"),
        ),
        packages=frozenset({"pkg"}),
        folders=frozenset({"pkg/sub"}),
        twins=frozenset({"pkg/sub/b.py", "a.py", "tests/test_a.py"}),
    )


def test_nothing_touched_is_nothing_changed(tree: Path) -> None:
    assert read(told()) == Applied(frozenset(), (), twins=frozenset({"tests/test_a.py"}))


def test_only_what_was_told_before_the_patch_ran_counts(tree: Path) -> None:
    line = told("a.py")
    expected = b"expected 100644 aa 0 tests/a.py\n"
    rest, applied = take_changes(CommandResult(0, expected + line + b"said\n", 0.1))
    assert (rest, applied) == (
        expected + b"said\n",
        Applied(frozenset({"a.py"}), (), twins=frozenset({"a.py", "tests/test_a.py"})),
    )
    assert take_changes(CommandResult(0, expected + b"said\n" + line, 0.1))[1] is None
    assert take_changes(CommandResult(94, b"error: no\n", 0.1)) == (b"error: no\n", None)
    assert take_changes(CommandResult(0, b"", 0.1)) == (b"", None)


@pytest.mark.parametrize("cut", [10, 100, -9])
def test_a_torn_line_can_not_be_read(tree: Path, cut: int) -> None:
    assert read(told("a.py")[:cut] + b"\n") is None


def test_lines_are_counted_not_placed() -> None:
    change = Change("a", b"x\ny\ny\n", b"y\nx\nz\r\nx\n")
    assert (change.added, change.removed) == (["z", "x"], ["y"])


def test_what_git_takes_without_a_trace_in_the_files_is_touched(tree: Path) -> None:
    """A submodule's other commit left no trace after a later step of the chain, and was taken for text unapplied."""
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    subprocess.run(["git", "update-index", "--add", "--cacheinfo", f"160000,{commit},vendored"], check=True)
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", "sub"], check=True)
    Path("vendored").mkdir()
    Path("new.txt").write_text("not tracked, and in the way of the first step\n")
    patch = (
        "diff --git a/new.txt b/new.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+x\n"
        "diff --git a/vendored b/vendored\n--- a/vendored\n+++ b/vendored\n@@ -1 +1 @@\n"
        f"-Subproject commit {commit}\n+Subproject commit {commit}-dirty\n"
    )
    Path(".git/patch").write_text(patch)
    script = str(resource("docker") / "apply.sh")
    subprocess.run(["bash", script, ".git/patch", ".git/touched"], check=True, capture_output=True)
    touched = {os.fsdecode(path) for path in Path(".git/touched").read_bytes().split(b"\0") if path}
    assert touched == {"new.txt", "vendored"}
    assert unapplied(patch, touched) == ""
