"""What best-fit packing does with documents longer than the context, before it packs.

| handling | an over-long document |
|---|---|
| `split` | is cut every L tokens; the short last piece is packed like a document |
| `slide` | becomes windows of L tokens that begin every `stride`; the last one reaches back so that it is full |
| `spread` | becomes evenly spaced windows of L tokens, as few as cover it; as `split` if neighbours share too many |
| `drop` | is left out |
| `truncate` | keeps its first L tokens |
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.packing.compiled import IntArray, compiled, wide

HANDLINGS = ("split", "slide", "drop", "truncate", "spread")
SPLIT, SLIDE, DROP, TRUNCATE, SPREAD = range(5)
MAX_OVERLAP = 0.5  # of a window's tokens, that neighbours share under `spread`


@dataclass(frozen=True)
class Cut:
    """Documents after over-long ones were cut: what is left to pack, and the pieces that are full already."""

    sizes: IntArray  # by document: tokens still to be packed, 0 for none
    full_document: IntArray  # by piece of exactly L tokens, sorted
    full_offset: IntArray  # where in its document it begins


@compiled
def _spreads(length: int, context: int, most: int) -> bool:
    """Whether neighbours of the fewest windows that cover a document share at most ``most`` tokens, on average."""
    windows = (length + context - 1) // context
    shares: bool = windows * context - length <= most * (windows - 1)
    return shares


@compiled
def _full_pieces(length: int, context: int, handling: int, stride: int) -> int:
    if handling == SPREAD and _spreads(length, context, stride):
        return (length + context - 1) // context
    if handling in (SPLIT, SPREAD):
        return length // context
    if handling == SLIDE:
        return (length - context + stride - 1) // stride + 1
    return 1 if handling == TRUNCATE else 0


@compiled
def _count_full(lengths: IntArray, context: int, handling: int, stride: int) -> int:
    total = 0
    for length in lengths:
        if length > context:
            total += _full_pieces(length, context, handling, stride)
    return total


@compiled
def _cut(
    lengths: IntArray,
    context: int,
    handling: int,
    stride: int,
    sizes: IntArray,
    full_document: IntArray,
    full_offset: IntArray,
) -> None:
    piece = 0
    for document in range(len(lengths)):
        length = lengths[document]
        if length <= context:
            sizes[document] = length
            continue
        spread = handling == SPREAD and _spreads(length, context, stride)
        sizes[document] = length % context if (handling in (SPLIT, SPREAD)) and not spread else 0
        step = stride if handling == SLIDE else context
        pieces = _full_pieces(length, context, handling, stride)
        for number in range(pieces):
            full_document[piece] = document
            full_offset[piece] = min(number * step, length - context)
            if spread:
                full_offset[piece] = number * (wide(length) - context) // (pieces - 1)
            piece += 1


def cut_overlong(lengths: IntArray, context: int, handling: str, stride: int, overlap: int, dtype: type[Any]) -> Cut:
    """Cut what is longer than ``context`` tokens, by one of `HANDLINGS`.

    ``lengths`` (documents,) are tokens; ``stride`` is read by `slide` only, and ``overlap`` (tokens
    that neighbouring windows may share) by `spread` only; ``dtype`` is that of the arrays returned.
    """
    code = HANDLINGS.index(handling)
    step = overlap if code == SPREAD else stride
    sizes = np.empty(len(lengths), dtype)
    full = _count_full(lengths, context, code, step)
    document, offset = np.empty(full, dtype), np.empty(full, dtype)
    _cut(lengths, context, code, step, sizes, document, offset)
    return Cut(sizes, document, offset)
