import struct

import numpy as np
import pytest

from harness.errors import InputError
from harness.packing.corpus import from_store
from harness.packing.loss import LossRules
from harness.packing.rows import Gatherer
from harness.packing.store import StoreWriter, read_store, store_paths
from harness.packing.strategies import pack

DOCUMENTS = [[5, 6, 7], [], [8], [9, 10]]


def write(folder, documents, vocabulary=None):
    with StoreWriter(folder / "t.bin", folder / "t.idx", vocabulary) as writer:
        for ids in documents:
            writer.add(np.array(ids, np.int64))
    return folder / "t.bin", folder / "t.idx"


def contents(store):
    return [
        store.tokens[start : start + length].tolist() for start, length in zip(store.starts, store.lengths, strict=True)
    ]


@pytest.mark.parametrize(("vocabulary", "dtype"), [(None, np.int32), (65536, np.uint16), (65537, np.int32)])
def test_what_is_written_is_read(tmp_path, vocabulary, dtype):
    store = read_store(*write(tmp_path, DOCUMENTS, vocabulary))
    assert contents(store) == DOCUMENTS
    assert store.tokens.dtype == dtype


def test_an_empty_store_is_read(tmp_path):
    assert contents(read_store(*write(tmp_path, []))) == []


def megatron(folder, sizes, bounds, code=4, dtype=np.int32, places=None):
    """An index laid out by hand from the format's description, beside a .bin that counts up from 0."""
    places = np.cumsum([0, *sizes[:-1]]) * np.dtype(dtype).itemsize if places is None else places
    (folder / "m.bin").write_bytes(np.arange(sum(sizes)).astype(dtype).tobytes())
    (folder / "m.idx").write_bytes(
        b"MMIDIDX\x00\x00"
        + struct.pack("<Q", 1)
        + struct.pack("<B", code)
        + struct.pack("<QQ", len(sizes), len(bounds))
        + np.array(sizes, np.int32).tobytes()
        + np.array(places, np.int64).tobytes()
        + np.array(bounds, np.int64).tobytes()
    )
    return folder / "m.bin", folder / "m.idx"


@pytest.mark.parametrize(
    ("code", "dtype"), [(1, np.uint8), (3, np.int16), (4, np.int32), (5, np.int64), (8, np.uint16)]
)
def test_documents_of_several_sequences_and_every_type(tmp_path, code, dtype):
    pair = megatron(tmp_path, [2, 3, 1, 4], [0, 2, 2, 4], code, dtype)
    assert contents(read_store(*pair)) == [[0, 1, 2, 3, 4], [], [5, 6, 7, 8, 9]]


def test_a_separator_is_appended_only_where_it_is_missing(tmp_path):
    corpus = from_store(read_store(*write(tmp_path, DOCUMENTS)), separator=10)
    assert corpus.lengths.tolist() == [4, 0, 2, 2]
    assert corpus.separator_tokens == 2


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data, index: index.write_bytes(b""), "not a Megatron index"),
        (lambda data, index: index.write_bytes(b"GIF89a" * 20), "not a Megatron index"),
        (lambda data, index: index.write_bytes(index.read_bytes()[:-9]), "cut off"),
        (lambda data, index: data.write_bytes(data.read_bytes()[:-4]), "cut off: it holds 9 tokens"),
        (lambda data, index: index.unlink(), "no such file"),
        (lambda data, index: data.unlink(), "no such file"),
    ],
)
def test_damaged_stores_are_named(tmp_path, damage, said):
    data, index = megatron(tmp_path, [2, 3, 1, 4], [0, 2, 4])
    damage(data, index)
    with pytest.raises(InputError, match=said):
        read_store(data, index)


@pytest.mark.parametrize(
    ("sizes", "bounds", "places", "said"),
    [
        ([2, 3], [0, 1], None, "contradict"),
        ([2, 3], [1, 2], None, "contradict"),
        ([2, 3], [0, 2, 1, 2], None, "contradict"),
        ([2, 3], [], None, "contradict"),
        ([2, 3], [0, 2], [0, 6], "contradict"),
        ([2, 3], [0, 2], [0, 12], "do not lie one after another"),
    ],
)
def test_contradicting_indexes_are_named(tmp_path, sizes, bounds, places, said):
    with pytest.raises(InputError, match=said):
        read_store(*megatron(tmp_path, sizes, bounds, places=places))


def test_floating_point_tokens_are_refused(tmp_path):
    with pytest.raises(InputError, match="type code 7"):
        read_store(*megatron(tmp_path, [2], [0, 1], 7, np.float32))


@pytest.mark.parametrize("ids", [[-1], [70_000]])
def test_ids_that_do_not_fit_are_refused(tmp_path, ids):
    with pytest.raises(InputError, match="between 0 and 65535"):
        write(tmp_path, [ids], 60_000)


def test_store_paths_know_prefix_and_either_file(tmp_path):
    pair = write(tmp_path, DOCUMENTS)
    for name in ("t", "t.bin", "t.idx"):
        assert store_paths(str(tmp_path / name)) == pair
    assert store_paths(str(tmp_path / "other")) is None
    assert store_paths(str(tmp_path / "t.jsonl")) is None


@pytest.mark.parametrize("wrong", [-1, 1 << 31, (1 << 32) + 5])
def test_ids_that_rows_can_not_hold_are_refused(tmp_path, wrong):
    """A .bin of 64-bit ids may hold anything; 2^32 + 5 would come out as 5."""
    pair = megatron(tmp_path, [4, 4], [0, 1, 2], 5, np.int64)
    ids = np.fromfile(pair[0], np.int64)
    corpus = from_store(read_store(*pair), None)
    packing = pack(corpus.lengths, 4, "concat-then-split")
    assert Gatherer(packing, corpus, 0, LossRules()).rows(np.array([0, 1])).input_ids.tolist() == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
    ]
    ids[5] = wrong
    ids.tofile(pair[0])
    damaged = Gatherer(packing, from_store(read_store(*pair), None), 0, LossRules())
    assert damaged.rows(np.array([0])).input_ids.tolist() == [[0, 1, 2, 3]]
    with pytest.raises(InputError, match="token ids that are not between 0 and 2,147,483,647"):
        damaged.rows(np.array([0, 1]))
