import numpy as np
import packing_reference
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from harness.packing.overlong import HANDLINGS
from harness.packing.pieces import Packing
from harness.packing.strategies import LONGEST_CONTEXT, STRATEGIES, pack

TAKING_ALL = [s for s in STRATEGIES if s not in ("best-fit", "best-fit-stream")]
KEEPING_ALL = [s for s in TAKING_ALL if not s.endswith(("+drop", "+truncate"))]

CORPORA = st.integers(1, 40).flatmap(
    lambda context: st.tuples(
        st.just(context),
        st.integers(1, context),
        st.lists(
            st.one_of(
                st.sampled_from([0, 1, context - 1, context, context + 1, 2 * context, 2 * context + 1]),
                st.integers(0, context),
                st.integers(0, 5 * context),
            ),
            max_size=60,
        ),
    )
)


def sequences(packing: Packing) -> list[list[tuple[int, int, int]]]:
    rows: list[list[tuple[int, int, int]]] = [[] for _ in range(packing.sequences)]
    columns = (packing.document, packing.offset, packing.length, packing.sequence)
    for document, offset, length, sequence in zip(*(c.tolist() for c in columns), strict=True):
        rows[sequence].append((document, offset, length))
    return rows


@pytest.mark.parametrize("strategy", TAKING_ALL)
@settings(deadline=None, max_examples=60)  # the first example may wait for the compiler
@given(CORPORA)
def test_equals_the_reference_bin_by_bin(strategy, corpus):
    context, stride, lengths = corpus
    expected = packing_reference.pack(lengths, context, strategy, stride)
    assert sequences(pack(lengths, context, strategy, stride)) == expected


@settings(deadline=None, max_examples=60)
@given(CORPORA, st.floats(0, 1))
def test_spread_and_pad_or_cut_equal_the_reference_for_every_share(corpus, share):
    context, stride, lengths = corpus
    most = int(share * context)
    for strategy in ("best-fit+spread", "best-fit-stream+spread", "pad-or-cut"):
        expected = packing_reference.pack(lengths, context, strategy, stride, most, most)
        assert sequences(pack(lengths, context, strategy, None, share, share)) == expected


@settings(deadline=None, max_examples=60)
@given(CORPORA)
def test_pad_or_cut_lies_between_its_two_ends(corpus):
    context, _, lengths = corpus
    assert sequences(pack(lengths, context, "pad-or-cut", threshold=0)) == sequences(
        pack(lengths, context, "concat-then-split")
    )
    assert sequences(pack(lengths, context, "pad-or-cut", threshold=1)) == sequences(
        pack(lengths, context, "pad-last-document")
    )


def test_windows_are_spread_evenly_over_a_document():
    assert sequences(pack([20], 8, "best-fit+spread")) == [[(0, 0, 8)], [(0, 6, 8)], [(0, 12, 8)]]
    # two windows would share 6 of 8 tokens: the rest is a piece of its own
    assert sequences(pack([10], 8, "best-fit+spread")) == [[(0, 0, 8)], [(0, 8, 2)]]
    assert sequences(pack([10], 8, "best-fit+spread", max_overlap=0.75)) == [[(0, 0, 8)], [(0, 2, 8)]]
    assert sequences(pack([16], 8, "best-fit+spread", max_overlap=0)) == [[(0, 0, 8)], [(0, 8, 8)]]


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_that_make_no_sense_are_refused(share):
    with pytest.raises(InputError, match=r"threshold .* give a number from 0 to 1"):
        pack([1], 8, "pad-or-cut", threshold=share)
    with pytest.raises(InputError, match=r"max overlap .* give a number from 0 to 1"):
        pack([1], 8, "best-fit+spread", max_overlap=share)


@pytest.mark.parametrize("strategy", ["best-fit", "best-fit-stream"])
@settings(deadline=None, max_examples=60)
@given(CORPORA)
def test_best_fit_without_handling_equals_the_reference_or_refuses(strategy, corpus):
    context, stride, lengths = corpus
    if max(lengths, default=0) > context:
        with pytest.raises(InputError, match=f"longer than the context of {context} tokens"):
            pack(lengths, context, strategy)
        return
    assert sequences(pack(lengths, context, strategy)) == packing_reference.pack(lengths, context, strategy, stride)


