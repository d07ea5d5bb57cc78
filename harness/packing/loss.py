"""Which tokens of a packing take part in the loss: one definition, for the labels, the metrics and the weights.

A token is trained if something predicts it. Nothing predicts the first token of a sequence. The first token of a later
piece would be predicted from another document's last, and is out of the loss unless asked for. Tokens that the corpus
takes out of the loss stay out, and a separator that was appended counts as its document's last token does.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.packing.compiled import IntArray, compiled, wide
from harness.packing.corpus import Corpus
from harness.packing.pieces import Packing, repeated_heads


@dataclass(frozen=True)
class LossRules:
    """What takes part in the loss beside what the corpus says."""

    across_boundaries: bool = False  # a piece's first token, predicted from the document before it in the sequence
    mask_repeated: bool = False  # tokens that stand in an earlier sequence too do not
    equal_weights: bool = False  # every token of the corpus weighs the same in all, however often it is trained on


def untrained_heads(packing: Packing, documents: int, rules: LossRules) -> IntArray:
    """How many tokens at each piece's beginning have no label: (pieces,)."""
    least = 0 if rules.across_boundaries else 1
    if not rules.mask_repeated:
        return np.full_like(packing.length, least)
    heads: IntArray = np.maximum(repeated_heads(packing, documents), least)
    return heads


def trained_tokens(packing: Packing, corpus: Corpus, rules: LossRules) -> int:
    """Number of emitted tokens that take part in the loss."""
    heads = untrained_heads(packing, len(corpus.lengths), rules)
    first = packing.starts()[:-1]
    heads[first] = np.maximum(heads[first], 1)
    if corpus.trained is None:
        return int((packing.length - heads).sum(dtype=np.int64))
    sizes = corpus.lengths - corpus.separated
    pieces = (packing.document, packing.offset, packing.length, heads)
    return int(_count(*pieces, corpus.starts, sizes, corpus.trained))


@compiled
def _count(
    document: IntArray,
    offset: IntArray,
    length: IntArray,
    heads: IntArray,
    starts: IntArray,
    sizes: IntArray,
    trained: NDArray[np.uint8],
) -> int:
    total = 0
    for piece in range(len(document)):
        index = document[piece]
        first = wide(offset[piece])
        for place in range(first + heads[piece], first + length[piece]):
            total += trained[starts[index] + min(place, sizes[index] - 1)]
    return total


def occurrences(packing: Packing, corpus: Corpus, rules: LossRules) -> NDArray[np.uint16]:
    """How often each token of the corpus, separators included, takes part in the loss: (tokens,), at most 65,535."""
    heads = untrained_heads(packing, len(corpus.lengths), rules)
    first = packing.starts()[:-1]
    heads[first] = np.maximum(heads[first], 1)
    counts = np.zeros(int(corpus.lengths.sum()), np.uint16)
    begins = np.cumsum(corpus.lengths) - corpus.lengths
    _add(packing.document, packing.offset, packing.length, heads, begins, counts)
    return counts


@compiled
def _add(
    document: IntArray,
    offset: IntArray,
    length: IntArray,
    heads: IntArray,
    begins: IntArray,
    counts: NDArray[np.uint16],
) -> None:
    for piece in range(len(document)):
        begin = begins[document[piece]] + offset[piece]
        for place in range(begin + heads[piece], begin + length[piece]):
            if counts[place] < MOST_COUNT:
                counts[place] += 1


MOST_COUNT = np.iinfo(np.uint16).max
