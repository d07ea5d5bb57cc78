"""Edit -> patch -> ``git apply`` gives exactly the edited bytes, whatever the files are; git itself is the judge."""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.core.candidate import Edit, Reason
from harness.repair.edits import FileChange, apply_edits
from harness.repair.match import EditRefused, SourceFile
from harness.repair.patch import make_patch
from harness.repo.diff import Replacement
from harness.repo.mirror import BareRepository
from harness.repo.snapshot import GitSnapshot

RARELY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

ANY_LINE = st.binary(max_size=12).map(lambda data: data.replace(b"\n", b""))
TEXT_LINE = st.text(max_size=12).map(
    lambda text: text.encode("utf-8", "replace").replace(b"\n", b"").replace(b"\0", b"")
)
LATIN_LINE = st.sampled_from([b"caf\xe9", b"\xff\xfe", b"x = 1", b"", b"\t\xa0", b" + ", b"-- a", b"@@ -1 +1 @@"])
ENDING = st.sampled_from([b"\n", b"\n", b"\r\n"])


def contents(line):
    """Files of such lines, with or without an end of the last; empty ones too."""
    lines = st.lists(st.tuples(line, ENDING).map(b"".join), max_size=30).map(b"".join)
    return st.builds(lambda data, cut: data[:-1] if cut and data.endswith(b"\n") else data, lines, st.booleans())


CONTENT = st.one_of(contents(ANY_LINE), contents(TEXT_LINE), contents(LATIN_LINE))
NAME = st.sampled_from(["a.py", "b c.txt", "d/é.py", 'd/"q".txt', "e\\n.txt"])
MODE = st.sampled_from([0o644, 0o755])


@st.composite
def changed_files(draw):
    """Some files with their modes, and lines of them replaced by others."""
    files = draw(st.dictionaries(NAME, st.tuples(CONTENT, MODE), min_size=1, max_size=3))
    changes = []
    for path, (content, mode) in files.items():
        old = SourceFile(content)
        count = len(old.lines)
        start = draw(st.integers(0, count))
        end = draw(st.integers(start, count))
        new = draw(st.lists(ANY_LINE.map(lambda line: line + b"\n"), max_size=4))
        if end < count or not new:
            lines = tuple(new)
        else:
            lines = (*new[:-1], new[-1].removesuffix(draw(st.sampled_from([b"", b"\n"]))))
        lines = tuple(line for line in lines if line)
        # a line without its end can only be the last one of a file
        unended = start == count and count and not old.lines[-1].endswith(b"\n")
        if not unended and lines != tuple(old.lines[start:end]):
            changes.append(FileChange(path, old, (Replacement(start, end, lines),), f"100{mode:o}"))
    if draw(st.booleans()):
        changes.append(
            FileChange("made/new file.txt", None, (Replacement(0, 0, tuple(SourceFile(draw(CONTENT)).lines)),))
        )
    return files, sorted(changes, key=lambda change: change.path)


def write(folder: Path, files) -> None:
    for path, (content, mode) in files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
        (folder / path).chmod(mode)


def git_applied(folder: Path, patch: str) -> dict[str, tuple[bytes, int]]:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"],
        cwd=folder, env=environment, input=patch.encode(), check=True, capture_output=True,
    )  # fmt: skip
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode & 0o777) for path in found}


@RARELY
@given(changed_files())
def test_git_makes_of_a_patch_exactly_the_changed_bytes(case):
    files, changes = case
    if not changes:
        return
    expected = dict(files)
    for change in changes:
        expected[change.path] = (change.content, files.get(change.path, (b"", 0o644))[1])
        if change.deleted:
            del expected[change.path]
    with TemporaryDirectory() as scratch:
        write(Path(scratch), files)
        assert git_applied(Path(scratch), make_patch(changes)) == expected


@RARELY
@given(content=st.one_of(contents(TEXT_LINE), contents(LATIN_LINE)), data=st.data())
def test_an_edit_of_a_snapshot_applies_there_and_changes_what_it_says(content, data):
    lines = SourceFile(content).text()
    start = data.draw(st.integers(0, len(lines)))
    search = "".join(f"{line}\n" for line in lines[start : start + data.draw(st.integers(0, 4))])
    replace = "".join(
        f"{line}\n" for line in data.draw(st.lists(st.sampled_from(["new", "x", *lines[:5]]), max_size=4))
    )
    with TemporaryDirectory() as scratch:
        source, bare, applied = (Path(scratch) / name for name in ("source", "bare", "applied"))
        for folder in (source, applied):
            folder.mkdir()
            write(folder, {"a.txt": (content, 0o755)})
        with BareRepository.create(bare) as repository:
            snapshot = GitSnapshot(repository, repository.commit_folder(source))
            try:
                (change,) = apply_edits([Edit("a.txt", search, replace)], snapshot, ()).changes
            except EditRefused:
                return
            patch = make_patch([change])
            assert snapshot.check_applies(patch) == ""
        found = git_applied(applied, patch)
        assert found == ({} if change.deleted else {"a.txt": (change.content, 0o755)})


@pytest.mark.parametrize("content", [b"\0", b"a\n\0\n", b"text" * 100 + b"\0"])
def test_binary_files_are_refused(content):
    with TemporaryDirectory() as scratch, BareRepository.create(Path(scratch) / "bare") as repository:
        (Path(scratch) / "source").mkdir()
        write(Path(scratch) / "source", {"a.bin": (content, 0o644)})
        snapshot = GitSnapshot(repository, repository.commit_folder(Path(scratch) / "source"))
        with pytest.raises(EditRefused) as refused:
            apply_edits([Edit("a.bin", "a\n", "b\n")], snapshot, ())
    assert refused.value.reason is Reason.BINARY_FILE
