"""Meeting a search text with a file: whole lines, in one place only, by grades of likeness.

Files are bytes throughout: what an edit does not touch stays as it is, whatever its encoding and newlines,
and so do lines that the edit repeats unchanged.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.core.candidate import Edit, Grade, Reason
from harness.core.location import Interval
from harness.errors import HarnessError
from harness.repair.dress import undressed
from harness.repair.indentation import retabbed, shift_between, shifted
from harness.repo.diff import Replacement, split_lines

BOM, MARK = b"\xef\xbb\xbf", "\ufeff"  # a byte order mark, in a file and in a text

REPEATED, MOST_REPEATED = 100_000, 3_000_000  # equal pairs of two texts' lines, of few different ones and of many
DISTINCT = 20  # times as many lines as different ones make these few

DRESS = 4  # lines that models put around those of a block, blank ones not counted

# what two lines must have in common to match, by grade, best first
KEYS: Mapping[Grade, Callable[[bytes], bytes]] = {
    Grade.EXACT: lambda line: line.removesuffix(b"\n"),
    Grade.WHITESPACE: bytes.rstrip,
    Grade.REINDENTED: bytes.strip,
}


class EditRefused(HarnessError):
    """An answer's edits can't be put in: the reason, and the detail in one line."""

    def __init__(self, reason: Reason, detail: str) -> None:
        detail = " ".join(detail.splitlines())  # it may name what the answer has in several lines
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class SourceFile:
    """A file's bytes, as lines and as text."""

    data: bytes
    _keyed: dict[Grade, list[bytes]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def binary(self) -> bool:
        """Whether this is no text: it holds a NUL."""
        return b"\0" in self.data

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines with their endings."""
        return split_lines(self.data)

    @cached_property
    def encoding(self) -> str:
        """The codec that reads and writes the text byte for byte: UTF-8, else Latin-1, which holds any byte."""
        try:
            self.data.decode()
        except UnicodeDecodeError:
            return "latin-1"
        return "utf-8"

    @cached_property
    def newline(self) -> bytes:
        """The ending of most lines."""
        return _newline(self.lines) or b"\n"

    @cached_property
    def bare_lines(self) -> list[bytes]:
        """The lines without a byte order mark in front of the first, as models write them."""
        return [self.lines[0].removeprefix(BOM), *self.lines[1:]] if self.lines else []

    @cached_property
    def words(self) -> frozenset[bytes]:
        """The lines without white space around them, each once."""
        return frozenset(self.keyed(Grade.REINDENTED))

    def keyed(self, grade: Grade) -> list[bytes]:
        """What each line must have in common with another to match it by that grade."""
        if grade not in self._keyed:
            self._keyed[grade] = [KEYS[grade](line) for line in self.bare_lines]
        return self._keyed[grade]

    def text(self) -> list[str]:
        """The lines as a model is shown them, without endings."""
        return [line.rstrip(b"\r\n").decode(self.encoding) for line in self.bare_lines]

    def encode(self, text: str) -> bytes:
        """Text in the file's encoding. Raises EditRefused if that lacks a character, or for a NUL."""
        if "\0" in text:
            raise EditRefused(Reason.BINARY_FILE, "the replacement holds a NUL")
        try:
            return text.encode(self.encoding)
        except UnicodeEncodeError as error:
            detail = f"the file is {self.encoding}, which has no {text[error.start]!r}"
            raise EditRefused(Reason.UNENCODABLE, detail) from error


@dataclass(frozen=True)
class Match:
    """The lines of a file that a search text met, and what goes in their place."""

    start: int  # index of the first line, from 0
    end: int  # index after the last
    lines: tuple[bytes, ...]
    grade: Grade

    def replacements(self, file: SourceFile) -> list[Replacement]:
        """The lines that truly change, in order."""
        old = file.lines[self.start : self.end]
        return [
            Replacement(self.start + first, self.start + last, self.lines[new_first:new_last])
            for tag, first, last, new_first, new_last in opcodes(old, self.lines)
            if tag != "equal"
        ]


def match_edit(edit: Edit, file: SourceFile, shown: Sequence[Interval]) -> Match:
    """The one place of the file that the edit's search text means, by the best grade that meets any.

    Of several places the one inside the ``shown`` intervals counts. Raises EditRefused if there is none or
    more than one.
    """
    found = find_places(edit, file)
    found = inside(found, shown) or found
    if len(found) > 1:
        lines = ", ".join(str(match.start + 1) for match in found[:5])
        raise EditRefused(Reason.AMBIGUOUS_MATCH, f"the file holds the search text {len(found)} times: {lines}")
    return found[0]


def inside(matches: Sequence[Match], shown: Sequence[Interval]) -> list[Match]:
    """The matches inside of one of the ``shown`` intervals."""
    return [m for m in matches if any(first <= m.start + 1 and m.end <= last for first, last in shown)]


def find_places(edit: Edit, file: SourceFile) -> list[Match]:
    """Every place that the edit's search text meets by the best grade that meets any, in order.

    Raises EditRefused if there is none.
    """
    edit = dataclasses.replace(edit, search=edit.search.removeprefix(MARK), replace=edit.replace.removeprefix(MARK))
    if not edit.search.strip():
        if file.lines:
            raise EditRefused(Reason.AMBIGUOUS_MATCH, "an empty search text for a file that is not empty")
        return [Match(0, 0, tuple(split_lines(file.encode(edit.replace))), Grade.NEW_FILE)]
    if sum(1 for line in edit.search.split("\n") if line.strip()) > len(file.lines) + DRESS:
        raise EditRefused(
            Reason.NO_MATCH, f"the search text is longer than the file, which has {len(file.lines)} lines"
        )
    lacking = ""
    reindented: list[Match] = []  # what is stripped may be of the lines themselves: one that fits as it is comes first
    for plain in (edit, *undressed(edit)):
        try:
            found = _meetings(plain, file)
        except UnicodeEncodeError as error:
            lacking = lacking or f"the file holds no {error.object[error.start]!r}"
            continue
        if found and plain is edit:
            return found
        dressed = [dataclasses.replace(match, grade=Grade.DRESSED) for match in found]
        if found and found[0].grade is not Grade.REINDENTED:
            return dressed
        reindented = reindented or dressed
    if reindented:
        return reindented
    raise EditRefused(
        Reason.NO_MATCH, lacking or f"the file does not hold the search text {edit.search.strip()[:80]!r}"
    )


def _meetings(edit: Edit, file: SourceFile) -> list[Match]:
    """All places by the best grade that meets any."""
    search, replace = split_lines(edit.search.encode(file.encoding)), split_lines(file.encode(edit.replace))
    if len(search) > len(file.lines):
        return []
    exact = _places(file, search, Grade.EXACT)
    if not exact and not all(line.strip() in file.words for line in search):  # so that it meets by no grade
        return []
    for grade in KEYS:
        if found := _meet(file, search, replace, grade):
            return found
    for grade in (Grade.WHITESPACE, Grade.REINDENTED):
        for other_search, other_replace in retabbed(search, replace):
            if found := _meet(file, other_search, other_replace, grade):
                return [dataclasses.replace(match, grade=Grade.REINDENTED) for match in found]
    return []


def _meet(file: SourceFile, search: list[bytes], replace: list[bytes], grade: Grade) -> list[Match]:
    """The places by that grade."""
    count = len(search)
    starts = _places(file, search, grade)
    return [Match(start, start + count, _lines(file, start, search, replace, grade), grade) for start in starts]


def _places(file: SourceFile, search: list[bytes], grade: Grade) -> list[int]:
    keyed, wanted, count = file.keyed(grade), [KEYS[grade](line) for line in search], len(search)
    starts = [
        start
        for start in range(len(keyed) - count + 1)
        if keyed[start] == wanted[0] and keyed[start : start + count] == wanted
    ]
    if grade is not Grade.REINDENTED:
        return starts
    return [start for start in starts if shift_between(file.bare_lines[start : start + count], search)]


def _reindented(file: SourceFile, start: int, search: list[bytes], replace: list[bytes]) -> list[bytes]:
    """The replacement with the indentation that the file has and the search text lacks."""
    shift = shift_between(file.bare_lines[start : start + len(search)], search)
    lines = shifted(replace, shift) if shift else None
    if lines is None:
        raise EditRefused(Reason.NO_MATCH, "the replacement is less indented than the search text needs it to be")
    return lines


def _lines(file: SourceFile, start: int, search: list[bytes], replace: list[bytes], grade: Grade) -> tuple[bytes, ...]:
    """What stands in the place of the matched lines: their own if the edit repeats a line, in the file's style."""
    old = file.bare_lines[start : start + len(search)]
    written = _reindented(file, start, search, replace) if grade is Grade.REINDENTED else replace
    newline = _newline(old) or file.newline
    lines: list[bytes] = []
    for tag, first, last, new_first, new_last in opcodes(search, replace):
        if tag == "equal":
            lines += [line if line.endswith(b"\n") else line + newline for line in old[first:last]]
        else:
            lines += [line.removesuffix(b"\n") + newline for line in written[new_first:new_last]]
    if lines and not old[-1].endswith(b"\n"):
        lines[-1] = lines[-1].removesuffix(newline)
    if lines and old[0] != file.lines[start]:
        lines[0] = BOM + lines[0]
    return tuple(lines)


def opcodes(old: Sequence[bytes], new: Sequence[bytes]) -> list[tuple[str, int, int, int, int]]:
    """How one sequence of lines becomes the other, as difflib puts it.

    Long ones that repeat few lines become each other in one piece between their common beginning and end: difflib takes
    cubic time for them.
    """
    from cydifflib import SequenceMatcher  # difflib itself takes 15 s for 1,000 lines of an answer that repeats itself

    if len(old) * len(new) > REPEATED and _repeat(old, new):
        return list(_in_one_piece(old, new))
    return list(SequenceMatcher(None, old, new, autojunk=False).get_opcodes())


def _repeat(old: Sequence[bytes], new: Sequence[bytes]) -> bool:
    """Whether so many pairs of lines are equal that comparing all would take seconds."""
    before, after = Counter(old), Counter(new)
    pairs = sum(count * after[line] for line, count in before.items())
    few = DISTINCT * len(before.keys() | after.keys()) < len(old) + len(new)
    return pairs > (REPEATED if few else MOST_REPEATED)


def _in_one_piece(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[tuple[str, int, int, int, int]]:
    shorter = min(len(old), len(new))
    first = next((number for number in range(shorter) if old[number] != new[number]), shorter)
    left = shorter - first
    last = next((number for number in range(left) if old[-1 - number] != new[-1 - number]), left)
    pieces = [
        ("equal", 0, first, 0, first),
        ("replace", first, len(old) - last, first, len(new) - last),
        ("equal", len(old) - last, len(old), len(new) - last, len(new)),
    ]
    yield from ((tag, a, b, c, d) for tag, a, b, c, d in pieces if a < b or c < d)


def _newline(lines: Sequence[bytes]) -> bytes:
    """The ending of most of the lines that have one; empty if none has."""
    ended = [line for line in lines if line.endswith(b"\n")]
    crlf = sum(line.endswith(b"\r\n") for line in ended)
    return (b"\r\n" if 2 * crlf > len(ended) else b"\n") if ended else b""
