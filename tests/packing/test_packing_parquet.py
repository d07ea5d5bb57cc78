"""Parquet files written from arrays, read by another library's reader."""

import io
from itertools import pairwise

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.packing.parquet import TYPES, Lists, ParquetWriter
from harness.packing.thrift import encoded


def written(*groups: dict[str, Lists]) -> pyarrow.parquet.ParquetFile:
    """The row groups as a file, opened."""
    file = io.BytesIO()
    with ParquetWriter(file) as writer:
        for group in groups:
            writer.write(group)
    return pyarrow.parquet.ParquetFile(io.BytesIO(file.getvalue()))


def drawn(sizes: list[int], kind: str, seed: int = 0) -> Lists:
    """Lists of these sizes, of any bytes of a type; of floats no NaN, which equals nothing."""
    bounds = np.cumsum([0, *sizes])
    random = np.random.default_rng(seed)
    if kind == "bool" or kind.startswith("float"):
        values = (random.normal(size=bounds[-1]) * 1000).astype(kind)
    else:
        values = np.frombuffer(random.bytes(int(bounds[-1]) * np.dtype(kind).itemsize), kind)
    return Lists(bounds, values)


def as_lists(lists: Lists) -> list[list[int]]:
    bounds = lists.bounds.tolist()
    return [lists.values[first:last].tolist() for first, last in pairwise(bounds)]


SIZES = st.lists(st.one_of(st.integers(1, 5), st.sampled_from([64, 65, 8192, 8193, 9000])), min_size=1, max_size=6)


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(list(TYPES)), SIZES, SIZES, st.integers(0, 9))
def test_another_reader_finds_the_lists(kind, first, second, seed):
    groups = [
        {"a": drawn(sizes, kind, seed), "b": drawn([1] * len(sizes), "int64"), "c": drawn(sizes, "int32", seed + 1)}
        for sizes in (first, second)
    ]
    file = written(*groups)
    table = file.read().to_pydict()
    for name in "abc":
        assert table[name] == [own for group in groups for own in as_lists(group[name])]
    for number, group in enumerate(groups):
        assert file.read_row_group(number, ["c"]).to_pydict()["c"] == as_lists(group["c"])


@pytest.mark.parametrize("kind", TYPES)
def test_types_stay(kind):
    stored = written({"a": drawn([2], kind)}).schema_arrow.field("a").type
    assert stored == pyarrow.list_(pyarrow.from_numpy_dtype(kind))


def test_a_file_of_many_columns_names_them_all():
    group = {f"column {number} é": drawn([3], "int32", number) for number in range(40)}
    assert written(group).read().to_pydict() == {name: as_lists(lists) for name, lists in group.items()}


def test_rows_compress_as_well_as_by_pyarrow():
    bounds = np.arange(0, 64 * 1024 + 1, 1024)
    values = (np.random.default_rng(0).zipf(1.3, 64 * 1024) % 50_000).astype(np.int32)
    ours = written({"a": Lists(bounds, values)}).metadata.row_group(0).column(0)
    theirs = io.BytesIO()
    table = pyarrow.table({"a": pyarrow.ListArray.from_arrays(bounds.astype(np.int32), values)})
    encoding = {"a.list.element": "BYTE_STREAM_SPLIT"}
    pyarrow.parquet.write_table(table, theirs, compression="lz4", use_dictionary=False, column_encoding=encoding)
    wanted = pyarrow.parquet.ParquetFile(io.BytesIO(theirs.getvalue())).metadata.row_group(0).column(0)
    assert ours.total_compressed_size <= 1.02 * wanted.total_compressed_size
    assert ours.total_uncompressed_size <= wanted.total_uncompressed_size
    assert (ours.compression, ours.num_values) == (wanted.compression, wanted.num_values)


def test_what_the_format_cannot_hold_is_refused():
    with pytest.raises(ValueError, match="an empty list has no number"):
        written({"a": Lists(np.array([0, 2, 2]), np.arange(2))})
    with pytest.raises(ValueError, match="field 1 after 2"):
        encoded({2: 0, 1: 0})


def test_an_error_leaves_no_footer():
    file = io.BytesIO()

    def fail() -> None:
        with ParquetWriter(file) as writer:
            writer.write({"a": drawn([3], "int32")})
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert not file.getvalue().endswith(b"PAR1")
