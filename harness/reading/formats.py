"""The formats in which models give edits: one is asked for, and any is read."""

from collections.abc import Callable
from enum import StrEnum

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


def read_format(text: str, asked: Format, cut: bool = False) -> EditReading:
    """The edits of an answer proper, in the format that was asked for if it has any, else in the one that it uses."""
    reading, used = _READERS[asked](text, cut), _recognised(text)
    if reading.edits:
        return reading
    if reading.problems or reading.unfinished:  # calls may hold blocks: what is broken as one can be whole as the other
        other = reading if used in (asked, Format.WHOLE_FILE) else _READERS[used](text, cut)
        return other if other.edits and not other.problems else reading
    if used is Format.WHOLE_FILE and ((pairs := read_pairs(text, cut)).edits or pairs.unfinished):
        return pairs
    return read_whole_files(text, cut, asked=False) if used is Format.WHOLE_FILE else _READERS[used](text, cut)


def _recognised(text: str) -> Format:
    """The format that a text uses by its marks; fences alone make whole files."""
    signs = {
        Format.SEARCH_REPLACE: holds_blocks,
        Format.APPLY_PATCH: holds_envelope,
        Format.STR_REPLACE: holds_calls,
        Format.DIFF: holds_diff,
    }
    return next((form for form, holds in signs.items() if holds(text)), Format.WHOLE_FILE)