@pytest.mark.parametrize("strategy", TAKING_ALL)
@settings(deadline=None, max_examples=60)
@given(CORPORA)
def test_a_packing_is_well_formed(strategy, corpus):
    context, stride, lengths = corpus
    packing = pack(lengths, context, strategy, stride)
    assert (packing.length > 0).all()
    assert (np.diff(packing.sequence) >= 0).all()
    filled = np.bincount(packing.sequence, weights=packing.length, minlength=packing.sequences)
    assert (filled <= context).all()
    assert (filled > 0).all()
    assert (packing.offset >= 0).all()
    assert (packing.offset + packing.length <= np.asarray(lengths, np.int64)[packing.document]).all()
    starts = packing.starts()
    assert starts[-1] == len(packing.length)
    assert (packing.sequence[starts[:-1]] == np.arange(packing.sequences)).all()


@pytest.mark.parametrize("strategy", KEEPING_ALL)
@settings(deadline=None, max_examples=60)
@given(CORPORA)
def test_no_token_is_lost_and_only_restart_slide_and_spread_repeat(strategy, corpus):
    context, stride, lengths = corpus
    packing = pack(lengths, context, strategy, stride)
    seen = [np.zeros(length, int) for length in lengths]
    for pieces in sequences(packing):
        for document, offset, length in pieces:
            seen[document][offset : offset + length] += 1
    counts = np.concatenate([np.empty(0, int), *seen])
    assert (counts >= 1).all()
    if not strategy.endswith(("slide", "spread")) and not strategy.startswith("restart"):
        assert (counts == 1).all()


@settings(deadline=None, max_examples=60)
@given(CORPORA)
def test_drop_loses_just_the_overlong_and_truncate_just_their_tails(corpus):
    context, _, lengths = corpus
    dropped = pack(lengths, context, "best-fit+drop")
    assert sorted(dropped.document.tolist()) == [d for d, n in enumerate(lengths) if 0 < n <= context]
    assert dropped.offset.sum() == 0
    cut = pack(lengths, context, "best-fit+truncate")
    assert sorted(zip(cut.document.tolist(), cut.length.tolist(), strict=True)) == [
        (d, min(n, context)) for d, n in enumerate(lengths) if n
    ]


@settings(deadline=None, max_examples=60)
@given(CORPORA)
def test_pad_cuts_nothing_but_overlong_documents(corpus):
    context, _, lengths = corpus
    packing = pack(lengths, context, "pad-last-document")
    whole = packing.length == np.asarray(lengths, np.int64)[packing.document]
    assert (np.asarray(lengths, np.int64)[packing.document][~whole] > context).all()


@pytest.mark.parametrize("context", [63, 64, 65, 4095, 4096, 4097, 300_000, 600_000])
@pytest.mark.parametrize("strategy", ["best-fit", "best-fit-stream"])
def test_equals_the_reference_across_the_bitmap_levels(strategy, context):
    rng = np.random.default_rng(context)
    lengths = np.minimum(rng.lognormal(np.log(context / 4), 1.3, 400).astype(np.int64), context)
    expected = packing_reference.pack(lengths.tolist(), context, strategy, 1)
    assert sequences(pack(lengths, context, strategy)) == expected


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]])
def test_nothing_to_pack_gives_no_sequence(strategy, lengths):
    packing = pack(lengths, 8, strategy)
    assert packing.sequences == 0
    assert len(packing.length) == 0


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equal_documents_fill_sequences_evenly(strategy):
    packing = pack([4] * 9, 8, strategy)
    assert np.bincount(packing.sequence).tolist() == [2, 2, 2, 2, 1]


def test_hand_computed_packings():
    lengths = [3, 6, 2, 5]
    assert sequences(pack(lengths, 8, "concat-then-split")) == [
        [(0, 0, 3), (1, 0, 5)],
        [(1, 5, 1), (2, 0, 2), (3, 0, 5)],
    ]
    assert sequences(pack(lengths, 8, "restart-last-document")) == [
        [(0, 0, 3), (1, 0, 5)],
        [(1, 0, 6), (2, 0, 2)],
        [(3, 0, 5)],
    ]
    assert sequences(pack(lengths, 8, "pad-last-document")) == [[(0, 0, 3)], [(1, 0, 6), (2, 0, 2)], [(3, 0, 5)]]
    assert sequences(pack(lengths, 8, "best-fit")) == [[(1, 0, 6), (2, 0, 2)], [(3, 0, 5), (0, 0, 3)]]
    assert sequences(pack(lengths, 8, "best-fit-stream")) == [[(0, 0, 3), (3, 0, 5)], [(1, 0, 6), (2, 0, 2)]]


