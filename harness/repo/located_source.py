"""Located source in pieces, the most relevant to an issue first: what a prompt has no room for is the rest of them."""

from collections.abc import Iterator, Mapping, Sequence

from harness.core.location import Location, merge_intervals
from harness.repo.search import relevance


class RankedPieces:
    """Pieces of files' lines, each shown as a whole or not at all; of pieces as relevant the earlier comes first."""

    def __init__(self, issue: str, texts: Mapping[str, Sequence[str]], located: Sequence[Location], lines: int) -> None:
        """Cut what is ``located`` in the files of ``texts`` into pieces of at most so many lines."""
        self._texts = texts
        pieces = [piece for place in located for piece in _cut(place, len(texts.get(place.path, ())), lines)]
        scores = relevance(issue, ["\n".join(texts[path][first - 1 : last]) for path, first, last in pieces])
        self._pieces = [pieces[i] for i in sorted(range(len(pieces)), key=lambda i: -scores[i])]

    def __len__(self) -> int:
        return len(self._pieces)

    def shown(self, count: int) -> tuple[Location, ...]:
        """The ``count`` most relevant pieces, those that touch joined, in the order of the files."""
        return self._joined(self._pieces[:count])

    def left_out(self, count: int) -> tuple[Location, ...]:
        """The other pieces, alike."""
        return self._joined(self._pieces[count:])

    def _joined(self, pieces: Sequence["_Piece"]) -> tuple[Location, ...]:
        found = ((path, merge_intervals((a, b) for p, a, b in pieces if p == path)) for path in self._texts)
        return tuple(Location(path, intervals) for path, intervals in found if intervals)


_Piece = tuple[str, int, int]  # path, first and last line, from 1, both included


def _cut(place: Location, length: int, lines: int) -> Iterator[_Piece]:
    for first, last in place.intervals or ((1, length),):
        for start in range(first, min(last, length) + 1, lines):
            yield place.path, start, min(start + lines - 1, last, length)
