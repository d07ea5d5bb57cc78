"""The packing strategies under the report's names (arXiv 2603.00729, section 3.2 and appendix A.3).

| strategy | a document at a sequence boundary |
|---|---|
| `concat-then-split` | is cut and goes on in the next sequence |
| `restart-last-document` | is cut, and begins again in the next sequence |
| `pad-last-document` | goes whole into the next sequence; padding takes its place |
| `pad-or-cut` | goes whole into the next sequence if little room is left, and is cut if much is |
| `best-fit` | never meets one: the open sequence with the least room that holds it, longest document first |
| `best-fit-stream` | likewise, the documents taken in their order |

The last two take `+split`, `+slide`, `+spread`, `+drop` or `+truncate` for documents longer than the context
(`harness.packing.overlong`) and refuse such documents without.

The report does not say what restarting or padding does with a document longer than the context, which
can never be whole. Here it begins at a sequence's start and goes on from sequence to sequence: no
token is lost, and its pieces count as cut in the metrics.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.common.suggest import nearest
from harness.errors import InputError
from harness.packing import bestfit
from harness.packing.compiled import IntArray, compiled, wide
from harness.packing.overlong import HANDLINGS, MAX_OVERLAP, Cut, cut_overlong
from harness.packing.pieces import Packing, group, piece_columns
from harness.packing.sequential import CONCAT, PAD, PAD_OR_CUT, RESTART, walk

SEQUENTIAL = {
    "concat-then-split": CONCAT,
    "restart-last-document": RESTART,
    "pad-last-document": PAD,
    "pad-or-cut": PAD_OR_CUT,
}
BEST_FIT, BEST_FIT_STREAM = "best-fit", "best-fit-stream"
STRATEGIES = (
    *SEQUENTIAL,
    *(name + handling for name in (BEST_FIT, BEST_FIT_STREAM) for handling in ("", *(f"+{h}" for h in HANDLINGS))),
)

THRESHOLD = 0.05  # of a sequence, that `pad-or-cut` leaves empty rather than cut a document
LONGEST_CONTEXT = 1 << 26  # tokens, far beyond any model's; best-fit keeps a dozen bytes for every possible room
MOST_TOKENS = 1 << 62  # restarting at most doubles them, and the sum has to fit into 64 bits


def pack(
    lengths: Sequence[int] | IntArray,
    context: int,
    strategy: str,
    stride: int | None = None,
    max_overlap: float = MAX_OVERLAP,
    threshold: float = THRESHOLD,
) -> Packing:
    """Pack documents of ``lengths`` tokens (separator included) into sequences of ``context`` tokens.

    ``lengths`` is any one-dimensional array of whole numbers, memory-mapped ones included; documents of
    length 0 get no piece. ``stride`` (tokens) is the distance of `slide`'s windows, half the context if not given;
    ``max_overlap`` the share of a window that neighbours may have in common under `spread`; ``threshold`` the share of
    a sequence that `pad-or-cut` leaves empty at most. Implements section 3.2 of the report, and two strategies more.

    Raises InputError for lengths, a context, a stride or shares that make no sense, an unknown strategy, and
    documents longer than the context if the strategy can't place them.
    """
    check_strategy(strategy)
    checked = checked_lengths(lengths)
    stride = checked_stride(context, stride)
    overlap = int(checked_share(max_overlap, "max overlap") * context)
    most = int(checked_share(threshold, "threshold") * context)
    if strategy in SEQUENTIAL:
        return _sequential(checked, context, strategy, most)
    return _best_fit(checked, context, strategy, stride, overlap)


def checked_share(value: float, what: str) -> float:
    """The value, if it lies between 0 and 1. Raises InputError if not."""
    if not 0 <= value <= 1:
        raise InputError(f"{what} {value!r}: give a number from 0 to 1")
    return value


def check_strategy(strategy: str) -> None:
    """Raise InputError with the nearest known names if there is no such strategy."""
    if strategy not in STRATEGIES:
        hint = nearest(strategy, STRATEGIES) or f"; known: {', '.join(STRATEGIES)}"
        raise InputError(f"unknown packing strategy {strategy!r}{hint}")


def keeps_whole(strategy: str) -> bool:
    """Whether a document of just the context's length stays whole; a stream that is cut anywhere keeps none."""
    return strategy not in ("concat-then-split", "pad-or-cut")


def breaks_every_context(strategy: str) -> bool:
    """Whether a longer document is cut at multiples of the context, counted from its beginning."""
    return strategy in ("restart-last-document", "pad-last-document") or strategy.endswith(("+split", "+spread"))


def longest_first(strategy: str) -> bool:
    """Whether a strategy opens its sequences longest document first, which is no order to train in."""
    return strategy.partition("+")[0] == BEST_FIT


