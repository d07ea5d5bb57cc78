"""The answer proper: what a model wrote, without what it thought before or between. Its dialects are data."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.reading.protected import Protected

TABLE = Path(__file__).with_name("thinking.toml")
MARGIN = 60  # characters of a line that are looked at
BRACKETS = "tags"  # the dialects of tags in angle brackets, which models also mix


@dataclass(frozen=True)
class Tag:
    """What opens or ends thinking, where it stands in an answer."""

    start: int
    end: int
    dialect: int  # its number in the table
    opens: bool


@dataclass(frozen=True)
class Dialects:
    """The table, compiled."""

    any: re.Pattern[str]  # every tag; the group that matches is named o or c and the dialect's number
    first: frozenset[int]  # dialects that only begin an answer
    brackets: int  # so many dialects from 0 are tags in angle brackets
    wrapping: re.Pattern[str]  # what opens the answer proper
    wrapped: re.Pattern[str]  # what ends it


def without_thinking(text: str) -> str:
    """The answer proper: line feeds only, valid Unicode, and nothing of what the model thought.

    A tag that opens thinking takes all up to the one that ends it, or to the end of the answer. One that ends thinking
    without an opening one takes all before it: some chat templates open the thinking in the prompt. Tags in whole
    search/replace blocks, in quotes and within sentences are source, or spoken of.
    """
    text = text.replace("\r\n", "\n").encode("utf-8", "replace").decode().removeprefix("\ufeff")
    kept: list[str] = []
    position = 0
    tags = list(_tags(text))
    for tag, end in zip(tags, _ends(tags), strict=True):
        if tag.start < position:
            continue
        if not tag.opens:
            kept, position = [], tag.end
        elif end is not None or _unended(tag, text):
            kept.append(text[position : tag.start])
            opened = _dialects().wrapping.search(text, tag.end) if end is None else None
            position = end or (opened.start() if opened else len(text))
    return _unwrapped("".join([*kept, text[position:]]))


def _unended(tag: Tag, text: str) -> bool:
    """Whether a tag that nothing ends begins thinking all the same: at the beginning of its line."""
    before = text[max(0, tag.start - MARGIN) : tag.start].rsplit("\n", 1)[-1]
    return tag.dialect not in _dialects().first and not before.strip(" \t>*#-")


def _tags(text: str) -> Iterator[Tag]:
    """The tags of all dialects, in order, that are neither source nor spoken of."""
    dialects, protected = _dialects(), Protected(text)
    begun = len(text) - len(text.lstrip())
    leading: int | None = None  # the dialect that only begins an answer, if one does
    for found in dialects.any.finditer(text):
        group = found.lastgroup or ""
        number, opens = int(group[1:]), group[0] == "o"
        if number in dialects.first:
            leading = number if opens and found.start() == begun else leading
            if leading != number or (opens and found.start() != begun):
                continue
        elif found.start() != begun and protected.holds(found.start(), found.end()):
            continue
        yield Tag(found.start(), found.end(), number, opens)


def _ends(tags: Sequence[Tag]) -> list[int | None]:
    """For each tag where the next one ends that closes its dialect, or any in brackets if none closes its own."""
    following: dict[int | str, int] = {}
    ends: list[int | None] = []
    brackets = _dialects().brackets
    for tag in reversed(tags):
        bracketed = tag.dialect < brackets
        ends.append(following.get(tag.dialect, following.get(BRACKETS) if bracketed else None))
        if not tag.opens:
            following[tag.dialect] = tag.end
            if bracketed:
                following[BRACKETS] = tag.end
    return ends[::-1]


def _unwrapped(text: str) -> str:
    """The answer without what may stand around all of it."""
    dialects = _dialects()
    begun = len(text) - len(text.lstrip())
    while found := dialects.wrapping.match(text, begun):
        text, begun = text[found.end() :], 0
    end = len(text.rstrip())
    tail = text[max(0, end - MARGIN) : end]
    if found := dialects.wrapped.search(tail):
        text = text[: max(0, end - MARGIN) + found.start()] + "\n"
    return text


@cache
def _dialects() -> Dialects:
    raw = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    pairs = [_bracketed(name) for name in raw["tags"]] + [(d["open"], d["close"]) for d in raw["dialects"]]
    groups = (f"(?P<o{number}>{opening})|(?P<c{number}>{closing})" for number, (opening, closing) in enumerate(pairs))
    first = {len(raw["tags"]) + number for number, d in enumerate(raw["dialects"]) if d.get("first")}
    wrappers = raw["wrappers"]
    return Dialects(
        any=re.compile(f"(?={raw['begins']})(?:{'|'.join(groups)})", re.IGNORECASE),
        first=frozenset(first),
        brackets=len(raw["tags"]),
        wrapping=re.compile(f"(?:{'|'.join(w['open'] for w in wrappers)})[ \t]*\n?", re.IGNORECASE),
        wrapped=re.compile(f"(?:{'|'.join(w['close'] for w in wrappers)})\\Z", re.IGNORECASE),
    )


def _bracketed(name: str) -> tuple[str, str]:
    """The patterns of a tag in angle brackets: with white space, attributes or a suffix (hy_v3) or without."""
    rest = r"(?::[\w-]+)?(?:\s[^<>\n]{0,200})?"
    return rf"<[ \t]?{re.escape(name)}{rest}>", rf"<[ \t]?/[ \t]?{re.escape(name)}{rest}>"
