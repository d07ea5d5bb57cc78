"""What trainers take: their columns, token files, rows made from an index, and batches laid out as one row."""

import json
from dataclasses import replace

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from harness.errors import InputError
from harness.packing.command import pack_command
from harness.packing.loss import LossRules
from harness.packing.reader import NextTokens, PackedIndex
from harness.packing.request import PackRequest
from harness.packing.store import StoreWriter, read_store
from harness.packing.strategies import STRATEGIES, pack

LINES = [
    {"input_ids": [5, 6, 7], "labels": [-100, 6, 7]},
    {"input_ids": [8, 9]},
    {"input_ids": [10, 11, 12, 13, 14, 15, 16]},
]
CONTEXT = 6


def packed(folder, lines=LINES, **changes):
    corpus = folder / "c.jsonl"
    corpus.write_text("".join(json.dumps(line) + "\n" for line in lines))
    written = {"output": folder / "out", "in_order": True, "padding": "0", "strategies": ("concat-then-split",)}
    result = pack_command(PackRequest(str(corpus), CONTEXT, **{**written, **changes}), lambda line: None)
    return folder / "out" / changes.get("strategies", written["strategies"])[0], result


@pytest.mark.parametrize(("size", "kind"), [(100, pyarrow.uint16()), (70_000, pyarrow.int32())])
@pytest.mark.parametrize(("narrow", "wide"), [("arrow", "rows"), ("trainer-arrow", "trainer")])
def test_arrow_shards_hold_the_rows_in_narrow_types(tmp_path, size, kind, narrow, wide):
    with StoreWriter(tmp_path / "t.bin", tmp_path / "t.idx", size) as writer:
        for line in LINES:
            writer.add(np.array(line["input_ids"]))
    for form in (narrow, wide):
        asked = PackRequest(str(tmp_path / "t"), CONTEXT, strategies=("best-fit+split",), format=form)
        pack_command(replace(asked, output=tmp_path / form), lambda line: None)
    [shard] = (tmp_path / narrow / "best-fit+split").glob("*.arrow")
    table = pyarrow.ipc.open_stream(shard).read_all()
    assert table.schema.field("input_ids").type.value_type == kind
    assert table.to_pydict() == pyarrow.parquet.read_table(tmp_path / wide / "best-fit+split").to_pydict()


def test_a_trainers_columns(tmp_path):
    folder, _ = packed(tmp_path, format="trainer", strategies=("best-fit+split",))
    table = pyarrow.parquet.read_table(folder).to_pydict()
    assert list(table) == ["input_ids", "attention_mask", "labels", "position_ids"]
    assert table["input_ids"] == [[10, 11, 12, 13, 14, 15], [5, 6, 7, 8, 9, 16]]
    folder, _ = packed(tmp_path, format="trainer", output=tmp_path / "two")
    table = pyarrow.parquet.read_table(tmp_path / "two" / "concat-then-split").to_pydict()
    assert table["attention_mask"] == [[1] * 6, [1] * 6]
    assert table["labels"] == [[-100, 6, 7, -100, 9, -100], [-100, 12, 13, 14, 15, 16]]


def test_the_columns_of_megatron_bridge(tmp_path):
    folder, _ = packed(tmp_path, format="megatron-bridge", strategies=("pad-last-document",))
    table = pyarrow.parquet.read_table(folder).to_pydict()
    assert table["input_ids"] == [[5, 6, 7, 8, 9], [10, 11, 12, 13, 14, 15], [16]]
    assert table["seq_start_id"] == [[0, 3], [0], [0]]
    assert table["loss_mask"] == [[1, 1, 0, 1, 0], [1, 1, 1, 1, 1, 0], [0]]  # at the token that predicts


def test_megatrons_token_files_hold_the_rows_as_documents(tmp_path):
    folder, _ = packed(tmp_path, [{"input_ids": line["input_ids"]} for line in LINES], format="megatron")
    store = read_store(folder / "rows.bin", folder / "rows.idx")
    assert store.lengths.tolist() == [CONTEXT, CONTEXT]
    assert store.tokens.tolist() == list(range(5, 17))
    with pytest.raises(InputError, match="holds token ids alone, but the corpus masks"):
        packed(tmp_path, format="megatron", output=tmp_path / "two")


