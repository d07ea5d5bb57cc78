"""What a packing does to its documents, in numbers; the formulas stand beside the fields of `Metrics`."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.packing.compiled import IntArray, compiled, wide
from harness.packing.pieces import Packing, repeated_heads
from harness.packing.strategies import checked_lengths

HEAD, TAIL, SEEN = 1, 2, 4  # of a document: cut there in some piece; in some piece at all
POSITION_BINS = 100


@dataclass(frozen=True)
class Metrics:
    """The metrics of one packing of one corpus.

    "Report" is arXiv 2603.00729, section 3.2. Its fragmentation rate is ambiguous (its appendix's
    table fits pieces, its definition says documents), so both readings stand here under their own names.
    A piece misses its head when its offset is above 0, its tail when it ends before its document.
    """

    documents: int  # N, those of no tokens included
    empty_documents: int  # of no tokens: they are in no sequence
    overlong_documents: int  # longer than L
    context_length: int  # L, tokens of a sequence
    tokens: int  # T, sum of the lengths, separators included
    separator_tokens: int  # of T, the separators that were added to the documents
    sequences: int  # S
    sequences_bound: int  # ceil(unique / L): fewer could not hold these tokens
    emitted_tokens: int  # sum of the pieces' lengths, repetitions included
    unique_tokens: int  # tokens of the corpus that stand in at least one sequence
    dropped_tokens: int  # T - unique
    repeated_tokens: int  # emitted - unique
    trained_tokens: int  # of the emitted ones, those that take part in the loss (`harness.packing.loss`)
    headless_tokens: int  # of the emitted ones, those in pieces that miss their head
    headless_rate: float  # headless / emitted: report, "context hallucination", weighted by tokens
    padding_tokens: int  # S * L - emitted
    padding_rate: float  # padding / (S * L): report, "padding tokens / all training tokens"
    token_budget: int  # ceil(T / (1 - padding rate)): report, T_PLD; slots that hold T tokens at this padding
    pieces: int  # P
    pieces_cut_head: int  # pieces that miss their head only
    pieces_cut_tail: int  # pieces that miss their tail only
    pieces_cut_both: int  # pieces that miss both
    fragmentation_pieces: float  # (head + tail + both) / P: what fits the report's Table 13
    documents_cut_head: int  # documents of which some piece misses the head, and none the tail
    documents_cut_tail: int  # documents of which some piece misses the tail, and none the head
    documents_cut_both: int  # documents of which some piece misses the head, and some the tail
    fragmentation_documents: float  # (head + tail + both) / N: the report's words, "fragmented / all documents"
    dropped_documents: int  # documents with tokens, none of which stands in a sequence
    documents_per_sequence: float  # P / S: no strategy puts two pieces of a document into one sequence
    documents_per_sequence_median: float
    documents_per_sequence_max: int

    def numbers(self) -> dict[str, float]:
        """All of them by name, as the metrics file holds them."""
        return asdict(self)


@dataclass(frozen=True)
class Distributions:
    """What the picture shows of one packing."""

    documents_per_sequence: NDArray[np.int64]  # [k]: sequences that hold pieces of k documents
    cut_positions: NDArray[np.int64]  # (POSITION_BINS,): cuts by their place in the document, from 0 to its length


@compiled
def _tally(
    document: IntArray, offset: IntArray, length: IntArray, lengths: IntArray, state: Any
) -> tuple[int, int, int]:
    """Pieces by what they miss (head, tail, both); the flags of every document are put into ``state``."""
    heads = tails = boths = 0
    for piece in range(len(document)):
        index = document[piece]
        head = offset[piece] > 0
        tail = wide(offset[piece]) + length[piece] < lengths[index]
        heads += head and not tail
        tails += tail and not head
        boths += head and tail
        state[index] |= SEEN | (HEAD if head else 0) | (TAIL if tail else 0)
    return heads, tails, boths


def measure(
    packing: Packing, lengths: IntArray, separator_tokens: int = 0, trained_tokens: int | None = None
) -> Metrics:
    """The metrics of ``packing``, counted from its pieces, whichever strategy made them.

    ``lengths`` (documents,) are the lengths that were packed. ``separator_tokens`` of their sum are separators, and
    ``trained_tokens`` take part in the loss (all but each piece's first if None): both are only carried along.
    Raises InputError for lengths that make no sense.
    """
    lengths = checked_lengths(lengths)
    state = np.zeros(len(lengths), np.uint8)
    head, tail, both = _tally(packing.document, packing.offset, packing.length, lengths, state)
    tokens = int(lengths.sum(dtype=np.int64))
    emitted = int(packing.length.sum(dtype=np.int64))
    unique = emitted - int(repeated_heads(packing, len(lengths)).sum(dtype=np.int64))
    headless = int(packing.length[packing.offset > 0].sum(dtype=np.int64))
    slots = packing.sequences * packing.context
    flags = np.bincount(state, minlength=8).tolist()
    per_sequence = np.diff(packing.starts())
    pieces = len(packing.length)
    cut_head, cut_tail, cut_both = flags[SEEN | HEAD], flags[SEEN | TAIL], flags[SEEN | HEAD | TAIL]
    empty = int((lengths == 0).sum())
    return Metrics(
        documents=len(lengths),
        empty_documents=empty,
        overlong_documents=int((lengths > packing.context).sum()),
        context_length=packing.context,
        tokens=tokens,
        separator_tokens=separator_tokens,
        sequences=packing.sequences,
        sequences_bound=-(-unique // packing.context),
        emitted_tokens=emitted,
        unique_tokens=unique,
        dropped_tokens=tokens - unique,
        repeated_tokens=emitted - unique,
        trained_tokens=emitted - len(packing.length) if trained_tokens is None else trained_tokens,
        headless_tokens=headless,
        headless_rate=_share(headless, emitted),
        padding_tokens=slots - emitted,
        padding_rate=_share(slots - emitted, slots),
        token_budget=-(-tokens * slots // emitted) if emitted else 0,
        pieces=pieces,
        pieces_cut_head=head,
        pieces_cut_tail=tail,
        pieces_cut_both=both,
        fragmentation_pieces=_share(head + tail + both, pieces),
        documents_cut_head=cut_head,
        documents_cut_tail=cut_tail,
        documents_cut_both=cut_both,
        fragmentation_documents=_share(cut_head + cut_tail + cut_both, len(lengths)),
        dropped_documents=flags[0] - empty,
        documents_per_sequence=_share(pieces, packing.sequences),
        documents_per_sequence_median=float(np.median(per_sequence)) if packing.sequences else 0.0,
        documents_per_sequence_max=int(per_sequence.max(initial=0)),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def distributions(packing: Packing, lengths: IntArray) -> Distributions:
    """Documents per sequence, and where in their documents the cuts of ``packing`` lie.

    A boundary between two pieces counts once for each piece that it cuts.
    """
    lengths = np.asarray(lengths)
    bins = np.zeros(POSITION_BINS, np.int64)
    ends = packing.offset + packing.length
    for position in (packing.offset, ends):
        cut = (position > 0) & (position < lengths[packing.document])
        place = (position[cut] / lengths[packing.document[cut]] * POSITION_BINS).astype(np.int64)
        bins += np.bincount(np.minimum(place, POSITION_BINS - 1), minlength=POSITION_BINS)
    return Distributions(np.bincount(np.diff(packing.starts())), bins)
