"""The edits of one answer put into the files of a snapshot, all of them or none.

Every search text is met with the file as the model was shown it, never with what another edit made of it.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from harness.core.candidate import Edit, EditKind, Grade, Reason
from harness.core.interfaces import Snapshot
from harness.core.location import Interval, Location
from harness.reading.path_names import MARKUP
from harness.repair.as_lines import as_lines
from harness.repair.dress import plain_replacement, unfenced
from harness.repair.edited_path import edited_path, mode_of
from harness.repair.elision import match_lines
from harness.repair.headings import PROSE, likeness, style_of
from harness.repair.match import EditRefused, Match, SourceFile, find_places, inside, match_edit
from harness.repair.merge import Overlap, merge_matches
from harness.repo.diff import Replacement, replaced

REGULAR = "100644"
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
    """The changes that the edits make; an edit given twice counts once, unless the file holds its text as often.

    ``shown`` is what the prompt showed: it decides which file a partial path means, and which of several matches.
    Raises EditRefused for the first edit that can't be put in, and if nothing would change.
    """
    files = _Files(snapshot, shown)
    matches: dict[str, list[Match]] = {}
    grades: dict[Edit, Grade] = {}
    for placed in _placed(files, edits):
        matches.setdefault(placed.path, []).extend(placed.matches)
        grades.setdefault(placed.edit, placed.matches[0].grade)
    changes = [files.change(path, found) for path, found in matches.items()]
    changes = [change for change in changes if change.replacements or change.old is None]
    if not changes:
        raise EditRefused(Reason.NO_OP, "the edits leave every file as it was")
    ordered = tuple(grades[edit] for edit in dict.fromkeys(edits) if edit in grades)
    return AppliedEdits(tuple(sorted(changes, key=lambda change: change.path)), ordered)


@dataclass(frozen=True)
class _Placed:
    """An edit and where it goes in."""

    edit: Edit
    path: str
    matches: list[Match]


def _placed(files: "_Files", edits: Sequence[Edit]) -> Iterator[_Placed]:
    """All edits with their places; the first that has none is refused."""
    groups: dict[tuple[str, str, int], list[Edit]] = {}
    for edit in edits:
        place = edit.line if edit.kind is EditKind.INSERTED else 0
        groups.setdefault((edit.path, edit.search, place), []).append(edit)
    lost: dict[str, list[tuple[list[Edit], EditRefused]]] = {}
    for (name, *_), group in groups.items():
        path = edited_path(group[0], files.snapshot, files.shown)
        if path is None and (made := _new_text(group[0])):
            path = edited_path(made, files.snapshot, files.shown)
        try:
            if path is None:
                raise _unknown(name)
            yield from files.place(path, group)
        except EditRefused as refused:
            if refused.reason not in (Reason.NO_MATCH, Reason.UNKNOWN_PATH, Reason.PARSE_FAILURE):
                raise
            lost.setdefault(name or group[0].search, []).append((group, refused))
    for missed in lost.values():
        yield from files.place_elsewhere([group for group, _ in missed], missed[0][1])


def _shows(edit: Edit) -> bool:
    """Whether an edit shows lines as they are: one that changes the same lines counts."""
    return bool(edit.search) and edit.search == edit.replace and not edit.others


def _unknown(name: str) -> EditRefused:
    if not name:
        return EditRefused(Reason.PARSE_FAILURE, "a block names no file, and no one shown file holds its search text")
    return EditRefused(Reason.UNKNOWN_PATH, f"no one file of the repository is {name[:200]}")


def _matches(edit: Edit, file: SourceFile, shown: Sequence[Interval]) -> list[Match]:
    """Where an edit goes in; of several places the one nearest to the line that the answer names, if it names one."""
    try:
        return match_lines(edit, file, shown)
    except EditRefused as refused:
        if refused.reason is not Reason.AMBIGUOUS_MATCH or not edit.line or not edit.search.strip():
            raise
        return [min(find_places(edit, file), key=lambda match: abs(match.start + 1 - edit.line))]


def _readings(edit: Edit) -> list[Edit]:
    """An edit of whole lines by each reading of its texts."""
    readings = ((edit.search, edit.replace), *edit.others)
    return [Edit(edit.path, search, replace, line=edit.line) for search, replace in readings]


def _plain(edit: Edit) -> Edit:
    """The edit with a replacement as plain as its search text. Raises EditRefused for signs of a diff in one alone."""
    plain = plain_replacement(edit)
    if plain is None:
        raise EditRefused(Reason.PARSE_FAILURE, "the replacement has signs of a diff, and the search text has none")
    return plain


def _new_text(edit: Edit) -> Edit | None:
    """The reading of an edit as the whole of a new file of prose, if its lines like dividers all underline headings."""
    found = [one for one in _readings(edit)[1:] if not one.search.strip() and one.path.endswith(PROSE)]
    suits = [(likeness(lines, style_of(one.path, lines)), one) for one in found if (lines := one.replace.split("\n"))]
    (strays, _), best = max(suits, key=lambda pair: pair[0], default=((-1, 0), None))
    return best if strays == 0 else None


class _Files:
    """The files of one snapshot as the edits of one answer meet them."""

    def __init__(self, snapshot: Snapshot, shown: Sequence[Location]) -> None:
        self.snapshot = snapshot
        self.shown = {location.path: location.intervals for location in shown}
        self._read: dict[str, SourceFile | None] = {}

    def place(self, path: str, group: Sequence[Edit]) -> list[_Placed]:
        """Where edits with one search text go in: all in one place, or one after another in as many places."""
        try:
            file, shown = self.file(path), self.shown.get(path, ())
            edits = [self._decided(path, edit) for edit in group]
            if len(edits) > 1 and (places := self._places(path, edits)):
                return [_Placed(edit, path, [match]) for edit, match in zip(group, places, strict=True)]
            pairs = list(zip(group, edits, strict=True))
            pairs = [pair for pair in pairs if not _shows(pair[0])] or pairs
            return [_Placed(given, path, _matches(edit, file, shown)) for given, edit in pairs]
        except EditRefused as refused:
            raise EditRefused(refused.reason, f"{path}: {refused.detail}") from refused

    def place_elsewhere(self, groups: Sequence[Sequence[Edit]], refused: EditRefused) -> Iterator[_Placed]:
        """The same in the only shown file that holds every one of the search texts. Raises ``refused`` if none is it.

        Only close grades count.
        """
        holders = [path for path in self.shown if all(self._holds(path, group[0]) for group in groups)]
        if len(holders) != 1:
            raise refused
        for group in groups:
            for placed in self.place(holders[0], group):
                found = [dataclasses.replace(match, grade=Grade.OTHER_FILE) for match in placed.matches]
                yield dataclasses.replace(placed, matches=found)

    def change(self, path: str, matches: Sequence[Match]) -> FileChange:
        """What the matches make of a file. Raises EditRefused if two of them can't both be put in."""
        old = None if not mode_of(self.snapshot, path) else self.file(path)
        try:
            changes = merge_matches(old or SourceFile(b""), matches)
        except Overlap as overlap:
            raise EditRefused(Reason.OVERLAPPING_EDITS, f"{path}: {overlap}") from overlap
        return FileChange(path, old, changes, mode_of(self.snapshot, path) or REGULAR)

    def file(self, path: str) -> SourceFile:
        """A file of the snapshot, an empty one if there is none. Raises EditRefused for one that is no text."""
        if path not in self._read:
            try:
                self._read[path] = SourceFile(self.snapshot.read(path))
            except KeyError:
                self._read[path] = None
        file = self._read[path] or SourceFile(b"")
        if file.binary:
            raise EditRefused(Reason.BINARY_FILE, "not a text file")
        return file

    def _holds(self, path: str, edit: Edit) -> bool:
        """Whether a shown file holds the search text but for trailing white space, in one place or in several."""
        try:
            found = match_edit(edit, self.file(path), self.shown[path]) if edit.search.strip() else None
            return found is not None and found.grade in CLOSE
        except EditRefused as refused:
            return refused.reason is Reason.AMBIGUOUS_MATCH

    def _places(self, path: str, edits: Sequence[Edit]) -> list[Match]:
        """As many places as there are edits, one for each in its turn, or none."""
        file, shown, count = self.file(path), self.shown.get(path, ()), len(edits)
        try:
            found = find_places(edits[0], file)
        except EditRefused:
            return []
        meant = found if len(found) == count else inside(found, shown)
        if len(meant) != count or any(above.end > below.start for above, below in pairwise(meant)):
            return []
        wanted = {match.start for match in meant}
        each = [[m for m in find_places(edit, file) if m.start in wanted] for edit in edits]
        return [places[number] for number, places in enumerate(each)]

    def _decided(self, path: str, edit: Edit) -> Edit:
        """The edit with the one reading of its texts that the file holds, and without a fence around a new file."""
        if edit.kind is not EditKind.LINES:
            lines = as_lines(edit, self.file(path))
            return _plain(lines) if edit.kind is EditKind.TEXT else lines
        if not mode_of(self.snapshot, path) and (made := _new_text(edit)):
            return made
        if not edit.search.strip() and not any(self._met(path, one) for one in _readings(edit)[1:]):
            text = edit.replace if path.endswith(MARKUP) else unfenced(edit.replace)
            return dataclasses.replace(edit, replace=text, others=())
        edits = _readings(edit)
        if len(edits) == 1:
            return _plain(edits[0])
        counts = {one.search.count("\n") for one in edits}
        if len(counts) == 1 and self._met(path, edits[0]) == len(Grade):
            return edits[0]  # of a hunk, which the file holds as it stands
        held = [
            (one.search.count("\n"), met, one) for one in edits if one.search.strip() and (met := self._met(path, one))
        ]
        if held:
            style = style_of(path, self.file(path).text())  # a heading alone stands in the file, too
            return max(held, key=lambda found: (*found[:2], likeness(found[2].replace.split("\n"), style)))[2]
        if len(counts) == 1:
            return edits[0]
        raise EditRefused(Reason.PARSE_FAILURE, "a block can be read in several ways, and the file holds none")

    def _met(self, path: str, edit: Edit) -> int:
        """How closely the file holds a search text, in one place or several; 0 if it does not."""
        try:
            found = match_lines(edit, self.file(path), self.shown.get(path, ()))
        except EditRefused as refused:
            if refused.reason is not Reason.AMBIGUOUS_MATCH:
                return 0
            found = find_places(edit, self.file(path))
        return len(Grade) - list(Grade).index(found[0].grade)