def checked_stride(context: int, stride: int | None) -> int:
    """The stride of sliding windows, in tokens; half the context if None.

    Raises InputError for a context below 1 or beyond `LONGEST_CONTEXT`, and for a stride that would skip tokens
    or never advance.
    """
    if isinstance(context, bool) or not isinstance(context, int | np.integer) or context < 1:
        raise InputError(f"context length {context!r}: give a whole number of tokens, at least 1")
    if context > LONGEST_CONTEXT:
        raise InputError(f"context length {context}: give at most {LONGEST_CONTEXT} tokens")
    if stride is None:
        return max(1, int(context) // 2)
    if isinstance(stride, bool) or not isinstance(stride, int | np.integer) or not 1 <= stride <= context:
        raise InputError(f"stride {stride!r}: give a whole number of tokens from 1 to the context length {context}")
    return int(stride)


def checked_lengths(lengths: Sequence[int] | IntArray) -> IntArray:
    """The lengths as a flat int32 or int64 array, without a copy if they are one already.

    Raises InputError naming the first document whose length is negative or not a whole number.
    """
    array: Any = np.asarray(lengths)
    if array.ndim != 1:
        raise InputError(f"document lengths: one flat list is needed, not an array of shape {array.shape}")
    if len(array) == 0:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu":
        raise InputError(f"document lengths must be whole numbers of 64 bits, not {_first_odd(array)}")
    if array.min() < 0:
        document = int((array < 0).argmax())
        raise InputError(f"document {document} has the negative length {array[document]}")
    if int(array.max()) * len(array) > MOST_TOKENS and sum(array.tolist()) > MOST_TOKENS:
        raise InputError(f"the document lengths add up to more than 2^62 tokens (the longest: {array.max()})")
    checked: IntArray = array if array.dtype in (np.int32, np.int64) else array.astype(np.int64)
    return checked


def _first_odd(array: Any) -> str:
    for document, length in enumerate(array.tolist()):
        if isinstance(length, bool) or not isinstance(length, int) or not -(1 << 63) <= length < 1 << 63:
            return f"{length!r} (document {document})"
    return f"{array.dtype} values"


@compiled
def _survey(lengths: IntArray, context: int) -> tuple[int, int, int]:
    """Total and greatest length, and the number of documents longer than the context."""
    total = 0
    longest = 0
    over = 0
    for value in lengths:
        length = wide(value)
        total += length
        longest = max(longest, length)
        over += length > context
    return total, longest, over


def _dtype(*limits: int) -> type[Any]:
    return np.int32 if max(limits) < np.iinfo(np.int32).max else np.int64


def _sequential(lengths: IntArray, context: int, strategy: str, threshold: int) -> Packing:
    total, longest, _ = _survey(lengths, context)
    rule = SEQUENTIAL[strategy]
    # every document ends once and is begun a second time at most; the rest are cuts at full sequences
    most = len(lengths) * (2 if rule == RESTART else 1) + total // context + 1
    dtype = _dtype(most, longest, context)
    columns = piece_columns(most, dtype)
    pieces, sequences = walk(lengths, context, rule, threshold, columns)
    return Packing(strategy, context, sequences, *(column[:pieces] for column in columns))


def _best_fit(lengths: IntArray, context: int, strategy: str, stride: int, overlap: int) -> Packing:
    name, _, handling = strategy.partition("+")
    total, longest, over = _survey(lengths, context)
    if over and not handling:
        raise InputError(_too_long(lengths, context, strategy, over))
    dtype = _dtype(len(lengths) + total // min(context, stride), longest, context)
    none = np.empty(0, dtype)
    cut = cut_overlong(lengths, context, handling, stride, overlap, dtype) if over else Cut(lengths, none, none)
    fill = _decreasing if name == BEST_FIT else _in_order
    return fill(lengths, cut, context, strategy)


def _too_long(lengths: IntArray, context: int, strategy: str, over: int) -> str:
    document = int((lengths > context).argmax())
    ways = ", ".join(f"{strategy}+{handling}" for handling in HANDLINGS)
    return (
        f"{strategy}: {over} of {len(lengths)} documents are longer than the context of {context} tokens "
        f"(the first: document {document}, {lengths[document]} tokens); use one of {ways}"
    )


@compiled
def _histogram(sizes: IntArray, counts: IntArray) -> tuple[int, int]:
    """Count the sizes into ``counts``, without those of 0; return how many and their total."""
    total = 0
    for size in sizes:
        counts[size] += 1
        total += wide(size)
    some = len(sizes) - counts[0]
    counts[0] = 0
    return some, total


def _most_shared(documents: int, tokens: int, context: int) -> int:
    # two sequences at most half full can't both be open: what began the later one would have fit the earlier
    return min(documents, 2 * tokens // context + 1)


def _decreasing(lengths: IntArray, cut: Cut, context: int, strategy: str) -> Packing:
    dtype = cut.full_document.dtype
    counts = np.zeros(context + 1, dtype)
    some, tokens = _histogram(cut.sizes, counts)
    document, offset, size, sequence = placed = piece_columns(some, dtype)
    offset.fill(0)
    bestfit.by_length(cut.sizes, lengths, counts, document, offset)
    opened = bestfit.decreasing(counts, _most_shared(some, tokens, context), size, sequence)
    full = len(cut.full_document)
    if full:
        sequence += full  # full pieces are the longest, so theirs are the first sequences
    return group(strategy, context, opened + full, placed, cut, np.arange(full, dtype=dtype))


def _in_order(lengths: IntArray, cut: Cut, context: int, strategy: str) -> Packing:
    dtype = cut.full_document.dtype
    placed = piece_columns(int(np.count_nonzero(cut.sizes)), dtype)
    full_sequence = np.empty_like(cut.full_document)
    most = _most_shared(len(placed[0]), int(cut.sizes.sum(dtype=np.int64)), context)
    opened = bestfit.in_order(cut.sizes, lengths, cut.full_document, context, most, placed, full_sequence)
    return group(strategy, context, opened, placed, cut, full_sequence)