def test_an_overlong_document_goes_on_after_its_restart():
    assert sequences(pack([3, 20], 8, "restart-last-document")) == [
        [(0, 0, 3), (1, 0, 5)],
        [(1, 0, 8)],
        [(1, 8, 8)],
        [(1, 16, 4)],
    ]
    assert sequences(pack([3, 20, 2], 8, "pad-last-document")) == [
        [(0, 0, 3)],
        [(1, 0, 8)],
        [(1, 8, 8)],
        [(1, 16, 4), (2, 0, 2)],
    ]


def test_the_last_window_reaches_back():
    assert sequences(pack([21], 8, "best-fit+slide", 6)) == [[(0, 0, 8)], [(0, 6, 8)], [(0, 12, 8)], [(0, 13, 8)]]
    assert sequences(pack([20], 8, "best-fit+slide", 6)) == [[(0, 0, 8)], [(0, 6, 8)], [(0, 12, 8)]]
    assert sequences(pack([16], 8, "best-fit+slide")) == [[(0, 0, 8)], [(0, 4, 8)], [(0, 8, 8)]]


@pytest.mark.parametrize("strategy", TAKING_ALL)
def test_totals_beyond_32_bits(strategy):
    context = 1 << 24
    lengths = [(1 << 32) + 5, 7, (1 << 24) - 1]
    packing = pack(lengths, context, strategy, context)
    assert packing.length.dtype == np.int64
    if strategy in KEEPING_ALL:
        ends = (packing.offset + packing.length)[packing.document == 0]
        assert int(ends.max()) == lengths[0]
    assert int(packing.length.astype(object).sum()) >= (0 if strategy.endswith("drop") else context)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_every_integer_type_is_taken(dtype):
    assert sequences(pack(np.array([3, 6, 2, 5], dtype), 8, "best-fit")) == sequences(pack([3, 6, 2, 5], 8, "best-fit"))


def test_memory_mapped_lengths_are_taken(tmp_path):
    lengths = np.arange(1, 200, dtype=np.int64)
    np.save(tmp_path / "lengths.npy", lengths)
    mapped = np.load(tmp_path / "lengths.npy", mmap_mode="r")
    for strategy in TAKING_ALL:
        assert sequences(pack(mapped, 64, strategy)) == sequences(pack(lengths, 64, strategy))


@pytest.mark.parametrize(
    ("lengths", "said"),
    [
        ([3, -1], "document 1 has the negative length -1"),
        ([3, 2.5], "not 3.0 (document 0)"),
        ([3, None], "not None (document 1)"),
        ([3, 1 << 70], "not 1180591620717411303424 (document 1)"),
        (["a"], "not 'a' (document 0)"),
        ([True], "not True (document 0)"),
        (np.array([1, 1 << 63], np.uint64), "add up to more than 2^62 tokens"),
        ([[1, 2]], "shape (1, 2)"),
        ([1 << 62, 1 << 62], "add up to more than 2^62 tokens"),
    ],
)
def test_bad_lengths_are_named(lengths, said):
    with pytest.raises(InputError) as caught:
        pack(lengths, 8, "best-fit")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("context", [0, -3, 1.5, True])
def test_bad_contexts_are_refused(context):
    with pytest.raises(InputError, match=r"context length .* at least 1"):
        pack([1], context, "best-fit")


@pytest.mark.parametrize("stride", [0, -1, 9, 1.5])
def test_bad_strides_are_refused(stride):
    with pytest.raises(InputError, match=r"stride .* from 1 to the context length 8"):
        pack([1], 8, "best-fit+slide", stride)


@pytest.mark.parametrize(("name", "near"), [("bestfit", "best-fit"), ("best-fit+splt", "best-fit+split")])
def test_unknown_strategies_get_a_suggestion(name, near):
    with pytest.raises(InputError, match=f"unknown packing strategy '.*did you mean .*{near}".replace("+", r"\+")):
        pack([1], 8, name)


def test_best_fit_names_the_first_overlong_document_and_the_ways_out():
    with pytest.raises(InputError) as caught:
        pack([4, 9, 10], 8, "best-fit")
    message = str(caught.value)
    assert "2 of 3 documents" in message
    assert "document 1, 9 tokens" in message
    assert all(f"best-fit+{handling}" in message for handling in HANDLINGS)


def test_best_fit_refuses_a_context_whose_rooms_would_not_fit_into_memory():
    with pytest.raises(InputError, match="at most 67108864 tokens"):
        pack([1], LONGEST_CONTEXT + 1, "best-fit")
