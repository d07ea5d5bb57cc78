"""Headings underlined by equals signs, which look like the divider of a search/replace block."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.reading.path_names import MARKUP

_RULE = re.compile(r"[ \t]*={3,}[ \t]*")
PROSE = (*MARKUP, ".txt")  # files that may have such a heading as their first one


@dataclass(frozen=True)
class Style:
    """How the headings of one file look."""

    excess: int | None  # by how much an underline is longer than its title, at the least; None: there is none
    overlined: bool  # a line like the underline is above a title, too


def style_of(path: str, lines: Sequence[str]) -> Style:
    """The style of a file's headings; one of prose may have underlines as long as their titles, or longer."""
    found = [_excess(title, rule) for title, rule in pairwise(lines) if _underlines(title, rule)]
    overlined = any(_overlines(lines, number) for number in range(len(lines)))
    return Style(min([0, *found]) if found or path.endswith(PROSE) else None, overlined)


def likeness(lines: Sequence[str], style: Style) -> tuple[int, int]:
    """How well lines of equals signs suit a style, the higher the better: less those of no heading, then the others."""
    stray = rules = 0
    for number, line in enumerate(lines):
        if _RULE.fullmatch(line):
            over = style.overlined and _overlines(lines, number)
            under = number > 0 and _underlines(lines[number - 1], line)
            suits = over or (under and _suits(_excess(lines[number - 1], line), style))
            stray, rules = stray + (not suits), rules + suits
    return -stray, rules


def _suits(excess: int, style: Style) -> bool:
    return not excess or (style.excess is not None and excess >= style.excess)


def _excess(title: str, rule: str) -> int:
    return len(rule.strip()) - len(title.strip())


def _underlines(title: str, rule: str) -> bool:
    return bool(_RULE.fullmatch(rule) and title.strip() and not _RULE.fullmatch(title))


def _overlines(lines: Sequence[str], number: int) -> bool:
    """Whether a line is above a title that another one like it underlines."""
    part = lines[number : number + 3]
    return len(part) == 3 and part[0].strip() == part[2].strip() and _underlines(part[1], part[0])
