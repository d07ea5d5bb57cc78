"""The answer proper: what a model wrote, without what it thought before or between. Its dialects are data."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.reading.protected import Protected

TABLE = Path(__file__).with_name("thinking.toml")
MARGIN = 60  # characters of a line that are looked at
BRACKETS = "tags"  # the dialects of tags in angle brackets, which models also mix
_SPACE = re.compile(r"\s*")
_TURN = re.compile(  # what opens the model's own turn: some servers give it back with the answer
    r"\s*(?:<\|im_start\|>assistant(?:<\|im_sep\|>)?|<\|start_header_id\|>assistant<\|end_header_id\|>|\[/INST\]"
    r"|<\|assistant\|>|<start_of_turn>model|<｜Assistant｜>)"
)


FOLLOWED = 1500  # characters behind an end in which its sign must stand


@dataclass(frozen=True)
class Tag:
    """What opens or ends thinking, where it stands in an answer."""

    start: int
    end: int
    dialect: int  # its number in the table
    opens: bool
    answers: bool = False  # ends thinking, and what was answered before stays
    doubtful: bool = False  # it may be source, unless thinking that has begun would have no end without it


@dataclass(frozen=True)
class Dialect:
    """One way to set thinking apart."""

    first: bool = False  # it only begins an answer
    paired: bool = False  # it only counts with its end
    visible: re.Pattern[str] | None = None  # of an opening that is no thinking without an end
    followed: re.Pattern[str] | None = None  # what must stand behind an end


@dataclass(frozen=True)
class Dialects:
    """The table, compiled."""

    any: re.Pattern[str]  # every tag, in a group named by the letter of its kind and the dialect's number
    plain: re.Pattern[str]  # likewise, but for the dialects that only begin an answer
    leading: re.Pattern[str]  # what opens thinking in one of those
    each: Sequence[Dialect]
    brackets: int  # so many dialects from 0 are tags in angle brackets
    wrapping: re.Pattern[str]  # what opens the answer proper
    wrapped: re.Pattern[str]  # what ends it


def without_thinking(text: str) -> str:
    """The answer proper: line feeds only, valid Unicode, and nothing of what the model thought.

    A tag that opens thinking takes all up to the one that ends it, or to the end of the answer. One that ends thinking
    without an opening one takes all before it: some chat templates open the thinking in the prompt. Tags in what an
    edit puts in or looks for, in quotes and within sentences are source, or spoken of.
    """
    text = text.replace("\r\n", "\n").encode("utf-8", "replace").decode().removeprefix("\ufeff")
    text = _TURN.sub("", text, count=1) if _TURN.match(text) else text
    kept: list[str] = []
    position = 0
    tags = _certain(list(_tags(text)), text)
    for tag, end in zip(tags, _ends(tags), strict=True):
        if tag.start < position:
            continue
        if tag.answers:
            kept.append(text[position : tag.start])
            position = tag.end
        elif not tag.opens:
            kept, position = [], tag.end
        elif end is not None or _unended(tag, text):
            kept.append(text[position : tag.start])
            opened = _dialects().wrapping.search(text, tag.end) if end is None else None
            position = end or (opened.start() if opened else len(text))
        elif _visible(tag, text):
            kept.append(text[position : tag.start])
            position = tag.end
    return _unwrapped("".join([*kept, text[position:]]))


def _certain(tags: Sequence[Tag], text: str) -> Sequence[Tag]:
    """The tags without the doubtful ones, if what they leave has its end."""
    certain = [tag for tag in tags if not tag.doubtful]
    if len(certain) == len(tags):
        return tags
    ends = zip(certain, _ends(certain), strict=True)
    endless = any(tag.opens and end is None and _unended(tag, text) for tag, end in ends)
    return tags if endless else certain


def _unended(tag: Tag, text: str) -> bool:
    """Whether a tag that nothing ends begins thinking all the same: at the beginning of its line."""
    dialect = _dialects().each[tag.dialect]
    before = text[max(0, tag.start - MARGIN) : tag.start].rsplit("\n", 1)[-1]
    return not dialect.first and not dialect.paired and not _visible(tag, text) and not before.strip(" \t>*#-")


def _visible(tag: Tag, text: str) -> bool:
    """Whether a tag that nothing ends opens what is meant to be seen."""
    visible = _dialects().each[tag.dialect].visible
    return bool(visible and visible.search(text[tag.start : tag.end]))


def _tags(text: str) -> Iterator[Tag]:
    """The tags of all dialects, in order, that are neither source nor spoken of."""
    dialects = _dialects()
    begun = len(text) - len(text.lstrip())
    leading: int | None = None  # the dialect that only begins an answer, if one does and has not ended
    paired: int | None = None  # the dialect that only counts with its end, while one is open
    signs = _Signs(text)
    pattern = dialects.any if dialects.leading.match(text, begun) else dialects.plain
    every = list(pattern.finditer(text))
    protected = Protected(text, [(*found.span(), (found.lastgroup or "")[0]) for found in every])
    for found in every:
        group = found.lastgroup or ""
        number, kind = int(group[1:]), group[0]
        tag = Tag(*found.span(), number, kind in "ow", kind == "a", protected.doubts(found.start()))
        dialect = dialects.each[number]
        if dialect.first:
            leading = number if tag.opens and tag.start == begun else leading
            if leading != number or (tag.opens and tag.start != begun):
                continue
            if not tag.opens:
                if dialect.followed and not signs.follow(dialect.followed, tag.end):
                    continue
                leading = None
        elif tag.start != begun and protected.holds(tag.start, tag.end, tag.opens):
            continue
        if dialect.paired:
            if not tag.opens and paired != number:
                continue
            paired = number if tag.opens else None
        yield tag
        if kind == "w":
            yield Tag(tag.end, tag.end, number, False)


class _Signs:
    """Says whether a sign stands behind a place; each part of the text is looked through once."""

    def __init__(self, text: str) -> None:
        self._text, self._next = text, -1

    def follow(self, sign: re.Pattern[str], place: int) -> bool:
        """Whether ``sign``, the same at every call, begins so near behind ``place``; places come in order."""
        if self._next < place:
            found = sign.search(self._text, place)
            self._next = found.start() if found else len(self._text) + FOLLOWED + 1
        return self._next <= place + FOLLOWED


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
    begun = start = 0
    while found := dialects.wrapping.match(text, begun := _SPACE.match(text, begun).end()):  # type: ignore[union-attr]
        start = begun = found.end()
    end = len(text.rstrip())
    tail = max(start, end - MARGIN)
    if found := dialects.wrapped.search(text[tail:end]):
        return text[start : tail + found.start()] + "\n"
    return text[start:]


@cache
def _dialects() -> Dialects:
    raw = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    tags = [_bracketed(name) for name in raw["tags"]]
    groups = [_groups(number, pair) for number, pair in enumerate([*tags, *raw["dialects"]])]
    bracketed = f"(?=<)(?:{'|'.join(groups[: len(tags)])})"  # none of them is tried where no bracket stands
    later = list(zip(raw["dialects"], groups[len(tags) :], strict=True))
    plain = [group for dialect, group in later if not dialect.get("first")]
    begins, wrappers = raw["begins"], raw["wrappers"]
    return Dialects(
        any=_compiled(f"{begins}|{raw['begins_first']}", [bracketed, *(group for _, group in later)]),
        plain=_compiled(begins, [bracketed, *plain]),
        leading=_compiled(raw["begins_first"], [dialect["open"] for dialect, _ in later if dialect.get("first")]),
        each=[*(Dialect() for _ in tags), *map(_dialect, raw["dialects"])],
        brackets=len(tags),
        wrapping=re.compile(f"(?:{'|'.join(w['open'] for w in wrappers)})[ \t]*\n?", re.IGNORECASE),
        wrapped=re.compile(f"(?:{'|'.join(w['close'] for w in wrappers)})\\Z", re.IGNORECASE),
    )


def _compiled(begins: str, patterns: Sequence[str]) -> re.Pattern[str]:
    """Any of the patterns, where one of the signs begins that they begin with."""
    return re.compile(f"(?={begins})(?:{'|'.join(patterns)})", re.IGNORECASE)


def _groups(number: int, raw: Mapping[str, str]) -> str:
    """The patterns of one dialect, each as a group; of calls first, since they begin as an opening does."""
    kinds = [(key[0], raw[key]) for key in ("answers", "whole", "open", "close") if key in raw]
    return "|".join(f"(?P<{letter}{number}>{pattern})" for letter, pattern in kinds)


def _dialect(raw: Mapping[str, Any]) -> Dialect:
    visible, followed = (re.compile(raw[key]) if key in raw else None for key in ("visible", "followed"))
    return Dialect(raw.get("first", False), raw.get("paired", False), visible, followed)


def _bracketed(name: str) -> dict[str, str]:
    """The patterns of a tag in angle brackets: with white space, attributes or a suffix (hy_v3) or without."""
    rest = r"(?::[\w-]+)?(?:\s[^<>\n]{0,200})?"
    return {"open": rf"<[ \t]?{re.escape(name)}{rest}>", "close": rf"<[ \t]?\\?/[ \t]?{re.escape(name)}{rest}>"}
