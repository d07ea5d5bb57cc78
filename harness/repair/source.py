"""What of the located source a repair prompt shows: all of it, or the pieces that matter most to the issue."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.core.interfaces import Snapshot
from harness.core.location import Location
from harness.repair.match import SourceFile
from harness.repo.located_source import RankedPieces

PIECE_LINES = 20  # source is shown or left out in pieces of at most so many lines


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
    """The source at some locations, in pieces by their relevance to an issue."""

    def __init__(self, issue: str, snapshot: Snapshot, locations: Sequence[Location]) -> None:
        """Reads the located files; what is no text, or is not in the snapshot, has nothing to show."""
        self._texts = dict(_texts(snapshot, locations))
        self.ranked = RankedPieces(issue, self._texts, locations, PIECE_LINES)

    def left_out(self, count: int) -> tuple[str, ...]:
        """All but the ``count`` most relevant pieces, as ``path:first-last``."""
        places = self.ranked.left_out(count)
        return tuple(f"{_readable(p.path)}:{first}-{last}" for p in places for first, last in p.intervals)

    def files(self, count: int) -> tuple[ShownFile, ...]:
        """The ``count`` most relevant pieces as a prompt shows them, those that touch joined."""
        return tuple(
            ShownFile(
                place.path,
                len(self._texts[place.path]),
                tuple(self._piece(place.path, first, last) for first, last in place.intervals),
            )
            for place in self.ranked.shown(count)
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


def _readable(path: str) -> str:
    """A path as valid Unicode, whatever bytes git holds for it."""
    return path.encode("utf-8", "replace").decode()
