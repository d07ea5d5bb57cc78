"""Several sources in one corpus: one after another, or blended by weights."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.packing.documents import Tokens
from harness.packing.findings import Reading
from harness.packing.request import PackRequest
from harness.packing.sources import read_documents
from harness.packing.tokenizing import note, tokenized
from harness.packing.vocabulary import Vocabulary

NOTHING = np.empty(0, np.int32)


def read_tokens(
    request: PackRequest, reading: Reading, vocabulary: Vocabulary, done: NDArray[Any] = NOTHING
) -> Iterator[Tokens]:
    """The documents of all corpora as ids, one corpus after another or blended.

    ``done`` are the lengths of those that an earlier command tokenized: the first ones, which are left out.
    """
    sources = [read_documents(name, reading) for name in request.corpora]
    if not request.weights:
        yield from tokenized(chain.from_iterable(sources), vocabulary, reading.found, len(done))
        return
    taken = [0] * len(sources)
    for size in done.tolist():
        source = next_source(taken, request.weights)
        note(next(sources[source]), vocabulary, reading.found)
        taken[source] += max(1, size)
    parts = [tokenized(source, vocabulary, reading.found) for source in sources]
    yield from blended(parts, request.weights, taken)
    ended = request.corpora[next_source(taken, request.weights)]
    counts = ", ".join(f"{name} {tokens:,}" for name, tokens in zip(request.corpora, taken, strict=True))
    reading.found.blend = f"tokens of the blend, which ends with {ended}: {counts}"


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
