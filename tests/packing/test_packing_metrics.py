import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from harness.packing.metrics import POSITION_BINS, distributions, measure
from harness.packing.metrics_file import load_metrics, metrics_record
from harness.packing.strategies import STRATEGIES, pack

TAKING_ALL = [s for s in STRATEGIES if s not in ("best-fit", "best-fit-stream")]


def measured(lengths, context, strategy, stride=None):
    return measure(pack(lengths, context, strategy, stride), np.array(lengths, np.int64))


def test_hand_computed_concat():
    # 3 | 6 cut into 5 + 1 | 2 | 5 in two sequences of 8: the document of 6 misses its tail once and its head once
    metrics = measured([3, 6, 2, 5, 0], 8, "concat-then-split")
    assert (metrics.documents, metrics.empty_documents, metrics.overlong_documents) == (5, 1, 0)
    assert (metrics.sequences, metrics.sequences_bound) == (2, 2)
    assert (metrics.tokens, metrics.emitted_tokens, metrics.unique_tokens) == (16, 16, 16)
    assert (metrics.padding_tokens, metrics.padding_rate, metrics.token_budget) == (0, 0.0, 16)
    assert (metrics.pieces, metrics.pieces_cut_head, metrics.pieces_cut_tail, metrics.pieces_cut_both) == (5, 1, 1, 0)
    assert metrics.fragmentation_pieces == 2 / 5
    assert (metrics.documents_cut_head, metrics.documents_cut_tail, metrics.documents_cut_both) == (0, 0, 1)
    assert metrics.fragmentation_documents == 1 / 5
    assert metrics.documents_per_sequence == 2.5
    assert metrics.documents_per_sequence_max == 3


def test_hand_computed_headless_tokens():
    # 3 | 6 cut into 5 + 1 | 2 | 5: the one token stands without its head; of 20 split, 12 do, of its two later windows
    assert measured([3, 6, 2, 5], 8, "concat-then-split").headless_tokens == 1
    assert measured([3, 6, 2, 5], 8, "concat-then-split").headless_rate == 1 / 16
    assert measured([3, 6, 2, 5], 8, "restart-last-document").headless_tokens == 0
    assert measured([20, 3], 8, "best-fit+split").headless_tokens == 12
    assert measured([20, 3], 8, "best-fit+slide", 4).headless_tokens == 24
    assert measured([20, 3], 8, "best-fit+drop").headless_tokens == 0


def test_hand_computed_restart():
    # [3, 5 of 6] [6, 2] [5]: the five tokens come twice, and only the tail is ever missed
    metrics = measured([3, 6, 2, 5], 8, "restart-last-document")
    assert (metrics.emitted_tokens, metrics.unique_tokens, metrics.repeated_tokens) == (21, 16, 5)
    assert (metrics.sequences, metrics.sequences_bound, metrics.padding_tokens) == (3, 2, 3)
    assert (metrics.pieces_cut_head, metrics.pieces_cut_tail, metrics.pieces_cut_both) == (0, 1, 0)
    assert (metrics.documents_cut_head, metrics.documents_cut_tail, metrics.documents_cut_both) == (0, 1, 0)


def test_hand_computed_pad():
    # [3, 5 padding] [6, 2] [5, 3 padding]
    metrics = measured([3, 6, 2, 5], 8, "pad-last-document")
    assert metrics.fragmentation_pieces == metrics.fragmentation_documents == 0
    assert (metrics.padding_tokens, metrics.padding_rate) == (8, 8 / 24)
    assert metrics.token_budget == 24  # 16 / (1 - 1/3)


def test_hand_computed_overlong_documents():
    split = measured([20, 3], 8, "best-fit+split")
    assert (split.pieces_cut_head, split.pieces_cut_tail, split.pieces_cut_both) == (1, 1, 1)
    assert (split.overlong_documents, split.documents_cut_both, split.dropped_tokens) == (1, 1, 0)
    slide = measured([20, 3], 8, "best-fit+slide", 4)
    assert (slide.emitted_tokens, slide.unique_tokens, slide.repeated_tokens) == (35, 23, 12)
    drop = measured([20, 3], 8, "best-fit+drop")
    assert (drop.dropped_documents, drop.dropped_tokens, drop.unique_tokens) == (1, 20, 3)
    assert drop.sequences_bound == 1
    truncate = measured([20, 3], 8, "best-fit+truncate")
    assert (truncate.dropped_documents, truncate.dropped_tokens, truncate.documents_cut_tail) == (0, 12, 1)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_to_measure_gives_zeros(strategy):
    metrics = measured([], 8, strategy)
    assert set(metrics.numbers().values()) == {0, 8}


