"""Packed rows: the token ids of whole sequences, with what a trainer needs beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError
from harness.packing.compiled import Columns, compiled, wide
from harness.packing.corpus import Corpus
from harness.packing.loss import LossRules, occurrences, untrained_heads
from harness.packing.pieces import Packing
from harness.packing.token_columns import IGNORED, TRAINED, WEIGHT

MOST_ID = int(np.iinfo(np.int32).max)


@dataclass(frozen=True)
class Rows:
    """Some sequences of a packing, each exactly the context long."""

    input_ids: NDArray[np.int32]  # (rows, context)
    labels: NDArray[np.int32]  # (rows, context): the ids; IGNORED for tokens out of the loss
    position_ids: NDArray[np.int32]  # (rows, context): from 0 at every piece, and at the padding
    seq_lengths: NDArray[np.int32]  # flat: tokens of every piece, and of the padding if a row has some
    seq_bounds: NDArray[np.int64]  # (rows + 1,): row i has seq_lengths[seq_bounds[i]:seq_bounds[i + 1]]
    seq_documents: NDArray[np.int64]  # flat, likewise: numbers of the pieces' documents in the corpus, -1 for padding
    seq_offsets: NDArray[np.int64]  # flat, likewise: tokens of the document before the piece, 0 for padding
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # (rows, context) each, carried from the corpus
    filled: NDArray[np.int64] = field(
        default_factory=lambda: np.empty(0, np.int64)
    )  # (rows,) tokens before the padding

    largest_id: int = MOST_ID  # that any row of the packing may hold

    def padding(self) -> NDArray[np.int64]:
        """Padding at the end of every row, in tokens."""
        padding: NDArray[np.int64] = self.input_ids.shape[1] - self.filled
        return padding


@compiled
def _fill(
    members: Any,
    starts: Any,
    pieces: Columns,
    source: tuple[Any, Any, Any, Any],
    separator: int,
    padding: int,
    rows: Any,
) -> bool:
    """Fill ``rows``, the arrays of `Rows`; ``pieces`` has the tokens without a label at its end for the sequence.

    Whether every id is one that the rows' type holds.
    """
    document, offset, length, heads = pieces
    tokens, firsts, sizes, trained = source
    ids, labels, positions, seq_lengths, seq_bounds, seq_documents, seq_offsets = rows
    segment, lowest, highest = 0, wide(0), wide(0)
    for row in range(len(members)):
        place = 0
        for piece in range(starts[members[row]], starts[members[row] + 1]):
            index = document[piece]
            first = firsts[index] + offset[piece]
            own = min(wide(length[piece]), sizes[index] - offset[piece])  # the rest of the piece is the separator
            for step in range(own):
                token = wide(tokens[first + step])
                lowest, highest = min(lowest, token), max(highest, token)
                ids[row, place + step] = token
            end = place + length[piece]
            ids[row, place + own : end] = separator
            labels[row, place:end] = ids[row, place:end]
            labels[row, place : place + min(heads[piece], length[piece])] = IGNORED
            for step in range(len(trained) > 0 and length[piece]):
                if trained[first + min(step, sizes[index] - offset[piece] - 1)] == 0:
                    labels[row, place + step] = IGNORED
            for step in range(length[piece]):
                positions[row, place + step] = step
            seq_lengths[segment], seq_documents[segment], seq_offsets[segment] = length[piece], index, offset[piece]
            segment += 1
            place = end
        if place < ids.shape[1]:
            seq_lengths[segment], seq_documents[segment], seq_offsets[segment] = ids.shape[1] - place, -1, 0
            segment += 1
            ids[row, place:] = padding
            labels[row, place:] = IGNORED
            positions[row, place:] = np.arange(ids.shape[1] - place)
        seq_bounds[row + 1] = segment
    return bool(lowest >= 0 and highest <= MOST_ID)


@compiled
def _gather(members: Any, starts: Any, pieces: Columns, source: tuple[Any, Any, Any], ended: bool, values: Any) -> None:
    """Fill ``values`` (rows, context), zeros, from a column; a separator gets its document's last value, or 0."""
    document, offset, length, _ = pieces
    column, firsts, sizes = source
    for row in range(len(members)):
        place = 0
        for piece in range(starts[members[row]], starts[members[row] + 1]):
            index = document[piece]
            first = firsts[index] + offset[piece]
            own = min(wide(length[piece]), sizes[index] - offset[piece])
            values[row, place : place + own] = column[first : first + own]
            if ended and own < length[piece]:
                values[row, place + own] = column[firsts[index] + sizes[index] - 1]
            place += length[piece]


