"""Patches against the real `git apply`."""

import re
import subprocess
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from harness.errors import PatchError
from harness.repo.diff import Replacement, change_patch, creation_patch, parse_patch, replaced, split_lines

ENDINGS = st.sampled_from([b"\n", b"\r\n", b"\r", b"\x0c\n", b" \n"])
BODIES = st.one_of(
    st.sampled_from([b"", b"a", b"}", b"-- ", b"++ b/x", b"--- a/x", b"@@ -1 +1 @@", b"\\ No newline at end of file"]),
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=12).map(str.encode),
    st.binary(max_size=6).map(lambda data: data.replace(b"\0", b"")),
)
LINES = st.lists(st.builds(bytes.__add__, BODIES, ENDINGS), max_size=30).map(lambda x: split_lines(b"".join(x)))


def git_apply(folder: Path, patch: str) -> None:
    arguments = ["git", "-c", "core.autocrlf=false", "apply", "--whitespace=nowarn", "-"]
    done = subprocess.run(arguments, cwd=folder, input=patch.encode(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode() + patch


@st.composite
def changed_files(draw):
    """Lines of a file, and replacements in it that change something."""
    lines = draw(LINES)
    if lines and draw(st.booleans()):
        lines[-1] = lines[-1].rstrip(b"\r\n") or b"end"
    cuts = sorted(draw(st.sets(st.integers(0, len(lines)), max_size=6)))
    replacements = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        new = draw(LINES)
        if end == len(lines) and new and draw(st.booleans()):
            new[-1] = new[-1].rstrip(b"\r\n") or b"end"
        elif new and not new[-1].endswith(b"\n"):
            new[-1] += b"\n"
        if lines[start:end] != new:
            replacements.append(Replacement(start, end, tuple(new)))
    return lines, replacements


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=changed_files(), name=st.sampled_from(["a.py", "src/a b.py", 'src/q"uo\\te\t.py', "src/é/ü.py"]))
def test_git_makes_exactly_the_changed_bytes(tmp_path_factory, changed, name):
    lines, replacements = changed
    assume(replacements)
    folder = tmp_path_factory.mktemp("tree")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))
    patch = change_patch(name, lines, replacements)
    git_apply(folder, patch)
    assert path.read_bytes() == replaced(lines, replacements)
    assert [diff.path for diff in parse_patch(patch)] == [name]


@settings(max_examples=40, deadline=None)
@given(content=LINES.map(b"".join))
def test_git_makes_exactly_the_new_file(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("tree")
    patch = creation_patch("pkg/new file.py", content)
    git_apply(folder, patch)
    assert (folder / "pkg/new file.py").read_bytes() == content
    assert [(diff.old_path, diff.new_path) for diff in parse_patch(patch)] == [(None, "pkg/new file.py")]


def test_a_patch_looks_as_git_writes_it(tmp_path):
    lines = [f"line {i}\n".encode() for i in range(1, 31)] + [b"end"]
    replacements = [Replacement(1, 2, (b"two\n",)), Replacement(10, 10, (b"new\n",)), Replacement(30, 31, (b"End\n",))]
    (tmp_path / "a.txt").write_bytes(b"".join(lines))
    for arguments in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    (tmp_path / "a.txt").write_bytes(replaced(lines, replacements))
    arguments = ["git", "-c", "diff.noprefix=false", "diff", "--no-color", "--no-ext-diff"]
    diff = subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    without_headings = re.sub(r"(?m)^(@@ .+? @@).*$", r"\1", diff)
    assert change_patch("a.txt", lines, replacements) == re.sub(r"(?m)^index .*\n", "", without_headings)


def test_a_patch_of_other_than_utf_8_is_still_text():
    patch = change_patch("a.txt", [b"caf\xe9\n"], [Replacement(0, 1, (b"th\xe9\n",))])
    assert "GIT binary patch" in patch
    assert patch.isascii()


def test_changed_runs_are_counted_in_the_old_file():
    lines = [b"%d\n" % i for i in range(1, 21)]
    replacements = [Replacement(4, 6, (b"x\n",)), Replacement(8, 8, (b"y\n",)), Replacement(18, 20, ())]
    hunks = parse_patch(change_patch("a", lines, replacements))[0].hunks
    assert [run for hunk in hunks for run in hunk.changed()] == [(5, 2), (9, 0), (19, 2)]
    inserted = parse_patch("--- a/x\n+++ b/x\n@@ -7,0 +8 @@\n+new\n")[0].hunks[0]
    assert list(inserted.changed()) == [(8, 0)]


def test_deleted_renamed_and_binary_files_are_read():
    patch = (
        "diff --git a/gone.py b/gone.py\ndeleted file mode 100644\n--- a/gone.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "diff --git a/old.py b/new.py\nsimilarity index 100%\nrename from old.py\nrename to new.py\n"
        "diff --git a/x.png b/x.png\nindex 1111111..2222222 100644\nBinary files a/x.png and b/x.png differ\n"
    )
    paths = [(diff.old_path, diff.new_path, len(diff.hunks)) for diff in parse_patch(patch)]
    assert paths == [("gone.py", None, 1), ("old.py", "new.py", 0), ("x.png", "x.png", 0)]


def test_a_torn_patch_is_refused():
    with pytest.raises(PatchError, match="not a unified diff"):
        parse_patch("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n-a\n")


def test_a_local_change_in_a_long_file_is_quick():
    lines = [b"    return value_%d\n" % (i % 50) for i in range(5000)]
    times = []
    for _ in range(10):
        start = perf_counter()
        change_patch("a.py", lines, [Replacement(2500, 2502, (b"x\n",)), Replacement(4000, 4000, (b"y\n",))])
        times.append(perf_counter() - start)
    assert min(times) < 0.01
