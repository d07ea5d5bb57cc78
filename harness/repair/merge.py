"""What all edits of one file come to: each changes only what differs in it, and none undoes another.

Blocks may share lines. What a block changes is what is left when common beginnings and ends, and lines that occur once
on both sides, are taken off. A line that one block drops and another repeats is never dropped without a word.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise, product

from harness.repair.match import Match, SourceFile, opcodes
from harness.repo.diff import Replacement

Lines = Sequence[bytes]
MOST = 200  # edits that share lines; each is held against each
WORD = re.compile(rb"\w+")


class Overlap(Exception):
    """Two edits of one file that can't both be put in."""


@dataclass(frozen=True)
class Piece:
    """One change of a block. Two are equal if they have the same effect, wherever their blocks show it."""

    start: int  # index of the first line replaced, from 0, as far up as the file allows
    end: int
    lines: tuple[bytes, ...]
    low: int = field(compare=False)  # as far up as the block allows
    room: int = field(compare=False)  # lines further down that the block allows

    @property
    def inserts(self) -> bool:
        """Whether lines are only put in."""
        return self.start == self.end

    @property
    def high(self) -> int:
        """Index after the last line that it may replace."""
        return self.low + self.end - self.start + self.room

    def at(self, place: int) -> Replacement:
        """The change with its first line there."""
        cut = (place - self.start) % len(self.lines) if self.lines else 0
        return Replacement(place, place + self.end - self.start, self.lines[cut:] + self.lines[:cut])


def merge_matches(file: SourceFile, matches: Sequence[Match]) -> tuple[Replacement, ...]:
    """The changes of all matches, in order and apart. What two of them agree on counts once.

    Raises Overlap if two change the same lines differently, if one drops lines that another repeats, or if both put
    lines in one place and nothing says in which order.
    """
    distinct = {(match.start, match.end, match.lines): match for match in matches}
    ordered = sorted(distinct.values(), key=lambda match: (match.start, match.end))
    changes: list[Replacement] = []
    for group in _meeting(ordered):
        changes += group[0].replacements(file) if len(group) == 1 else _merged(file.lines, group)
    return tuple(_joined(sorted(changes, key=lambda change: (change.start, change.end))))


def _meeting(ordered: Sequence[Match]) -> list[list[Match]]:
    """The matches in groups of those that share lines; those of an empty file share its place."""
    groups: list[list[Match]] = []
    end = -1
    for match in ordered:
        if groups and (match.start < end or match.end == end == 0):
            groups[-1].append(match)
        else:
            groups.append([match])
        end = max(end, match.end)
    return groups


def _merged(lines: Lines, group: Sequence[Match]) -> list[Replacement]:
    if len(group) > MOST:
        raise Overlap(f"{len(group)} edits share line {group[-1].start + 1} and those around it")
    blocks = [(match, list(_pieces(lines, match))) for match in group]
    for (first, ours), (second, theirs) in combinations(blocks, 2):
        mine, others = [p for p in ours if p not in theirs], [p for p in theirs if p not in ours]
        _require_kept(lines, second, theirs, mine)
        _require_kept(lines, first, ours, others)
        for piece, other in product(mine, others):
            _require_apart(piece, other)
    placed: dict[Piece, Match] = {}
    for match, pieces in blocks:
        for piece in pieces:
            placed.setdefault(piece, match)
    inserted = sorted((piece for piece in placed if piece.inserts), key=lambda piece: piece.low)
    changes = [piece.at(piece.low) for piece in placed if not piece.inserts]
    return changes + [_together(pieces, placed) for pieces in _rivals(inserted)]


def _require_kept(lines: Lines, match: Match, pieces: Sequence[Piece], others: Sequence[Piece]) -> None:
    """Raise Overlap if other changes drop lines that the match repeats.

    A line changed for another one may be repeated as it was: blocks show the file as it is before all of them.
    """
    changed = {line for piece in pieces for line in range(piece.low, piece.high)}
    for piece in others:
        dropped = set(range(max(piece.low, match.start), min(piece.high, match.end))) - changed
        same = len(piece.lines) == piece.end - piece.start or all(_goes_on(lines[n], piece.lines) for n in dropped)
        kept = piece.inserts or (same and pieces)
        if dropped and not kept:
            raise Overlap(f"one edit drops line {min(dropped) + 1}, another repeats it")