@compiled
def _equalise(members: Any, starts: Any, pieces: Columns, begins: Any, counts: Any, values: Any) -> None:
    """Divide the weights by the number of times that their tokens take part in the loss."""
    document, offset, length, _ = pieces
    for row in range(len(members)):
        place = 0
        for piece in range(starts[members[row]], starts[members[row] + 1]):
            begin = begins[document[piece]] + offset[piece]
            for step in range(length[piece]):
                values[row, place + step] /= max(counts[begin + step], 1)
            place += length[piece]


class Gatherer:
    """Makes rows of one packing from its corpus's ids."""

    def __init__(self, packing: Packing, corpus: Corpus, padding: int, rules: LossRules) -> None:
        """``padding`` is the id that fills a row up; ``rules`` say what takes part in the loss."""
        if corpus.store is None:
            raise ValueError("rows need a corpus that kept its ids")
        self.packing = packing
        self._store = corpus.store
        self._separator = -1 if corpus.separator is None else corpus.separator
        self._padding = padding
        self._starts = packing.starts()
        self._trained = np.empty(0, np.uint8) if corpus.trained is None else corpus.trained
        inserted = max(self._separator, padding)
        narrow = self._store.tokens.dtype.itemsize <= 2
        self.largest_id = max(int(np.iinfo(self._store.tokens.dtype).max), inserted) if narrow else MOST_ID
        self._begins = np.cumsum(corpus.lengths) - corpus.lengths
        self._counts = occurrences(packing, corpus, rules) if rules.equal_weights else None
        heads = untrained_heads(packing, len(corpus.lengths), rules)
        self._filled = np.bincount(packing.sequence, packing.length, packing.sequences).astype(np.int64)
        self._pieces = (packing.document, packing.offset, packing.length, heads)

    @property
    def masked(self) -> bool:
        """Whether the corpus takes tokens out of the loss."""
        return len(self._trained) > 0

    @property
    def columns(self) -> dict[str, np.dtype[Any]]:
        """The columns of the corpus that rows carry along, by name."""
        carried = {name: values.dtype for name, values in self._store.columns.items() if name != TRAINED}
        return carried if self._counts is None else {WEIGHT: np.dtype(np.float32), **carried}

    def rows(self, members: NDArray[np.int64]) -> Rows:
        """The rows of the sequences whose numbers are given, in that order.

        Raises InputError for ids that are negative or beyond 32 bits, as a damaged .bin may hold.
        """
        shape = (len(members), self.packing.context)
        ids, labels, positions = (np.empty(shape, np.int32) for _ in range(3))
        segments = int((self._starts[members + 1] - self._starts[members]).sum()) + len(members)
        seq_lengths = np.empty(segments, np.int32)
        documents, offsets = (np.empty(segments, np.int64) for _ in range(2))
        bounds = np.zeros(len(members) + 1, np.int64)
        store = self._store
        source = (store.tokens, store.starts, store.lengths, self._trained)
        rows = (ids, labels, positions, seq_lengths, bounds, documents, offsets)
        if not _fill(members, self._starts, self._pieces, source, self._separator, self._padding, rows):
            raise InputError(f"the corpus holds token ids that are not between 0 and {MOST_ID:,}")
        columns = {name: self._column(name, members, np.zeros(shape, dtype)) for name, dtype in self.columns.items()}
        end = int(bounds[-1])
        return Rows(
            ids,
            labels,
            positions,
            seq_lengths[:end],
            bounds,
            documents[:end],
            offsets[:end],
            columns,
            self._filled[members],
            self.largest_id,
        )

    def _column(self, name: str, members: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
        store = self._store
        if name in store.columns:
            source = (store.columns[name], store.starts, store.lengths)
            _gather(members, self._starts, self._pieces, source, name == WEIGHT, values)
        else:
            values[np.arange(self.packing.context) < self._filled[members][:, None]] = 1
        if name == WEIGHT and self._counts is not None:
            _equalise(members, self._starts, self._pieces, self._begins, self._counts, values)
        return values
