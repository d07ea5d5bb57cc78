"""What stands beside the ids of a corpus is carried to the rows, or refused."""

import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from harness.packing.command import pack_command
from harness.packing.corpus import count, from_store
from harness.packing.documents import Tokens
from harness.packing.findings import Reading
from harness.packing.loss import LossRules, trained_tokens
from harness.packing.request import PackRequest
from harness.packing.rows import Gatherer
from harness.packing.sources import read_documents
from harness.packing.store import TokenStore, read_store
from harness.packing.strategies import STRATEGIES, pack
from harness.packing.token_columns import IGNORED
from harness.packing.vocabulary import load_vocabulary

TAKING_ALL = [s for s in STRATEGIES if s not in ("best-fit", "best-fit-stream")]


def packed(tmp_path, lines, context, strategy="concat-then-split", **changes):
    """The rows, as columns of lists, that a corpus of these lines comes out as."""
    corpus = tmp_path / "c.jsonl"
    corpus.write_text("".join(json.dumps(line) + "\n" for line in lines))
    changes = {"in_order": True, "output": tmp_path / "out", **changes}
    result = pack_command(PackRequest(str(corpus), context, strategies=(strategy,), **changes), lambda line: None)
    return pyarrow.parquet.read_table(changes["output"] / strategy).to_pydict(), result


def test_labels_stay_masked(tmp_path):
    """They came out as the ids, with status 0."""
    rows, result = packed(tmp_path, [{"input_ids": [1, 2, 3, 4], "labels": [-100, -100, 3, 4]}], 4)
    assert rows["labels"] == [[-100, -100, 3, 4]]
    assert result.metrics["concat-then-split"].trained_tokens == 2


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("name", ["assistant_masks", "completion_mask", "loss_mask"])
def test_masks_take_tokens_out_of_the_loss(tmp_path, name, form):
    lines = [{"input_ids": [1, 2, 3], name: [0, 1, 0], "labels": [1, 2, 3]}, {"input_ids": [4, 5], name: [1, 1]}]
    if form == "parquet":
        pyarrow.parquet.write_table(
            pyarrow.table({"input_ids": [[1, 2, 3], [4, 5]], name: [[0, 1, 0], [1, 1]]}), tmp_path / "c.parquet"
        )
        [first, second] = read_documents(str(tmp_path / "c.parquet"), Reading())
        assert first.content.columns["trained"].tolist() == [0, 1, 0]
        assert second.content.columns["trained"].tolist() == [1, 1]
        return
    rows, _ = packed(tmp_path, lines, 6, separator="9")
    assert rows["input_ids"] == [[1, 2, 3, 9, 4, 5], [9, 9, 9, 9, 9, 9]]
    assert rows["labels"] == [[-100, 2, -100, -100, -100, 5], [-100] * 6]
    assert rows.keys() == {"input_ids", "labels", "position_ids", "seq_lengths", "seq_documents", "seq_offsets"}


def test_a_separator_is_trained_as_its_documents_last_token_is(tmp_path):
    lines = [{"input_ids": [1, 2], "labels": [1, -100]}, {"input_ids": [3, 4], "labels": [-100, 4]}]
    rows, _ = packed(tmp_path, lines, 6, separator="9")
    assert rows["labels"] == [[-100, -100, -100, -100, 4, 9]]


def test_weights_and_unknown_columns_are_cut_and_joined_with_their_tokens(tmp_path):
    lines = [
        {"input_ids": [1, 2, 3], "loss_weight": [0.5, 1, 2], "speaker": [7, 7, 8], "id": "a"},
        {"input_ids": [4, 5], "loss_weight": [3, 4], "speaker": [9, 9], "id": "b"},
    ]
    rows, result = packed(tmp_path, lines, 4, separator="9", padding="0")
    assert rows["loss_weights"] == [[0.5, 1, 2, 2], [3, 4, 4, 0]]
    assert rows["speaker"] == [[7, 7, 8, 0], [9, 9, 0, 0]]
    assert "columns not read: id" in result.notes


def test_a_mask_or_weight_that_some_documents_lack_has_a_default(tmp_path):
    lines = [
        {"input_ids": [1, 2]},
        {"input_ids": [3, 4], "labels": [3, -100], "loss_weights": [2, 2]},
        {"input_ids": [5]},
    ]
    rows, _ = packed(tmp_path, lines, 5, loss_across_boundaries=True)
    assert rows["labels"] == [[1, 2, 3, -100, 5]]
    assert rows["loss_weights"] == [[1, 1, 2, 2, 1]]


def test_padding_of_the_corpus_is_left_out_and_counted(tmp_path):
    rows, result = packed(tmp_path, [{"input_ids": [0, 0, 5, 6, 0], "attention_mask": [0, 0, 1, 1, 0]}], 2)
    assert rows["input_ids"] == [[5, 6]]
    assert "padding left out, as attention_mask says: 3 tokens" in result.notes


