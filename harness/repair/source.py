"""What of the located source a repair prompt shows: all of it, or the blocks that matter most to the issue."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.location import Location, merge_intervals
from harness.repair.match import SourceFile
from harness.repo.search import relevance
from harness.seams import Snapshot

BLOCK_LINES = 20  # source is shown or left out in pieces of at most so many lines


@dataclass(frozen=True)
class Block:
    """Some lines of a located file, shown together or not at all."""

    path: str
    first: int  # from 1, both included
    last: int


@dataclass(frozen=True)
class Piece:
    """Lines of a file as the prompt shows them."""

    first: int
    last: int
    text: str


@dataclass(frozen=True)
class ShownFile:
    """A file as the prompt shows it."""

    path: str
    length: int  # lines of the whole file
    pieces: tuple[Piece, ...]

    @property
    def whole(self) -> bool:
        """Whether no line is missing."""
        return sum(piece.last - piece.first + 1 for piece in self.pieces) == self.length


class LocatedSource:
    """The source at some locations, in blocks by their relevance to an issue."""

    def __init__(self, issue: str, snapshot: Snapshot, locations: Sequence[Location]) -> None:
        """Reads the located files; what is no text, or is not in the snapshot, has nothing to show."""
        self._texts = dict(_texts(snapshot, locations))
        blocks = [block for place in locations for block in _blocks(place, self._texts.get(place.path, []))]
        bodies = ["\n".join(self._texts[b.path][b.first - 1 : b.last]) for b in blocks]
        scores = relevance(issue, bodies)
        order = sorted(range(len(blocks)), key=lambda i: -scores[i])  # stable: of equals the earlier location
        self.blocks: tuple[Block, ...] = tuple(blocks[i] for i in order)

    def shown(self, count: int) -> tuple[Location, ...]:
        """The ``count`` most relevant blocks as locations, in the order of the files."""
        return _joined(self.blocks[:count], self._texts)

    def left_out(self, count: int) -> tuple[str, ...]:
        """The other blocks, as ``path:first-last``."""
        places = _joined(self.blocks[count:], self._texts)
        return tuple(f"{_readable(p.path)}:{first}-{last}" for p in places for first, last in p.intervals)

    def files(self, count: int) -> tuple[ShownFile, ...]:
        """The ``count`` most relevant blocks as a prompt shows them, those that touch joined."""
        return tuple(
            ShownFile(
                place.path,
                len(self._texts[place.path]),
                tuple(self._piece(place.path, first, last) for first, last in place.intervals),
            )
            for place in self.shown(count)
        )

    def _piece(self, path: str, first: int, last: int) -> Piece:
        return Piece(first, last, "\n".join(self._texts[path][first - 1 : last]))


def _texts(snapshot: Snapshot, locations: Sequence[Location]) -> Iterable[tuple[str, list[str]]]:
    known = set(snapshot.paths())
    for place in locations:
        if place.path in known:
            file = SourceFile(snapshot.read(place.path))
            if not file.binary:
                yield place.path, file.text()


def _blocks(place: Location, text: list[str]) -> Iterable[Block]:
    for first, last in place.intervals or ((1, len(text)),):
        for start in range(first, min(last, len(text)) + 1, BLOCK_LINES):
            yield Block(place.path, start, min(start + BLOCK_LINES - 1, last, len(text)))


def _joined(blocks: Sequence[Block], order: Mapping[str, object]) -> tuple[Location, ...]:
    found = ((path, merge_intervals((b.first, b.last) for b in blocks if b.path == path)) for path in order)
    return tuple(Location(path, intervals) for path, intervals in found if intervals)


def _readable(path: str) -> str:
    """A path as valid Unicode, whatever bytes git holds for it."""
    return path.encode("utf-8", "replace").decode()
