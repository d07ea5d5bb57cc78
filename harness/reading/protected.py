"""What of an answer is source: the inside of whole search/replace blocks and of JSON's strings, and what is quoted."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate

from harness.reading.path_names import LONGEST, looks_like_path

_MARKERS = re.compile(
    r"^[ \t>]*(?:(?P<opens>(?:<{3,12}|-{5,12})[ \t]*(?:SEARCH|ORIGINAL|OLD|BEFORE|FIND|HEAD))"
    r"|(?:>{3,12}|\+{5,12})[ \t]*(?:REPLACE|UPDATED?|NEW|AFTER|END))\b.*$",
    re.IGNORECASE | re.MULTILINE,
)
_STRINGS = re.compile(r'"\w+"\s*+:\s*+"(?:[^"\\\n]|\\.)*+"')  # of JSON, behind their keys
_QUOTES = "\"'`"
_COMMENT = re.compile(r"(?:[ \t]*\S.*|[ \t]+)(?:#|//|/\*)[ \t]*")  # behind source, or indented as source is


class Protected:
    """The spans of an answer in which nothing is markup."""

    def __init__(self, text: str) -> None:
        self._text = text
        spans = sorted([*_blocks(text), *(found.span() for found in _STRINGS.finditer(text))])
        self._starts = [start for start, _ in spans]
        self._ends = list(accumulate((end for _, end in spans), max))  # a string may stand within a block

    def holds(self, start: int, end: int) -> bool:
        """Whether what stands there is source, or only spoken of."""
        number = bisect_right(self._starts, start) - 1
        return (number >= 0 and start < self._ends[number]) or self._mentioned(start, end)

    def _mentioned(self, start: int, end: int) -> bool:
        """Whether it stands in quotes, or within a sentence that goes on behind it."""
        before, after = self._text[max(0, start - 1) : start], self._text[end : end + 1]
        if (before and before in _QUOTES) or (after and after in "\"'"):
            return True
        ahead = self._text[max(0, start - 40) : start].rsplit("\n", 1)[-1]
        if _COMMENT.fullmatch(ahead):
            return True
        behind = self._text[end : end + 40].split("\n", 1)[0]
        spoken = re.search(r"[\w,][ \t]+\Z", ahead) and re.match(r"[.,;:)]|[ \t]+[a-z]|[ \t]*\Z", behind)
        return bool(spoken and behind.strip() and not self._heads(end))

    def _heads(self, end: int) -> bool:
        """Whether the rest of the line is a path alone, with which no sentence goes on."""
        line = self._text[end : end + LONGEST].split("\n", 1)[0].strip(" \t*_`:#")
        return " " not in line and looks_like_path(line)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """From behind each opening marker to the closing one, if no other opening one stands between."""
    start = -1
    for found in _MARKERS.finditer(text):
        if found["opens"]:
            start = found.end()
        elif start >= 0:
            yield start, found.start()
            start = -1
