"""What of an answer is source: the inside of what makes an edit and of JSON's strings, and what is quoted."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from harness.reading.path_names import LONGEST, looks_like_path
from harness.reading.source_spans import source_spans

_MARKERS = re.compile(
    r"^[ \t>]*(?:(?P<opens>(?:<{3,12}|-{5,12})[ \t]*(?:SEARCH|ORIGINAL|OLD|BEFORE|FIND|HEAD))"
    r"|(?:>{3,12}|\+{5,12})[ \t]*(?:REPLACE|UPDATED?|NEW|AFTER|END))\b.*$",
    re.IGNORECASE | re.MULTILINE,
)
_STRINGS = re.compile(r'"\w+"\s*+:\s*+"(?:[^"\\\n]|\\.)*+"')  # of JSON, behind their keys
_QUOTES = "\"'`"
_COMMENT = re.compile(r"(?:[ \t]*\S.*|[ \t]+)(?:#|//|/\*)[ \t]*")  # behind source, or indented as source is

_SPOKEN_BEHIND = re.compile(r"[.,;:)\"']|`(?!``)|[ \t]+(?:[a-z(]|[-–—=] )")  # with which a sentence goes on
_AND_ITS_END = re.compile(r"[`\"']?[ \t]*(?:,|/|and|or|to|with)[ \t]+[`\"']?<[ \t]?/")
MOST = 400  # characters of a line in which a tag that is spoken of may have its end


class Protected:
    """The spans of an answer in which nothing is markup; ``tags``: where each tag is, and the letter of its kind."""

    def __init__(self, text: str, tags: Sequence[tuple[int, int, str]]) -> None:
        self._text = text
        spans = sorted([*_blocks(text), *(found.span() for found in _STRINGS.finditer(text))])
        self._starts = [start for start, _ in spans]
        self._ends = list(accumulate((end for _, end in spans), max))  # a string may stand within a block
        self._source, self._doubtful = _in_source(text, tags) if tags else (set(), set())
        self._spoken = -1  # the end of the line on which a tag that opens is only spoken of

    def holds(self, start: int, end: int, opens: bool) -> bool:
        """Whether the tag that stands there is source, or only spoken of; tags are asked for in order."""
        number = bisect_right(self._starts, start) - 1
        if start in self._source or (number >= 0 and start < self._ends[number]):
            return True
        if not opens and start < self._spoken and _SPOKEN_BEHIND.match(self._text, end) and not self._heads(end):
            return True
        spoken = self._mentioned(start, end)
        if spoken and opens:
            line_end = self._text.find("\n", end, end + MOST)
            self._spoken = line_end if line_end >= 0 else end + MOST
        return spoken

    def doubts(self, start: int) -> bool:
        """Whether the tag that begins there may be source, but may as well end thinking."""
        return start in self._doubtful

    def _mentioned(self, start: int, end: int) -> bool:
        """Whether it stands in quotes, or within a sentence that goes on behind it."""
        before, after = self._text[max(0, start - 1) : start], self._text[end : end + 1]
        if (before and before in _QUOTES) or (after and after in "\"'"):
            return True
        ahead = self._text[max(0, start - 40) : start].rsplit("\n", 1)[-1]
        if _COMMENT.fullmatch(ahead) or _AND_ITS_END.match(self._text, end):
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


def _in_source(text: str, tags: Sequence[tuple[int, int, str]]) -> tuple[set[int], set[int]]:
    """Where the tags begin that are source, and those that may be.

    Within one part that is source, a tag with its counterpart is source, and so is one that opens. One that only ends
    thinking is in doubt if it stands alone on its line, and else ends it: a draft may have been given up in that part.
    """
    spans = source_spans(text)
    starts = [start for start, _ in spans]
    source: set[int] = set()
    doubtful: set[int] = set()
    current, opened = -1, 0
    for start, end, kind in tags:
        number = bisect_right(starts, start) - 1
        if number < 0 or end > spans[number][1]:
            continue
        if number != current:
            current, opened = number, 0
        if kind == "c" and not opened:
            doubtful |= {start} if _alone(text, start, end) else set()
            continue
        opened += {"o": 1, "c": -1}.get(kind, 0)
        source.add(start)
    return source, doubtful


def _alone(text: str, start: int, end: int) -> bool:
    """Whether nothing but white space and the sign of a hunk's line stands on a line with what is there."""
    ahead = text[max(0, start - LONGEST) : start].rsplit("\n", 1)[-1]
    return not ahead.strip(" \t+-") and not text[end : end + LONGEST].split("\n", 1)[0].strip()
