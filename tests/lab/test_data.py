"""Packed rows: read as `harness pack` wrote them, and what each token counts in the loss."""

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from harness.packing.rows import IGNORED
from lab import LabError
from lab.training.data import Specials, load_rows, load_specials, row_order, token_kinds, token_places, whole_questions

CODES = {"P": 0, "B": 1, "E": 2, "S": 3, "U": 4, "A": 5, ".": 6, "n": 7}  # special tokens, text, line break
SPECIALS = Specials(0, 1, 2, 3, 4, 5, vocabulary=8)


def kinds(row: str) -> str:
    """The kinds of a row of `CODES`, as letters: n for nothing, p for prompt, a for answer."""
    tokens = np.array([[CODES[letter] for letter in row]], np.int32)
    labels = np.where(tokens == SPECIALS.pad, IGNORED, tokens)
    return "".join("npa"[kind] for kind in token_kinds(tokens, labels, SPECIALS)[0])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("BUn..nAn..En", "ppppppppaaap"),  # a whole chat
        ("BSn.nUn.nAn.EnUn.nAn.E", "pppppppppppaapppppppaa"),  # a system's words, two turns
        ("BUn.nAn..", "pppppppaa"),  # cut inside an answer: what is there of it counts
        ("BUn.nA", "pppppp"),  # cut right before the answer
        ("..EnUn.nAn.E", "aaapppppppaa"),  # begins inside an answer
        ("..nAn.EBUn.", "pppppaapppp"),  # begins inside a question
        ("EBUn.nAn.E", "apppppppaa"),  # nothing of the answer but its end
        ("..nUn.nAn.E", "pppppppppaa"),  # begins between turns
        ("..BUn.", "pppppp"),  # begins in the tail of a document without a chat's end
        (".....", "ppppp"),  # no marker at all
        ("BUnAn.E..EBU", "pppppaaaaapp"),  # a whole chat, then the tail of another's answer
        ("BUnAn.E..nAn.E", "pppppaapppppaa"),  # a whole chat, then the tail of another's question
        ("Un.nAn.EPPP", "ppppppaannn"),  # padding
    ],
)
def test_answers_and_their_ends_count_as_such(row, expected):
    assert kinds(row) == expected


@pytest.mark.parametrize(
    ("row", "count"),
    [
        ("BUn.nAn.E", 1),
        ("BUn.nAn.EBUn.nAn.EPP", 2),
        ("BUn.nAn.EUn.nAn.E", 0),  # two turns
        ("BUn.nAn.EBUn.nAn.", 1),  # the second is cut
        ("..nAn.EBUn.nAn.E", 1),  # the first is
        ("BUn.nBUn.nAn.E", 1),
        ("PPP", 0),
    ],
)
def test_whole_questions_are_counted(row, count):
    tokens = np.array([[CODES[letter] for letter in row]] * 2, np.int32)
    assert whole_questions(tokens, SPECIALS) == 2 * count


def test_rows_do_not_see_each_other():
    rows = np.array([[CODES[c] for c in row] for row in ("BUnAn.", "....E.", "......")], np.int32)
    assert token_kinds(rows, rows, SPECIALS).tolist() == [[1, 1, 1, 1, 1, 2], [2, 2, 2, 2, 2, 1], [1] * 6]


def test_what_the_data_set_masks_counts_nothing():
    tokens = np.array([[CODES[c] for c in "BUnAn.E"]], np.int32)
    labels = tokens.copy()
    labels[0, 5] = IGNORED
    assert token_kinds(tokens, labels, SPECIALS)[0].tolist() == [1, 1, 1, 1, 1, 0, 2]


def placed(*rows: str) -> list[str]:
    """The kinds of rows of pieces, each ``document:offset:tokens``."""
    split = [[piece.split(":") for piece in row.split()] for row in rows]
    tokens = np.array([[CODES[c] for *_, text in row for c in text] for row in split], np.int32)
    parts = [[len(text) for *_, text in row] for row in split]
    documents, offsets = ([[int(piece[at]) for piece in row] for row in split] for at in (0, 1))
    labels = np.where(tokens == SPECIALS.pad, IGNORED, tokens)
    found = token_kinds(tokens, labels, SPECIALS, token_places(parts, documents, offsets))
    return ["".join("npa"[kind] for kind in row) for row in found]


def test_the_tail_of_a_plain_document_is_no_answer():
    """It weighed as one, in arms alone that cut documents."""
    assert placed("1:4:....E 2:0:B..", "0:0:Un.n 1:0:B...") == ["pppppppp", "pppppppp"]


