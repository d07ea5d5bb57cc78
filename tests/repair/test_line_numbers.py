"""Search texts with line numbers in whatever form: met as `dressed`, whether or not the replacement has them."""

import pytest

from harness.core.candidate import Edit, Grade
from harness.repair.edits import apply_edits
from harness.repo.memory_snapshot import MemorySnapshot

LINES = ["    if x:", "        y = 1", "", "        return y", "    return x"]
SOURCE = "def f(x):\n" + "".join(f"{line}\n" for line in LINES)
NEW = ["    if x > 0:", "        y = 2", "", "        return y", "    return x"]
FIXED = "def f(x):\n" + "".join(f"{line}\n" for line in NEW)
SIGNS = ["{}:", "{}: ", "{}:\t", "{}-", "{}. ", "{}) ", "L{}: ", "Line {}: ", "[{}] ", "[{}]", "[{}]: "]
SIGNS += ["{}|", "{}| ", "{} | ", "{} │ ", "{}\t", "{:>6}\t", "{}→", "{:>6}→", "{}→ ", "{}  ", "{} ", "{}", "{:>4} "]


def applied(search: str, new: str, source: str = SOURCE) -> tuple[str, tuple[Grade, ...]]:
    """A file after one edit, and by which grade its search text was met."""
    done = apply_edits([Edit("a.py", search, new)], MemorySnapshot({"a.py": source.encode()}), [])
    return done.changes[0].content.decode(), done.grades


def numbered(lines: list[str], sign: str, blank: str, first: int = 19) -> str:
    """The lines with their numbers: blank ones without white space at their end, or with the number alone."""
    marks = [sign.format(first + number) for number in range(len(lines))]
    bare = {"stripped": str.rstrip, "kept": str, "alone": lambda mark: mark.strip(" \t|│:.)→-")}[blank]
    return "".join(f"{mark + line if line else bare(mark)}\n" for mark, line in zip(marks, lines, strict=True))


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("blank", ["kept", "stripped", "alone"])
@pytest.mark.parametrize("sign", SIGNS)
def test_numbers_ahead_of_lines_are_no_part_of_them(sign, blank):
    search = numbered(LINES, sign, blank)
    assert applied(search, text(NEW)) == (FIXED, (Grade.DRESSED,))
    assert applied(search, numbered(NEW, sign, blank)) == (FIXED, (Grade.DRESSED,))
    assert applied(search, numbered(NEW, sign, blank, first=1)) == (FIXED, (Grade.DRESSED,))


@pytest.mark.parametrize("sign", ["{}:", "{}: ", "[{}] ", "{}\t"])
def test_a_replacement_whose_lines_begin_with_numbers_keeps_them(sign):
    """A table's keys were taken for numbers of lines."""
    old, new = ['    1: "a",', '    2: "b",'], ['    1: "c",', "    3", "    [4]"]
    source = text(["x = {", *old, "}"])
    made, _ = applied(numbered(old, sign, "kept"), text(new), source)
    assert made == text(["x = {", *new, "}"])


def test_lines_of_which_one_lacks_a_number_are_met_as_they_are():
    source = '1: "a"\nx\n'
    assert applied('1: "a"\nx\n', '2: "a"\nx\n', source) == ('2: "a"\nx\n', (Grade.EXACT,))
