"""Several sources in one corpus: one after another, or blended by weights."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from harness.packing.documents import Tokens

Item = TypeVar("Item")


def blended(sources: Sequence[Iterator[Tokens]], weights: Sequence[float], taken: list[int]) -> Iterator[Tokens]:
    """Documents of ``sources`` so that each has its share of the tokens, until one of them ends.

    The next document comes from the source that is furthest behind its share; of equals, from the first. ``taken`` (a
    number for each source) counts the tokens that came from each.
    """
    while True:
        source = next_source(taken, weights)
        document = next(sources[source], None)
        if document is None:
            return
        taken[source] += max(1, len(document))  # a source of empty documents must not be asked for ever
        yield document


def next_source(taken: Sequence[int], weights: Sequence[float]) -> int:
    """The source that is furthest behind its share, the first of equals."""
    return min(range(len(weights)), key=lambda source: taken[source] / weights[source])