def test_a_piece_goes_on_as_the_piece_before_it_ended():
    rows = ("0:0:BUn.nAn.. -1:0:PPPP", "1:0:BUn. 0:9:....EnUn.")
    assert placed(*rows) == ["pppppppaannnn", "ppppaaaaapppp"]
    assert placed("0:9:..", "0:0:BU") == ["pp", "pp"]  # something is missing between them, and no end follows
    assert placed("0:9:.E.U") == ["aapp"]  # the piece before it is nowhere: as without places
    assert placed("0:7:..E....", "0:0:BUn.nAn")[0] == "aaapppp"  # after an answer's end nothing is one


def test_packed_rows_come_as_they_were_written(workshop):
    import pyarrow.dataset

    specials = load_specials(workshop.tokenizer)
    rows = load_rows(workshop.data("pad-last-document"), specials)
    table = pyarrow.dataset.dataset(sorted(workshop.data("pad-last-document").glob("*.parquet"))).to_table()
    assert rows.tokens.tolist() == table.column("input_ids").to_pylist()
    labels = np.array(table.column("labels").to_pylist())
    assert ((rows.kinds == 0) == (labels == IGNORED)).all()
    assert rows.packing["strategy"] == "pad-last-document"
    assert rows.packing["padding_rate"] == pytest.approx((labels == IGNORED).mean())
    # every answer of the corpus counts, whole: four words and two or fewer digits, and its end
    assert (rows.tokens[rows.kinds == 2] == specials.eos).sum() == 80


def test_the_hash_is_of_the_content(workshop):
    specials = load_specials(workshop.tokenizer)
    hashes = [load_rows(workshop.data(name), specials).sha256 for name in ("concat-then-split", "pad-last-document")]
    assert hashes[0] == load_rows(workshop.data(), specials).sha256
    assert hashes[0] != hashes[1]


def test_wrong_folders_get_a_line(workshop, tmp_path):
    specials = load_specials(workshop.tokenizer)
    with pytest.raises(LabError, match="no shards"):
        load_rows(workshop.packed, specials)
    with pytest.raises(LabError, match=r"no tokenizer\.json"):
        load_specials(tmp_path)
    (tmp_path / "shard-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(LabError, match="not a readable shard"):
        load_rows(tmp_path, specials)
    (tmp_path / "tokenizer.json").write_text('{"version":')
    with pytest.raises(LabError, match=r"tokenizer\.json: not a readable tokenizer"):
        load_specials(tmp_path)
    few = Specials(0, 1, 2, 3, 4, 5, vocabulary=100)
    with pytest.raises(LabError, match="the tokenizer has 100"):
        load_rows(workshop.data(), few)


def write_shards(folder, *shards):
    for number, rows in enumerate(shards):
        table = pyarrow.table({"input_ids": rows, "labels": rows})
        pyarrow.parquet.write_table(table, folder / f"shard-{number:05d}-of-{len(shards):05d}.parquet")


@pytest.mark.parametrize(
    ("shards", "said"),
    [
        ([[[6, 7], [6, 7]], [[6, 7, 6]]], "shards with rows of 2 and 3 tokens"),
        ([[[6, 7], [6]]], "shard-00000-of-00001.parquet: rows of different lengths"),
        ([[[], []]], "shard-00000-of-00001.parquet: holds no tokens"),
        ([pyarrow.array([], pyarrow.list_(pyarrow.int32()))], "holds no tokens"),
        ([[6, 7]], "not a readable shard"),
        ([[["a"]]], "not a readable shard"),
    ],
)
def test_damaged_shards_get_a_line(tmp_path, shards, said):
    write_shards(tmp_path, *shards)
    with pytest.raises(LabError, match=said):
        load_rows(tmp_path, SPECIALS)


@pytest.mark.parametrize(
    "metrics", ["{", "[]", '{"strategies": []}', '{"strategies": {"mine": 3}}', '{"strategies": ' + "[" * 100_000]
)
def test_a_damaged_metrics_file_beside_the_rows_gets_a_line(tmp_path, metrics):
    (tmp_path / "mine").mkdir()
    write_shards(tmp_path / "mine", [[6, 7]])
    (tmp_path / "metrics.json").write_text(metrics)
    with pytest.raises(LabError, match=r"metrics\.json: not a readable metrics file"):
        load_rows(tmp_path / "mine", SPECIALS)


def test_every_pass_takes_every_row_once_in_a_new_order():
    order = row_order(rows=10, step_rows=4, steps=6, seed=3).reshape(-1)
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10))
    assert list(order[:10]) != list(order[10:20])
    assert len(set(order[20:])) == 4
    assert (order == row_order(10, 4, 6, 3).reshape(-1)).all()
    assert (order != row_order(10, 4, 6, 4).reshape(-1)).any()
    assert row_order(rows=100, step_rows=4, steps=2, seed=0).shape == (2, 4)  # less than a pass