def _goes_on(line: bytes, new: Lines) -> bool:
    """Whether one of the new lines has all words of a line, which then was changed and not dropped."""
    words = set(WORD.findall(line))
    return bool(words) and any(words <= set(WORD.findall(other)) for other in new)


def _require_apart(first: Piece, second: Piece) -> None:
    """Raise Overlap if two changes touch the same lines."""
    if first.inserts and second.inserts:
        return
    above, below = sorted((first, second), key=lambda piece: (piece.low, piece.high))
    if above.high > below.low:
        raise Overlap(f"two edits change line {below.low + 1}")


def _rivals(inserted: Sequence[Piece]) -> list[list[Piece]]:
    """The insertions in groups of those that could stand in the same place."""
    groups: list[list[Piece]] = []
    reach = -1
    for piece in inserted:
        if groups and piece.low <= reach:
            groups[-1].append(piece)
        else:
            groups.append([piece])
        reach = max(reach, piece.high)
    return groups


def _together(pieces: Sequence[Piece], matches: Mapping[Piece, Match]) -> Replacement:
    """Insertions that could stand in one place, in the order of their blocks if one begins and ends before the next."""
    place = max(piece.low for piece in pieces)
    ordered = sorted(pieces, key=lambda piece: (matches[piece].start, matches[piece].end))
    pairs = ((matches[above], matches[below]) for above, below in pairwise(ordered))
    if any(piece.high < place for piece in pieces) or any(
        first.start >= second.start or first.end >= second.end for first, second in pairs
    ):
        raise Overlap(f"two edits put lines in at line {place + 1}")
    return Replacement(place, place, tuple(line for piece in ordered for line in piece.at(place).lines))


def _pieces(lines: Lines, match: Match) -> Iterator[Piece]:
    """What the match changes, apart at lines that occur once in both its texts."""
    old = lines[match.start : match.end]
    for first, last, new_first, new_last in _split(old, match.lines):
        start, end, new = _trimmed(old, match.lines, first, last, new_first, new_last)
        if end > start or new:
            yield _piece(lines, match, match.start + start, match.start + end, tuple(new))


def _split(old: Lines, new: Lines) -> Iterator[tuple[int, int, int, int]]:
    """The ranges between equal runs that hold an anchor: a line that is not blank, once in each text."""
    before, after = Counter(old), Counter(new)
    first = new_first = 0
    for tag, start, end, new_start, new_end in opcodes(old, new):
        if tag == "equal" and any(line.strip() and before[line] == after[line] == 1 for line in old[start:end]):
            yield first, start, new_first, new_start
            first, new_first = end, new_end
    yield first, len(old), new_first, len(new)


def _trimmed(old: Lines, new: Lines, first: int, last: int, new_first: int, new_last: int) -> tuple[int, int, Lines]:
    """A range of both texts without its common beginning and end."""
    while first < last and new_first < new_last and old[first] == new[new_first]:
        first, new_first = first + 1, new_first + 1
    while first < last and new_first < new_last and old[last - 1] == new[new_last - 1]:
        last, new_last = last - 1, new_last - 1
    return first, last, new[new_first:new_last]


def _piece(lines: Lines, match: Match, start: int, end: int, new: tuple[bytes, ...]) -> Piece:
    """The change, with the places in which it has the same effect."""
    if new and end > start:
        return Piece(start, end, new, start, 0)
    moving = new or lines[start:end]
    up = down = 0
    while up < start and lines[start - 1 - up] == moving[-1 - up % len(moving)]:
        up += 1
    while end + down < match.end and lines[end + down] == moving[down % len(moving)]:
        down += 1
    low = max(start - up, match.start)
    cut = -up % len(new) if new else 0
    return Piece(start - up, end - up, new[cut:] + new[:cut], low, start + down - low)


def _joined(changes: Sequence[Replacement]) -> list[Replacement]:
    """The changes with those that touch as one."""
    joined: list[Replacement] = []
    for change in changes:
        if joined and joined[-1].end == change.start:
            last = joined.pop()
            joined.append(Replacement(last.start, change.end, last.lines + change.lines))
        else:
            joined.append(change)
    return joined