def test_single_values_and_ignored_columns_are_no_token_columns(tmp_path):
    lines = [{"input_ids": [1, 2], "labels": 1, "loss_mask": [1]}]
    rows, result = packed(tmp_path, lines, 2, ignored=("loss_mask",), loss_across_boundaries=True)
    assert rows["labels"] == [[1, 2]]
    assert result.notes == ["columns not read: labels"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"input_ids": [1, 2], "labels": [1]}], "line 1: labels has 1 values for 2 tokens; mend it, or leave it out"),
        ([{"input_ids": [1, 2], "labels": [2, 3]}], "label 2 of token 0 is neither its id 1 nor -100"),
        ([{"input_ids": [1, 2], "loss_mask": [1, 2]}], "loss_mask must hold 0 and 1, not 2"),
        ([{"input_ids": [1, 2, 3], "attention_mask": [1, 0, 1]}], "attention_mask is 0 inside the document"),
        ([{"input_ids": [1, 2, 3], "position_ids": [0, 1, 0]}], "give documents, not packed rows"),
        ([{"input_ids": [1, 2, 3], "seq_lengths": [2, 1]}], "names 2 documents: give documents, not packed rows"),
        ([{"input_ids": [1, 2], "labels": ["a", "b"]}], "labels has values that are no numbers"),
        ([{"input_ids": [1, 2], "labels": [None, 2]}], "line 1: labels holds a null beside its numbers; mend it"),
        ([{"input_ids": [1, 2], "x": [0.5, None]}], "line 1: x holds a null beside its numbers; mend it"),
        ([{"input_ids": [1, None]}], "input_ids must be text or a list of token ids, not a list with nulls"),
        ([{"input_ids": [1], "loss_weight": [-1]}], "loss_weight must be finite and not negative"),
        ([{"text": "a", "labels": [1]}], "labels is of tokens, but the document is text"),
        (
            [{"input_ids": [1], "x": [1]}, {"input_ids": [1]}],
            "document 1: has no column x of one value a token, as earlier documents have",
        ),
        (
            [{"input_ids": [1]}, {"input_ids": [1], "x": [1]}],
            "document 1: has a column x of one value a token, which earlier documents lack",
        ),
        ([{"input_ids": [1], "x": [1]}, {"input_ids": [1], "x": [1.5]}], "x holds values that int64 does not"),
        ([{"input_ids": [1], "trained": [1]}], "trained is a name that packing uses"),
    ],
)
def test_what_can_not_be_carried_is_refused(tmp_path, lines, said):
    with pytest.raises(InputError) as caught:
        packed(tmp_path, lines, 4)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["labels", "loss_mask", "x", "input_ids"])
def test_a_null_in_a_list_of_a_table_is_refused_with_its_row(tmp_path, name):
    """It made floats of the numbers, and of the null a NaN that was carried along."""
    lists = {"input_ids": [[1, 0], [1, 1]], "labels": [[1, 0], [1, 1]], "x": [[1, 0], [1, 1]]}
    lists |= {"loss_mask": [[True, False], [True, True]]}
    table = pyarrow.table(lists | {name: [lists[name][0], [None, lists[name][1][1]]]})
    pyarrow.parquet.write_table(table, tmp_path / "c.parquet")
    given = read_documents(str(tmp_path / "c.parquet"), Reading())
    assert next(given).content.columns["x"].tolist() == [1, 0]
    with pytest.raises(InputError, match=f"row 1: {name} .*null"):
        next(given)


def test_numbers_of_every_width_are_carried(tmp_path):
    """Halves ended in a traceback of the compiler."""
    kinds = ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
    kinds += ("float16", "float32", "float64")
    columns = {kind: pyarrow.array([np.array([1, 0, 1], kind)]) for kind in kinds}
    pyarrow.parquet.write_table(pyarrow.table({"input_ids": [[5, 6, 7]], **columns}), tmp_path / "c.parquet")
    asked = PackRequest(str(tmp_path / "c.parquet"), 4, strategies=("best-fit",), output=tmp_path / "out", padding="0")
    pack_command(asked, lambda line: None)
    table = pyarrow.parquet.read_table(tmp_path / "out" / "best-fit")
    assert {kind: table[kind].to_pylist() for kind in kinds} == {kind: [[1, 0, 1, 0]] for kind in kinds}
    wanted = {kind: pyarrow.from_numpy_dtype("float32" if kind == "float16" else kind) for kind in kinds}
    assert {kind: table.schema.field(kind).type.value_type for kind in kinds} == wanted


def test_columns_are_kept_beside_an_index(tmp_path):
    corpus = tmp_path / "c.jsonl"
    corpus.write_text(json.dumps({"input_ids": [1, 2, 3], "labels": [-100, 2, 3]}) + "\n")
    asked = PackRequest(str(corpus), 4, strategies=("best-fit",), output=tmp_path / "out", index_only=True)
    pack_command(asked, lambda line: None)
    store = read_store(tmp_path / "out" / "tokens.bin", tmp_path / "out" / "tokens.idx")
    assert store.columns["trained"].tolist() == [0, 1, 1]
    (tmp_path / "out" / "tokens.column-0.bin").write_bytes(b"\1")
    with pytest.raises(InputError, match="trained has 1 values for 3 tokens"):
        read_store(tmp_path / "out" / "tokens.bin", tmp_path / "out" / "tokens.idx")