@pytest.mark.parametrize("strategy", ["concat-then-split", "best-fit+split", "restart-last-document"])
def test_rows_made_from_an_index_are_those_of_the_shards(tmp_path, strategy):
    shards, _ = packed(tmp_path, strategies=(strategy,), separator="3")
    table = pyarrow.parquet.read_table(shards).to_pylist()
    index, _ = packed(
        tmp_path, strategies=(strategy,), separator="3", padding=None, index_only=True, output=tmp_path / "index"
    )
    index = PackedIndex(tmp_path / "index" / strategy)
    assert len(index) == len(table)
    # without --padding the separator fills rows up
    for row, wanted in zip(index, table, strict=True):
        filled = sum(wanted["seq_lengths"][: len(wanted["seq_lengths"]) - (0 in wanted["input_ids"])])
        assert row["input_ids"][:filled].tolist() == wanted["input_ids"][:filled]
        for name in ("labels", "position_ids", "seq_lengths"):
            assert row[name].tolist() == wanted[name]
    with pytest.raises(IndexError):
        index[len(table)]
    across = PackedIndex(tmp_path / "index" / strategy, LossRules(across_boundaries=True))
    assert sum((row["labels"] >= 0).sum() for row in across) > sum((row["labels"] >= 0).sum() for row in index)


def test_next_tokens_stand_where_they_are_predicted(tmp_path):
    folder, _ = packed(tmp_path, strategies=("best-fit+split",), padding=None, index_only=True)
    index = PackedIndex(folder)
    rows = NextTokens(index)
    assert [row["input_ids"].tolist() for row in index] == [[10, 11, 12, 13, 14, 15], [5, 6, 7, 8, 9, 16]]
    given, labels = rows[1]
    assert given["input"].tolist() == [5, 6, 7, 8, 9, 16]
    assert given["positions"].tolist() == [0, 1, 2, 0, 1, 0]
    assert labels.tolist() == [6, 7, -100, 9, -100, -100]
    second = NextTokens(index, rank=1, ranks=2)
    assert len(second) == 1
    assert second[0][1].tolist() == labels.tolist()
    with pytest.raises(IndexError):
        second[1]


def test_an_index_finds_its_token_files_from_any_working_folder(tmp_path, monkeypatch):
    with StoreWriter(tmp_path / "t.bin", tmp_path / "t.idx", 100) as writer:
        for line in LINES:
            writer.add(np.array(line["input_ids"]))
    monkeypatch.chdir(tmp_path)
    asked = PackRequest("t", CONTEXT, strategies=("concat-then-split",), index_only=True, output=tmp_path / "out")
    pack_command(asked, lambda line: None)
    monkeypatch.chdir("/")
    assert [row["input_ids"].tolist() for row in PackedIndex(tmp_path / "out" / "concat-then-split")] == [
        [5, 6, 7, 8, 9, 10],
        [11, 12, 13, 14, 15, 16],
    ]


def test_a_folder_that_is_no_index_is_named(tmp_path):
    with pytest.raises(InputError, match="not an index that `harness pack --index-only` wrote"):
        PackedIndex(tmp_path)


def test_a_budget_cuts_every_strategy_at_equal_tokens(tmp_path):
    """A full restart pass emits a fifth more than concat: arms of unequal length."""
    lengths = np.random.default_rng(0).integers(1, 12, 400)
    lines = [{"input_ids": [7] * int(length)} for length in lengths]
    strategies = tuple(s for s in STRATEGIES if s not in ("best-fit", "best-fit-stream"))
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = PackRequest(str(tmp_path / "c.jsonl"), CONTEXT, strategies=strategies, budget=1000)
    result = pack_command(asked, lambda line: None)
    for strategy, numbers in result.metrics.items():
        whole = int(pack(lengths, CONTEXT, strategy).length.sum())
        if whole >= 1000:
            assert 1000 - CONTEXT < numbers.emitted_tokens <= 1000, strategy
            assert numbers.dropped_tokens == numbers.tokens - numbers.unique_tokens > 0
        else:
            assert f"{strategy} emits {whole:,} tokens in all, fewer than the budget" in result.notes


@pytest.mark.parametrize(
    "strategy", ["concat-then-split", "restart-last-document", "best-fit+slide", "best-fit+spread"]
)
def test_equal_weights_add_up_to_one_for_every_token(tmp_path, strategy):
    lines = [{"input_ids": list(range(first, first + size))} for first, size in ((10, 4), (20, 5), (30, 17), (50, 3))]
    folder, _ = packed(tmp_path, lines, strategies=(strategy,), equal_weights=True)
    table = pyarrow.parquet.read_table(folder).to_pydict()
    total: dict[int, float] = {}
    for labels, weights in zip(table["labels"], table["loss_weights"], strict=True):
        for label, weight in zip(labels, weights, strict=True):
            if label >= 0:
                total[label] = total.get(label, 0) + weight
    assert total == pytest.approx(dict.fromkeys(total, 1))
    assert len(total) >= 15


def test_the_front_is_drawn(tmp_path):
    front = tmp_path / "front.png"
    packed(tmp_path, strategies=("concat-then-split",), front=front)
    assert front.read_bytes().startswith(b"\x89PNG")


def test_shares_without_their_strategy_are_refused(tmp_path):
    for changes in ({"threshold": 0.1}, {"max_overlap": 0.1}):
        with pytest.raises(InputError, match="leave it out"):
            packed(tmp_path, **changes)
