"""A test log in parts of bounded size, each read without the others: logs have up to gigabytes."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harness.common.inert import inert
from harness.grading.log_grading import log_text
from harness.report.failing_lines import failing_lines

PART = 1 << 18  # bytes of a part
OVERLAP = 1 << 12  # bytes behind a part's end in which the end of its last line is looked for
SEARCHED = 1 << 21  # bytes at a log's end in which failing tests are looked for: runners report them last
LINE = 2_000  # characters of a line in an excerpt
EXCERPTS = 5  # failing tests whose lines are shown


class Excerpt(NamedTuple):
    """Why a test failed, in the log's words."""

    test: str
    lines: list[str]
    part: int  # of the log, in which the first of the lines is


def part_count(log: Path) -> int:
    """Parts of a log; 0 if there is none."""
    return math.ceil(log.stat().st_size / PART) if log.is_file() else 0


def read_part(log: Path, number: int) -> str:
    """One part as inert text: from a line's begin to a line's end, if the lines are no longer than `OVERLAP`."""
    with log.open("rb") as file:
        file.seek(number * PART)
        data = file.read(PART + OVERLAP)
    first = _line_end(data, 0) if number else 0
    return inert(log_text(data[first : _line_end(data, PART)]))


def _line_end(data: bytes, place: int) -> int:
    """Behind the first line end at or after ``place``, or ``place`` itself if there is none nearby."""
    return data.find(b"\n", place, place + OVERLAP) + 1 or place


def excerpts(log: Path, failed: Sequence[str]) -> list[Excerpt]:
    """The lines about the first failed tests at the log's end."""
    if not failed or not log.is_file():
        return []
    with log.open("rb") as file:
        begin = max(0, log.stat().st_size - SEARCHED)
        file.seek(begin)
        data = file.read()
    lines = [line[:LINE] for line in log_text(data).split("\n")]
    found: list[Excerpt] = []
    for test in failed[:EXCERPTS]:
        about = failing_lines(lines, test)
        if about:
            place = begin + max(0, data.find(about[0].encode("utf-8", "replace")))
            found.append(Excerpt(inert(test), [inert(line) for line in about], place // PART))
    return found
