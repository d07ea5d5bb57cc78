"""The edits of one answer put into the files of a snapshot, all of them or none.

Every search text is met with the file as the model was shown it, never with what another edit made of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.core.candidate import Edit, Grade, Reason
from harness.core.interfaces import Snapshot
from harness.core.location import Interval, Location, resolve_path
from harness.repair.elision import match_lines
from harness.repair.match import EditRefused, Match, SourceFile, match_edit
from harness.repair.merge import Overlap, merge_matches
from harness.repo.diff import Replacement, replaced

LINK, REGULAR = "120000", "100644"
CLOSE = (Grade.EXACT, Grade.WHITESPACE)  # grades close enough to tell a file by what it holds


@dataclass(frozen=True)
class FileChange:
    """One file and what an answer's edits make of it."""

    path: str
    old: SourceFile | None  # None: the file is new
    replacements: tuple[Replacement, ...]  # in order and apart
    mode: str = REGULAR  # git's mode of the file, before and after

    @cached_property
    def content(self) -> bytes:
        """The file's bytes after the change."""
        return replaced(self.old.lines if self.old else (), self.replacements)

    @cached_property
    def deleted(self) -> bool:
        """Whether the file goes: all of its text was replaced by nothing, the counterpart of making a new one."""
        return self.old is not None and bool(self.old.data) and not self.content


@dataclass(frozen=True)
class AppliedEdits:
    """All edits of one answer, put in."""

    changes: tuple[FileChange, ...]  # by path
    grades: tuple[Grade, ...]  # of the distinct edits, in the answer's order


def apply_edits(edits: Sequence[Edit], snapshot: Snapshot, shown: Sequence[Location]) -> AppliedEdits:
    """The changes that the edits make; an edit given twice counts once.

    ``shown`` is what the prompt showed: it decides which file a partial path means, and which of several matches.
    Raises EditRefused for the first edit that can't be put in, and where nothing would change.
    """
    intervals = {location.path: location.intervals for location in shown}
    files: dict[str, SourceFile | None] = {}
    matches: dict[str, list[Match]] = {}
    grades: list[Grade] = []
    for edit in dict.fromkeys(edits):
        path = edited_path(edit, snapshot, intervals)
        try:
            if path not in files:
                files[path] = _read(snapshot, path)
            found = match_lines(edit, files[path] or SourceFile(b""), intervals.get(path, ()))
        except EditRefused as refused:
            raise EditRefused(refused.reason, f"{path}: {refused.detail}") from refused
        matches.setdefault(path, []).extend(found)
        grades.append(found[0].grade)
    changes = [
        FileChange(path, files[path], _replacements(path, files[path], found), _mode(snapshot, path) or REGULAR)
        for path, found in matches.items()
    ]
    changes = [change for change in changes if change.replacements or change.old is None]
    if not changes:
        raise EditRefused(Reason.NO_OP, "the edits leave every file as it was")
    return AppliedEdits(tuple(sorted(changes, key=lambda change: change.path)), tuple(grades))


def edited_path(edit: Edit, snapshot: Snapshot, shown: Mapping[str, Sequence[Interval]]) -> str:
    """The path that an edit may change: a file of the snapshot, or a new one where its search text is empty.

    A name that stands for no one file means the only one among those ``shown`` that holds the search text.
    Raises EditRefused for a path that is unknown, or that leads out of the repository's own files.
    """
    if problem := _forbidden(edit.path, snapshot):
        raise EditRefused(Reason.FORBIDDEN_PATH, f"{edit.path[:200]}: {problem}")
    paths = snapshot.paths()
    if edit.search.strip() or edit.path in paths:
        path = resolve_path(edit.path, shown) or resolve_path(edit.path, paths) or _holder(edit, snapshot, shown)
        if path is None:
            raise EditRefused(Reason.UNKNOWN_PATH, f"no one file of the repository is {edit.path[:200]}")
        return path
    path = edit.path.removeprefix("./")
    if any(known.startswith(f"{path}/") or path.startswith(f"{known}/") for known in paths):
        raise EditRefused(Reason.FORBIDDEN_PATH, f"{path[:200]}: a folder and a file would have one name")
    return path


def _holder(edit: Edit, snapshot: Snapshot, shown: Mapping[str, Sequence[Interval]]) -> str | None:
    """The only one of the shown files that holds the search text in one place, but for trailing white space."""
    holders = []
    for path, intervals in shown.items():
        try:
            file = _read(snapshot, path)
            if file and edit.search.strip() and match_edit(edit, file, intervals).grade in CLOSE:
                holders.append(path)
        except EditRefused as refused:
            if refused.reason is Reason.AMBIGUOUS_MATCH:
                holders.append(path)
    return holders[0] if len(holders) == 1 else None


def _forbidden(path: str, snapshot: Snapshot) -> str:
    """Why no edit may touch a path, or an empty string."""
    parts = path.removeprefix("./").split("/")
    if path.startswith("/"):
        return "an absolute path"
    if ".." in parts:
        return "a path with .."
    if any(part.lower() == ".git" for part in parts):
        return "a path into .git"
    if "" in parts or "." in parts or not path.isprintable():
        return "not the path of a file"
    above = ("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    return next((f"{name} is a symbolic link" for name in above if _mode(snapshot, name) == LINK), "")


def _mode(snapshot: Snapshot, path: str) -> str:
    try:
        return snapshot.mode(path)
    except KeyError:
        return ""


def _read(snapshot: Snapshot, path: str) -> SourceFile | None:
    try:
        file = SourceFile(snapshot.read(path))
    except KeyError:
        return None
    if file.binary:
        raise EditRefused(Reason.BINARY_FILE, "not a text file")
    return file


def _replacements(path: str, file: SourceFile | None, matches: list[Match]) -> tuple[Replacement, ...]:
    """The changes of all matches in order. Raises EditRefused if two of them can't both be put in."""
    try:
        return merge_matches(file or SourceFile(b""), matches)
    except Overlap as overlap:
        raise EditRefused(Reason.OVERLAPPING_EDITS, f"{path}: {overlap}") from overlap
