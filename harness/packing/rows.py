"""Packed rows: the token ids of whole sequences, with what a trainer needs beside them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError
from harness.packing.compiled import Columns, compiled, wide
from harness.packing.corpus import Corpus
from harness.packing.pieces import Packing, repeated_heads

IGNORED = -100  # label of a token that takes no part in the loss, as PyTorch and transformers read it


@dataclass(frozen=True)
class Rows:
    """Some sequences of a packing, each exactly the context long."""

    input_ids: NDArray[np.int32]  # (rows, context)
    labels: NDArray[np.int32]  # (rows, context): the ids; IGNORED at padding and, where asked for, repeated heads
    position_ids: NDArray[np.int32]  # (rows, context): from 0 at every piece, and at the padding
    seq_lengths: NDArray[np.int32]  # flat: tokens of every piece, and of the padding where a row has some
    seq_bounds: NDArray[np.int64]  # (rows + 1,): row i has seq_lengths[seq_bounds[i]:seq_bounds[i + 1]]


@compiled
def _fill(
    members: Any, starts: Any, pieces: Columns, source: tuple[Any, Any, Any], separator: int, padding: int, rows: Any
) -> bool:
    """Fill ``rows``, the arrays of `Rows`; ``pieces`` has the masked tokens at its end for the sequence.

    Whether every id is one that the rows' type holds.
    """
    document, offset, length, masked = pieces
    ids, labels, positions, seq_lengths, seq_bounds = rows
    segment, sound = 0, True
    for row in range(len(members)):
        place = 0
        for piece in range(starts[members[row]], starts[members[row] + 1]):
            for step in range(length[piece]):
                token = _token(source, document[piece], wide(offset[piece]) + step, separator)
                ids[row, place] = token
                sound = sound and 0 <= token == ids[row, place]
                labels[row, place] = token if step >= masked[piece] else IGNORED
                positions[row, place] = step
                place += 1
            seq_lengths[segment] = length[piece]
            segment += 1
        if place < ids.shape[1]:
            seq_lengths[segment] = ids.shape[1] - place
            segment += 1
            ids[row, place:] = padding
            labels[row, place:] = IGNORED
            positions[row, place:] = np.arange(ids.shape[1] - place)
        seq_bounds[row + 1] = segment
    return sound


@compiled
def _token(source: tuple[Any, Any, Any], document: int, place: int, separator: int) -> int:
    """The id at a place of a document; behind its ids stands the separator."""
    tokens, starts, lengths = source
    token: int = tokens[starts[document] + place] if place < lengths[document] else separator
    return token


class Gatherer:
    """Makes rows of one packing from its corpus's ids."""

    def __init__(self, packing: Packing, corpus: Corpus, padding: int, mask_repeated: bool = False) -> None:
        """``padding`` is the id that fills a row up.

        ``mask_repeated`` takes tokens out of the loss that stand in an earlier sequence too: the heads that
        restarting repeats, the overlap of sliding windows.
        """
        if corpus.store is None:
            raise ValueError("rows need a corpus that kept its ids")
        self.packing = packing
        self._store = corpus.store
        self._separator = -1 if corpus.separator is None else corpus.separator
        self._padding = padding
        self._starts = packing.starts()
        masked = repeated_heads(packing, len(corpus.lengths)) if mask_repeated else np.zeros_like(packing.length)
        self._pieces = (packing.document, packing.offset, packing.length, masked)

    def rows(self, members: NDArray[np.int64]) -> Rows:
        """The rows of the sequences whose numbers are given, in that order.

        Raises InputError for ids that are negative or beyond 32 bits, as a damaged .bin may hold.
        """
        shape = (len(members), self.packing.context)
        ids, labels, positions = (np.empty(shape, np.int32) for _ in range(3))
        segments = int((self._starts[members + 1] - self._starts[members]).sum()) + len(members)
        seq_lengths = np.empty(segments, np.int32)
        bounds = np.zeros(len(members) + 1, np.int64)
        store = self._store
        source = (store.tokens, store.starts, store.lengths)
        rows = (ids, labels, positions, seq_lengths, bounds)
        if not _fill(members, self._starts, self._pieces, source, self._separator, self._padding, rows):
            raise InputError(f"the corpus holds token ids that are not between 0 and {np.iinfo(np.int32).max:,}")
        return Rows(ids, labels, positions, seq_lengths[: bounds[-1]], bounds)