def test_documents_of_just_the_context_keep_whole_without_a_separator(tmp_path):
    """100 documents of 8 ids at L = 8 were all dropped, with status 0."""
    lines = [{"input_ids": [number + 10] * 8} for number in range(100)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = PackRequest(str(tmp_path / "c.jsonl"), 8, strategies=tuple(TAKING_ALL), separator="1")
    for strategy, numbers in pack_command(asked, lambda line: None).metrics.items():
        if strategy == "concat-then-split":
            assert (numbers.separator_tokens, numbers.sequences) == (100, 113)
        if strategy in ("concat-then-split", "pad-or-cut"):  # streams, in which separators are boundaries
            assert numbers.separator_tokens == 100
            continue
        assert (numbers.separator_tokens, numbers.dropped_tokens, numbers.fragmentation_pieces) == (0, 0, 0), strategy
        assert numbers.sequences == 100


@pytest.mark.parametrize(
    ("strategy", "separated"), [("best-fit+split", 0), ("pad-last-document", 0), ("best-fit+slide", 1)]
)
def test_a_multiple_of_the_context_gets_no_separator_that_would_stand_alone(strategy, separated):
    corpus = count([Tokens(np.arange(2, 18))], 1)
    assert corpus.fitted(strategy, 8).separator_tokens == separated


def test_an_empty_result_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"best-fit\+drop: nothing is left of 1 documents; give a larger context"):
        packed(tmp_path, [{"input_ids": [1] * 9}], 8, "best-fit+drop")
    with pytest.raises(InputError, match="the corpus holds no documents with tokens"):
        packed(tmp_path, [{"input_ids": []}], 8, "best-fit+drop")


def test_the_first_token_of_every_piece_is_out_of_the_loss_unless_asked_for(tmp_path):
    lines = [{"input_ids": [1, 2, 3]}, {"input_ids": [4, 5]}, {"input_ids": [6]}]
    rows, result = packed(tmp_path, lines, 4)
    assert rows["labels"] == [[-100, 2, 3, -100], [-100, -100, -100, -100]]
    assert result.metrics["concat-then-split"].trained_tokens == 2
    rows, result = packed(tmp_path, lines, 4, loss_across_boundaries=True, output=tmp_path / "across")
    assert rows["labels"] == [[1, 2, 3, 4], [5, 6, -100, -100]]
    assert result.metrics["concat-then-split"].trained_tokens == 4  # nothing predicts a row's first token


DOCUMENTS = st.lists(
    st.lists(st.tuples(st.integers(2, 90), st.booleans()), max_size=30), min_size=1, max_size=20
).filter(lambda documents: any(documents))


@pytest.mark.parametrize("strategy", TAKING_ALL)
@settings(deadline=None, max_examples=15)
@given(DOCUMENTS, st.integers(1, 12), st.booleans(), st.booleans(), st.booleans())
def test_labels_and_the_count_of_trained_tokens_agree(strategy, documents, context, across, masked, separated):
    """In the labels as any causal model reads them: shifted by one, so that a row's first token has no use."""
    vocabulary = load_vocabulary(None, "1" if separated else None)
    given_documents = [
        Tokens(np.array([i for i, _ in d], np.int32), {"trained": np.array([t for _, t in d], np.uint8)})
        for d in documents
    ]
    ids = np.array([i for d in documents for i, _ in d], np.int32)
    trained = np.array([t for d in documents for _, t in d], np.uint8)
    sizes = np.array([len(d) for d in documents])
    store = TokenStore(ids, np.cumsum(sizes) - sizes, sizes, {"trained": trained})
    corpus = from_store(store, vocabulary.separator).fitted(strategy, context)
    packing = pack(corpus.lengths, context, strategy)
    rules = LossRules(across, masked)
    rows = Gatherer(packing, corpus, 0, rules).rows(np.arange(packing.sequences))
    assert trained_tokens(packing, corpus, rules) == (rows.labels[:, 1:] != IGNORED).sum()
    wanted = np.full_like(rows.input_ids, IGNORED)
    place = np.zeros(packing.sequences, int)
    seen: list[set[int]] = [set() for _ in documents]
    for document, offset, length, sequence in zip(
        packing.document, packing.offset, packing.length, packing.sequence, strict=True
    ):
        own = documents[document]
        for step in range(length):
            token, is_trained = own[offset + step] if offset + step < len(own) else (1, own[-1][1])
            repeated = masked and offset + step in seen[document]
            if is_trained and (step or across) and not repeated:
                wanted[sequence, place[sequence]] = token
            assert rows.input_ids[sequence, place[sequence]] == token
            place[sequence] += 1
        seen[document] |= set(range(offset, offset + length))
    if not masked or strategy.startswith(("concat", "pad")) or strategy.endswith(("split", "drop", "truncate")):
        assert rows.labels.tolist() == wanted.tolist()
    uncounted = count(given_documents, vocabulary.separator).fitted(strategy, context)
    assert trained_tokens(packing, uncounted, rules) == trained_tokens(packing, corpus, rules)
