"""Every form and place that a corpus may have, and what is said of what was left out."""

import csv
import gzip
import io
import json
import tarfile

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from harness.errors import InputError
from harness.packing.command import pack_command
from harness.packing.findings import Reading
from harness.packing.request import PackRequest
from harness.packing.sources import read_documents
from harness.packing.store import StoreWriter

ROWS = [{"text": "first\nline"}, {"text": "second, ☃"}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def texts(corpus, **asked):
    reading = Reading(**asked)
    return [document.content for document in read_documents(str(corpus), reading)], reading.found.notes()


def zstd(data):
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def csv_bytes():
    file = io.StringIO()
    writer = csv.DictWriter(file, ["text", "id"])
    writer.writeheader()
    writer.writerows({**row, "id": 1} for row in ROWS)
    return file.getvalue().encode()


def arrow_bytes(opened):
    sink = pyarrow.BufferOutputStream()
    table = pyarrow.table({"text": [row["text"] for row in ROWS]})
    with opened(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.jsonl.gz", gzip.compress(LINES)),
        ("c.jsonl.zst", zstd(LINES)),
        ("c.ndjson", LINES),
        ("c.json", json.dumps(ROWS).encode()),
        ("lines.json", LINES),
        ("c.json.gz", gzip.compress(json.dumps(ROWS).encode())),
        ("c.csv", csv_bytes()),
        ("c.csv.gz", gzip.compress(csv_bytes())),
        ("file.arrow", arrow_bytes(pyarrow.ipc.new_file)),
        ("stream.arrow", arrow_bytes(pyarrow.ipc.new_stream)),
    ],
)
def test_every_form_is_read(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert texts(tmp_path / name)[0] == [row["text"] for row in ROWS]


def test_a_text_file_is_one_document(tmp_path):
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    assert texts(tmp_path / "a.txt.gz")[0] == ["one\ntwo\n"]


def test_a_webdataset_is_read_through_its_library(tmp_path):
    with tarfile.open(tmp_path / "c.tar", "w") as tar:
        for number, row in enumerate(ROWS):
            data = json.dumps(row).encode()
            entry = tarfile.TarInfo(f"{number}.json")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    assert texts(tmp_path / "c.tar")[0] == [row["text"] for row in ROWS]


def test_bare_ids_are_cut_behind_their_separators(tmp_path):
    ids = np.array([5, 6, 0, 7, 0, 8, 9])
    ids.astype(np.uint16).tofile(tmp_path / "nano.bin")
    np.save(tmp_path / "flat.npy", ids)
    header = np.zeros(256, np.int32)
    header[:3] = 20_240_520, 1, len(ids)
    (tmp_path / "llmc.bin").write_bytes(header.tobytes() + ids.astype(np.uint16).tobytes())
    for name in ("nano.bin", "flat.npy", "llmc.bin"):
        found, _ = texts(tmp_path / name, separator=0)
        assert [tokens.ids.tolist() for tokens in found] == [[5, 6, 0], [7, 0], [8, 9]], name
        with pytest.raises(InputError, match="name the id that ends its documents with --separator"):
            texts(tmp_path / name)
    np.save(tmp_path / "rows.npy", ids[:6].reshape(2, 3))
    assert [tokens.ids.tolist() for tokens in texts(tmp_path / "rows.npy")[0]] == [[5, 6, 0], [7, 0, 8]]


def test_a_folder_is_read_whole_and_the_rest_is_named(tmp_path):
    """Of 19 documents in nested folders and compressed files one was read, with status 0."""
    for number in range(3):
        (tmp_path / f"part{number}" / "deep").mkdir(parents=True)
        (tmp_path / f"part{number}" / "deep" / "c.jsonl.gz").write_bytes(gzip.compress(LINES))
    (tmp_path / "LICENSE").write_text("mine")
    (tmp_path / "c.xml.gz").write_bytes(gzip.compress(b"<a/>"))
    found, notes = texts(tmp_path)
    assert len(found) == 6
    assert notes == ["files not read: 2: LICENSE, c.xml.gz"]
    assert len(texts(tmp_path / "part[01]" / "**" / "*.gz")[0]) == 4
    with pytest.raises(InputError, match="no file has such a name"):
        texts(tmp_path / "part9*")


def test_a_folder_with_token_files_is_refused(tmp_path):
    with StoreWriter(tmp_path / "t.bin", tmp_path / "t.idx") as writer:
        writer.add(np.array([1]))
    with pytest.raises(InputError, match="holds the token files t; name each such pair"):
        texts(tmp_path)


def test_a_clone_of_the_hub_is_read_by_configuration_and_split(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_text(json.dumps({"text": f"{name} train"}) + "\n")
        (tmp_path / name / "test.jsonl").write_text(json.dumps({"text": f"{name} test"}) + "\n")
    configs = "".join(
        f"- config_name: {n}\n  data_files:\n  - split: train\n    path: {n}/train.jsonl\n"
        f"  - split: test\n    path: {n}/test.jsonl\n"
        for n in ("a", "b")
    )
    (tmp_path / "README.md").write_text(f"---\nconfigs:\n{configs}---\n# Card\n")
    assert texts(tmp_path, config="b", split="test")[0] == ["b test"]
    assert texts(tmp_path, config="a")[0] == ["a train"]
    with pytest.raises(InputError, match="does not read split 'train' of this clone"):
        texts(tmp_path, config="c")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("c.jsonl.gz", gzip.compress(LINES)[:-12], "not a readable .jsonl file"),
        ("c.jsonl.zst", b"no", "not a readable .jsonl file"),
        ("c.json", b"{", "line 1 is torn or not JSON"),
        ("c.txt", b"\xff\xfe", "not a readable .txt file"),
        ("c.arrow", b"ARROW1 no", "not a readable .arrow file"),
        ("c.npy", b"no", "not a readable .npy file"),
        ("c.csv", b"a,b\n1,2\n", "none of the columns"),
        ("c.tar", b"no", "not a readable .tar file"),
        ("c.bin", b"abc", "an odd number of bytes"),
        ("c.xml", b"<a/>", "no corpus file"),
    ],
)
def test_damaged_files_are_one_line(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        texts(tmp_path / name, separator=0)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_null_rows_are_left_out_if_asked_and_counted(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", None, "b", None]}), tmp_path / "c.parquet")
    found, notes = texts(tmp_path / "c.parquet", skip_null=True)
    assert found == ["a", "b"]
    assert notes == [f"null rows left out: 2 (the first: {tmp_path / 'c.parquet'}: row 1)"]


def ids_file(folder, name, documents):
    (folder / name).write_text("".join(json.dumps({"input_ids": ids}) + "\n" for ids in documents))
    return str(folder / name)


def packed_ids(folder, corpora, **changes):
    asked = {"context": 4, "strategies": ("concat-then-split",), "output": folder / "out", "padding": "0", **changes}
    result = pack_command(PackRequest(corpora, **asked), lambda line: None)
    table = pyarrow.parquet.read_table(folder / "out" / "concat-then-split")
    return [token for row in table["input_ids"].to_pylist() for token in row], result


def test_several_corpora_follow_one_another(tmp_path):
    first, second = ids_file(tmp_path, "a.jsonl", [[1], [2]]), ids_file(tmp_path, "b.jsonl", [[3]])
    assert packed_ids(tmp_path, (first, second))[0] == [1, 2, 3, 0]


def test_weights_are_shares_of_the_tokens(tmp_path):
    first = ids_file(tmp_path, "a.jsonl", [[1] * 2] * 50)
    second = ids_file(tmp_path, "b.jsonl", [[2] * 6] * 50)
    ids, result = packed_ids(tmp_path, (first, second), weights=(1.0, 3.0))
    assert (ids.count(1), ids.count(2)) == (100, 300)
    [note] = [note for note in result.notes if note.startswith("tokens of the blend")]
    assert note.endswith(f"{first} 100, {second} 300")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": (1.0, 2.0)}, "--weights: 2 for 1 corpora"),
        ({"weights": (1.0,)}, "there is one corpus"),
        ({"split": "train"}, "--split: "),
        ({"config": "a", "revision": "b"}, "--config, --revision: "),
        ({"streaming": True}, "--streaming: "),
        ({"budget": 3}, "--budget 3: give at least the context"),
        ({"format": "tfrecord"}, "--format tfrecord: known are rows, arrow, trainer, trainer-arrow, megatron-bridge"),
        ({"format": "megatron", "shard_tokens": 9}, "--shard-tokens: --format megatron holds token ids alone"),
    ],
)
def test_options_that_do_nothing_are_refused(tmp_path, changes, said):
    corpus = ids_file(tmp_path, "a.jsonl", [[1]])
    with pytest.raises(InputError) as caught:
        packed_ids(tmp_path, corpus, **{"padding": None, **changes})
    assert said in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_datasets_that_were_saved_take_a_split(tmp_path):
    kept = {name: datasets.Dataset.from_dict({"text": [name]}) for name in ("train", "test")}
    datasets.DatasetDict(kept).save_to_disk(tmp_path / "d")
    assert texts(tmp_path / "d", split="test")[0] == ["test"]