@pytest.mark.parametrize("strategy", TAKING_ALL)
@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 60), max_size=50), st.integers(1, 20))
def test_the_numbers_agree_with_counting_every_token(strategy, lengths, context):
    packing = pack(lengths, context, strategy)
    metrics = measure(packing, np.array(lengths, np.int64))
    seen = [np.zeros(length, int) for length in lengths]
    for document, offset, length in zip(packing.document, packing.offset, packing.length, strict=True):
        seen[document][offset : offset + length] += 1
    assert metrics.unique_tokens == sum(int((counts > 0).sum()) for counts in seen)
    assert metrics.emitted_tokens == sum(int(counts.sum()) for counts in seen)
    assert metrics.dropped_documents == sum(len(counts) > 0 and not counts.any() for counts in seen)
    assert metrics.padding_tokens == packing.sequences * context - metrics.emitted_tokens
    assert metrics.sequences >= metrics.sequences_bound
    assert metrics.token_budget >= metrics.tokens or not metrics.emitted_tokens
    shown = distributions(packing, np.array(lengths, np.int64))
    assert (shown.documents_per_sequence * np.arange(len(shown.documents_per_sequence))).sum() == metrics.pieces
    assert shown.cut_positions.sum() == (
        metrics.pieces_cut_head + metrics.pieces_cut_tail + 2 * metrics.pieces_cut_both
    )


def test_cut_positions_are_relative_to_the_document():
    shown = distributions(pack([4, 8], 8, "concat-then-split"), np.array([4, 8]))
    assert shown.cut_positions[POSITION_BINS // 2] == 2  # the second document in its middle, seen from both pieces
    assert shown.cut_positions.sum() == 2


def test_agrees_with_table_13_of_the_report():
    """Exponential lengths of mean 46,500 at L = 262,144: the report's corpus as far as its table shows it.

    Fragmentation is that of pieces in sequences; the tolerances cover the sampling error of 400,000 documents.
    """
    lengths = np.maximum(1, np.random.default_rng(0).exponential(46_500, 400_000)).astype(np.int64)
    concat, restart, pad = (measured(lengths, 262_144, s) for s in TAKING_ALL[:3])
    assert 100 * concat.fragmentation_pieces == pytest.approx(30.2, abs=0.3)
    assert 100 * restart.fragmentation_pieces == pytest.approx(17.8, abs=0.2)
    assert 100 * pad.padding_rate == pytest.approx(16.45, abs=0.25)
    assert concat.fragmentation_pieces == pytest.approx(
        2 * concat.sequences / (concat.documents + concat.sequences), abs=0.002
    )
    assert pad.fragmentation_pieces < 0.008  # documents longer than the context alone
    assert restart.fragmentation_documents > concat.fragmentation_documents  # the other reading turns the order round
    for handling in ("split", "slide", "drop"):
        assert 100 * measured(lengths, 262_144, f"best-fit+{handling}").padding_rate <= 0.01


def test_the_metrics_file_gives_the_columns_of_the_ablation_table(tmp_path):
    numbers = measured([3, 6, 2, 5], 8, "pad-last-document").numbers()
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(metrics_record({"corpus": "c"}, {"pad-last-document": numbers})))
    assert load_metrics(path, "pad-last-document") == {
        "tokens_billion": pytest.approx(24e-9, rel=1e-9),
        "trained_tokens_billion": pytest.approx(12e-9, rel=1e-9),
        "fragmentation_pieces_percent": 0.0,
        "fragmentation_documents_percent": 0.0,
        "headless_percent": 0.0,
        "padding_percent": pytest.approx(100 / 3),
    }
    with pytest.raises(InputError, match="no packing strategy 'pad-last'; did you mean pad-last-document"):
        load_metrics(path, "pad-last")


def test_a_metrics_file_from_before_a_number_was_measured_is_read_without_it(tmp_path):
    numbers = measured([3, 6], 8, "best-fit").numbers()
    del numbers["headless_rate"], numbers["trained_tokens"]
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(metrics_record({}, {"best-fit": numbers})))
    assert not {"headless_percent", "trained_tokens_billion"} & load_metrics(path, "best-fit").keys()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "other/1"}', "[" * 100_000])
def test_other_files_are_no_metrics_files(tmp_path, content):
    path = tmp_path / "metrics.json"
    path.write_text(content)
    with pytest.raises(InputError, match="packing metrics file"):
        load_metrics(path, "best-fit")


WHOLE = measured([3, 6], 8, "best-fit").numbers()


@pytest.mark.parametrize(
    ("strategies", "said"),
    [
        (None, "it holds no strategies"),
        ([], "it holds no strategies"),
        (["best-fit"], "it holds no strategies"),
        ({"best-fit": {}}, "best-fit has no sound number 'documents'"),
        ({"best-fit": []}, "best-fit is not an object of numbers"),
        ({"best-fit": {**WHOLE, "sequences": "2"}}, "best-fit has no sound number 'sequences'"),
        ({"best-fit": {**WHOLE, "padding_rate": None}}, "best-fit has no sound number 'padding_rate'"),
        ({"best-fit": {**WHOLE, "pieces": float("nan")}}, "best-fit has no sound number 'pieces'"),
        ({"best-fit": {**WHOLE, "fragmentation_pieces": True}}, "best-fit has no sound number 'fragmentation_pieces'"),
    ],
)
def test_damaged_metrics_files_are_told_in_a_line(tmp_path, strategies, said):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(metrics_record({}, {}) | {"strategies": strategies}))
    with pytest.raises(InputError, match="damaged packing metrics file") as caught:
        load_metrics(path, "best-fit")
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
