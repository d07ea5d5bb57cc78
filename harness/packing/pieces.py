"""Packings: which stretch of which document stands in which sequence, as flat arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.packing.compiled import Columns, IntArray, compiled, wide
from harness.packing.overlong import Cut


@dataclass(frozen=True)
class Packing:
    """Pieces of documents, in the order of the sequences and within a sequence from left to right.

    What a sequence's pieces leave of its ``context`` tokens is padding, at its end. The four arrays
    (pieces,) have one dtype: int32, or int64 if a document, length or count does not fit.
    """

    strategy: str
    context: int  # tokens of a sequence
    sequences: int
    document: IntArray  # index into the lengths that were packed
    offset: IntArray  # tokens of the document before the piece
    length: IntArray  # tokens of the piece, never 0
    sequence: IntArray  # 0 <= sequence < sequences, non-decreasing

    def starts(self) -> NDArray[np.int64]:
        """The first piece of every sequence, and the number of pieces at the end: (sequences + 1,)."""
        starts = np.zeros(self.sequences + 1, np.int64)
        np.cumsum(np.bincount(self.sequence, minlength=self.sequences), out=starts[1:])
        return starts


def piece_columns(pieces: int, dtype: Any) -> Columns:
    """Room for document, offset, length and sequence of so many pieces, to be filled.

    One block of memory for the four: the larger it is, the larger the pages that the system uses for it.
    """
    document, offset, length, sequence = np.empty((4, pieces), dtype)
    return document, offset, length, sequence


@compiled
def _starts(sequence: IntArray, full_sequence: IntArray, starts: IntArray) -> None:
    for member in sequence:
        starts[member + 1] += 1
    for member in full_sequence:
        starts[member + 1] += 1
    for member in range(1, len(starts)):
        starts[member] += starts[member - 1]


@compiled
def _arrange(given: Columns, cursor: IntArray, columns: Columns) -> None:
    """Put pieces where their sequence's cursor stands."""
    for piece in range(len(given[0])):
        place = cursor[given[3][piece]]
        cursor[given[3][piece]] += 1
        columns[0][place] = given[0][piece]
        columns[1][place] = given[1][piece]
        columns[2][place] = given[2][piece]


@compiled
def _number(starts: IntArray, sequence: IntArray) -> None:
    for member in range(len(starts) - 1):
        for place in range(starts[member], starts[member + 1]):
            sequence[place] = member


def group(
    strategy: str,
    context: int,
    sequences: int,
    placed: Columns,
    cut: Cut,
    full_sequence: IntArray,
) -> Packing:
    """The packing in the order of its sequences.

    ``placed`` holds document, offset, length and sequence of every piece that shares a sequence, in an
    order that is right within each sequence; ``full_sequence`` the sequence of each of ``cut``'s full pieces.
    """
    dtype = full_sequence.dtype
    starts = np.zeros(sequences + 1, dtype)
    _starts(placed[3], full_sequence, starts)
    columns = piece_columns(starts[-1], dtype)
    cursor = starts[:-1].copy()
    _arrange(placed, cursor, columns)
    full_length = np.full_like(full_sequence, context)
    _arrange((cut.full_document, cut.full_offset, full_length, full_sequence), cursor, columns)
    _number(starts, columns[3])
    return Packing(strategy, context, sequences, *columns)


@compiled
def _repeated(document: IntArray, offset: IntArray, length: IntArray, covered: IntArray, repeated: IntArray) -> bool:
    gapless = True
    for piece in range(len(document)):
        index = document[piece]
        start = wide(offset[piece])
        end = start + length[piece]
        gapless = gapless and start <= covered[index]
        repeated[piece] = min(max(0, covered[index] - start), length[piece])
        covered[index] = max(covered[index], end)
    return gapless


def repeated_heads(packing: Packing, documents: int) -> IntArray:
    """How many tokens at each piece's beginning stand in an earlier piece too: (pieces,).

    "Earlier" is by sequence; if a document's beginning comes after its rest, by the place in the document.
    ``documents`` is the number of documents that were packed.
    """
    columns = (packing.document, packing.offset, packing.length)
    repeated = np.empty_like(packing.length)
    if not _repeated(*columns, np.zeros(documents, packing.length.dtype), repeated):
        order = np.lexsort((packing.offset, packing.document))
        sorted_columns = (packing.document[order], packing.offset[order], packing.length[order])
        in_document_order = np.empty_like(repeated)
        _repeated(*sorted_columns, np.zeros(documents, packing.length.dtype), in_document_order)
        repeated[order] = in_document_order
    return repeated


def reordered(packing: Packing, order: NDArray[np.int64]) -> Packing:
    """The sequences ``order`` (numbers, each at most once) of a packing, in that order; the others are left out."""
    starts = packing.starts()
    counts = np.diff(starts)[order]
    ends = np.cumsum(counts)
    pieces = np.repeat(starts[order] - (ends - counts), counts) + np.arange(int(ends[-1]) if len(ends) else 0)
    columns = piece_columns(len(pieces), packing.length.dtype)
    for column, given in zip(columns, (packing.document, packing.offset, packing.length), strict=False):
        np.take(given, pieces, out=column)
    columns[3][:] = np.repeat(np.arange(len(order)), counts)
    return Packing(packing.strategy, packing.context, len(order), *columns)


def within_budget(packing: Packing, tokens: int) -> Packing:
    """The first sequences of a packing that together emit at most ``tokens``; at least one."""
    starts = packing.starts()
    emitted = np.concatenate([np.zeros(1, np.int64), np.cumsum(packing.length, dtype=np.int64)])[starts[1:]]
    kept = max(1, int(np.searchsorted(emitted, tokens, side="right")))
    end = starts[min(kept, packing.sequences)]
    columns = (packing.document, packing.offset, packing.length, packing.sequence)
    return Packing(packing.strategy, packing.context, min(kept, packing.sequences), *(part[:end] for part in columns))
