"""The formats in which models give edits: one is asked for, and any is read."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum

from harness.core.candidate import Edit
from harness.reading.blocks import EditReading, holds_blocks, read_blocks
from harness.reading.diffs import holds_diff, read_diffs
from harness.reading.envelopes import holds_envelope, read_envelopes
from harness.reading.pairs import read_pairs
from harness.reading.tool_calls import holds_calls, read_calls
from harness.reading.whole_files import read_whole_files


class Format(StrEnum):
    """How an answer writes its edits."""

    SEARCH_REPLACE = "search-replace"  # blocks of a search text and its replacement
    DIFF = "diff"  # unified diffs
    WHOLE_FILE = "whole-file"  # a path, and a fence with all of the file
    APPLY_PATCH = "apply-patch"  # the envelope of apply_patch
    STR_REPLACE = "str-replace"  # calls of a tool that edits files, as XML or JSON


_READERS: dict[Format, Callable[[str, bool], EditReading]] = {
    Format.SEARCH_REPLACE: read_blocks,
    Format.DIFF: read_diffs,
    Format.WHOLE_FILE: read_whole_files,
    Format.APPLY_PATCH: read_envelopes,
    Format.STR_REPLACE: read_calls,
}


_SIGNS: dict[Format, Callable[[str], bool]] = {
    Format.SEARCH_REPLACE: holds_blocks,
    Format.APPLY_PATCH: holds_envelope,
    Format.STR_REPLACE: holds_calls,
    Format.DIFF: holds_diff,
}


def read_format(text: str, asked: Format, cut: bool = False) -> EditReading:
    """The edits of an answer proper, in the format that was asked for if it has any, else in the one that it uses.

    To these come edits of other files in other formats: some models make a file in another way than they change one.
    """
    reading, form = _read(text, asked, cut)
    lines = [line for edit in reading.edits for line in f"{edit.search}\n{edit.replace}".split("\n")]
    known = {line.strip() for line in lines} | {line[1:].strip() for line in lines}  # also without a sign of a diff
    if not reading.edits or not all(edit.path for edit in reading.edits) or form is Format.WHOLE_FILE:
        return reading
    rest = "\n".join(line for line in text.split("\n") if not line.strip() or not _holds(known, line))
    for other, holds in _SIGNS.items():
        if other is not form and holds(rest):
            more = _READERS[other](rest, cut).edits
            more = tuple(edit for edit in more if edit.path and not _is_part(edit, reading.edits, known))
            reading = replace(reading, edits=(*reading.edits, *more))
    return reading


def _is_part(edit: Edit, edits: Sequence[Edit], known: set[str]) -> bool:
    """Whether an edit says again what others say of their files, or stands within what they put in."""
    path = f"/{edit.path.strip('/')}"
    if any(path.endswith(f"/{one.path.strip('/')}") or f"/{one.path}".endswith(path) for one in edits):
        return True
    lines = [line for line in (edit.search + edit.replace).split("\n") if line.strip()]
    return all(_holds(known, line) for line in lines)


def _holds(known: set[str], line: str) -> bool:
    """Whether one of the known lines is this one, or this one without the sign of a diff."""
    return line.strip() in known or line[1:].strip() in known


def _read(text: str, asked: Format, cut: bool) -> tuple[EditReading, Format]:
    """The edits in one format, and which that is; blocks in the texts of a call are what it puts in."""
    if asked is Format.SEARCH_REPLACE and not holds_blocks(text) and holds_calls(text):
        asked = Format.STR_REPLACE
    reading, used = _READERS[asked](text, cut), _recognised(text)
    if reading.edits:
        return reading, asked
    if reading.problems or reading.unfinished:  # calls may hold blocks: what is broken as one can be whole as the other
        other = reading if used in (asked, Format.WHOLE_FILE) else _READERS[used](text, cut)
        return (other, used) if other.edits and not other.problems else (reading, asked)
    if used is not Format.WHOLE_FILE:
        return _READERS[used](text, cut), used
    pairs = read_pairs(text, cut)
    return pairs if pairs.edits or pairs.unfinished else read_whole_files(text, cut, asked=False), used


def _recognised(text: str) -> Format:
    """The format that a text uses by its marks; fences alone make whole files."""
    return next((form for form, holds in _SIGNS.items() if holds(text)), Format.WHOLE_FILE)
