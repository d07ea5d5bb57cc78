"""MDS shards, written and read by mosaicml-streaming, which is no dependency: the tests are skipped without it."""

import numpy as np
import pytest

from harness.errors import InputError
from harness.packing.findings import Reading
from harness.packing.sources import read_documents

streaming = pytest.importorskip("streaming", reason="mosaicml-streaming is not installed")
COUNT = 50


def written(folder, columns, sample, **settings):
    with streaming.MDSWriter(out=str(folder), columns=columns, size_limit=2000, **settings) as writer:
        for number in range(COUNT):
            writer.write(sample(number))
    return str(folder)


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_shards_of_text(tmp_path, compression):
    """Compressed shards were not found."""
    corpus = written(tmp_path / "mds", {"text": "str"}, lambda n: {"text": f"x = {n}\n" * 30}, compression=compression)
    before = sorted((tmp_path / "mds").iterdir())
    documents = list(read_documents(corpus, Reading()))
    assert [document.content for document in documents] == [f"x = {n}\n" * 30 for n in range(COUNT)]
    assert len(before) > 2
    assert sorted((tmp_path / "mds").iterdir()) == before


def test_shards_of_ids_with_labels(tmp_path):
    columns = {"input_ids": "ndarray:uint32", "labels": "ndarray:int64"}

    def sample(n):
        ids = np.arange(5, 8 + n % 7, dtype=np.uint32)
        return {"input_ids": ids, "labels": np.where(ids == 5, -100, ids.astype(np.int64))}

    documents = [document.content for document in read_documents(written(tmp_path, columns, sample), Reading())]
    assert [document.ids.tolist() for document in documents] == [list(range(5, 8 + n % 7)) for n in range(COUNT)]
    assert documents[2].columns["trained"].tolist() == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("column", [None, "tokens"])
def test_the_ids_of_llm_foundry(tmp_path, column):
    corpus = written(tmp_path, {"tokens": "bytes"}, lambda n: {"tokens": np.arange(n + 1).tobytes()})
    documents = list(read_documents(corpus, Reading(column=column)))
    assert [document.content.ids.tolist() for document in documents] == [list(range(n + 1)) for n in range(COUNT)]


def test_a_missing_shard_is_named(tmp_path):
    corpus = written(tmp_path, {"text": "str"}, lambda n: {"text": f"x = {n}\n" * 30})
    (tmp_path / "shard.00001.mds").unlink()
    with pytest.raises(InputError, match="sample"):
        list(read_documents(corpus, Reading()))
