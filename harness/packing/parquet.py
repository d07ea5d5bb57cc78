"""Parquet files whose columns are lists of numbers, written from arrays.

A general writer derives for every value whether it begins a list, and packs these levels one by one: for packed rows
that takes longer than their compression. Here they are the two runs a list that they come down to. A row group
is one page a column.

Numbers of 32 bits are split by bytes: the first bytes of all come together, then the second ones. The upper bytes are
mostly zeros, which compress in two thirds of the time so, and to no more room. LZ4 takes two thirds of the time of
zstd's fastest regular level for the tokens of Python code, and makes files of 1.4 times the size.

Source: https://parquet.apache.org/docs/file-format/ and its parquet.thrift, which the field numbers here are from.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from harness.packing.compiled import compiled, wide
from harness.packing.thrift import Long, encoded, varint

MAGIC = b"PAR1"
PLAIN, RLE, BYTE_STREAM_SPLIT = 0, 3, 9  # encodings
CODEC, LZ4_RAW = "lz4_raw", 7  # its name in Arrow, and its number in Parquet
OPTIONAL, REPEATED, LIST = 1, 2, 3
THERE = 3  # definition level of a number, where list and number may both be null
SPLIT = 4  # bytes of the numbers that are split by bytes
BYTES = ("int8", "uint8")  # stored as such numbers; they are their own first bytes
LONGEST_LEVELS = 8  # bytes of the two runs of one list

INT32, INT64, FLOAT, DOUBLE, BOOLEAN = 1, 2, 4, 5, 0
TYPES: dict[str, tuple[int, int | None, str]] = {
    "bool": (BOOLEAN, None, "bool"),
    "int8": (INT32, 15, "int32"),
    "int16": (INT32, 16, "int32"),
    "int32": (INT32, None, "int32"),
    "int64": (INT64, None, "int64"),
    "uint8": (INT32, 11, "uint32"),
    "uint16": (INT32, 12, "uint32"),
    "uint32": (INT32, 13, "uint32"),
    "uint64": (INT64, 14, "uint64"),
    "float32": (FLOAT, None, "float32"),
    "float64": (DOUBLE, None, "float64"),
}  # numpy's type -> the type that Parquet stores, what it stands for, and its numpy type


class Lists(NamedTuple):
    """A column of lists."""

    bounds: NDArray[np.int64]  # (lists + 1,): list i is values[bounds[i]:bounds[i + 1]]; none is empty
    values: NDArray[Any]


class ParquetWriter:
    """Writes one file, row group by row group; the footer comes last, on leaving without an error."""

    def __init__(self, file: IO[bytes]) -> None:
        """``file`` is open for writing, and stays open. At least one row group must follow."""
        import pyarrow

        self._file = file
        self._codec = pyarrow.Codec(CODEC)
        self._buffer = np.empty(0, np.uint8)  # of pages: fresh memory costs more than what is put into it
        self._place = 0  # bytes written
        self._rows = 0
        self._groups: list[dict[int, Any]] = []
        self._schema: list[dict[int, Any]] = []
        self._write(MAGIC)

    def write(self, columns: Mapping[str, Lists]) -> None:
        """Append a row group: all columns have as many lists, and names and types as in the first group."""
        self._schema = self._schema or _schema(columns)
        rows = len(next(iter(columns.values())).bounds) - 1
        levels: dict[int, bytes] = {}  # by the identity of the bounds, which columns share
        chunks = []
        for name, lists in columns.items():
            if id(lists.bounds) not in levels:
                levels[id(lists.bounds)] = _levels(lists.bounds)
            chunks.append(self._chunk(name, lists.values, levels[id(lists.bounds)]))
        size = sum(chunk[3][6] for chunk in chunks)
        self._groups.append({1: chunks, 2: Long(size), 3: Long(rows)})
        self._rows += rows

    def _chunk(self, name: str, values: NDArray[Any], levels: bytes) -> dict[int, Any]:
        """Write a column of a row group as one page; returns its entry in the footer."""
        stored = _stored(values)
        size = len(levels) + (SPLIT * len(values) if values.dtype.name in BYTES else stored.nbytes)
        if len(self._buffer) < size:
            self._buffer = np.empty(size, np.uint8)
        page = self._buffer[:size]
        encoding = _fill_page(stored, levels, page)
        packed = self._codec.compress(page)
        place = self._place
        header = {1: len(values), 2: encoding, 3: RLE, 4: RLE}
        self._write(encoded({1: 0, 2: len(page), 3: packed.size, 5: header}))
        own = self._place - place  # bytes of the header itself
        self._write(packed)
        about = {1: TYPES[values.dtype.name][0], 2: [RLE, encoding], 3: [name, "list", "element"], 4: LZ4_RAW}
        sizes = {5: Long(len(values)), 6: Long(own + len(page)), 7: Long(own + packed.size), 9: Long(place)}
        return {2: Long(place), 3: about | sizes}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            footer = encoded({1: 2, 2: self._schema, 3: Long(self._rows), 4: self._groups, 6: "harness pack"})
            self._write(footer + len(footer).to_bytes(4, "little") + MAGIC)

    def _write(self, data: Any) -> None:
        self._file.write(data)
        self._place += len(data)


def _schema(columns: Mapping[str, Lists]) -> list[dict[int, Any]]:
    """The columns as a tree, level by level: a list that may be null of numbers that may be."""
    tree: list[dict[int, Any]] = [{4: "schema", 5: len(columns)}]
    for name, lists in columns.items():
        physical, meaning, _ = TYPES[lists.values.dtype.name]
        element = {1: physical, 3: OPTIONAL, 4: "element"}
        tree += [
            {3: OPTIONAL, 4: name, 5: 1, 6: LIST},
            {3: REPEATED, 4: "list", 5: 1},
            element if meaning is None else {**element, 6: meaning},
        ]
    return tree


def _levels(bounds: NDArray[np.int64]) -> bytes:
    """A page's beginning: which numbers begin a list, and that none is null. Raises ValueError for an empty list."""
    if (np.diff(bounds) < 1).any():
        raise ValueError("an empty list has no number whose levels could be written")
    runs = np.empty(LONGEST_LEVELS * len(bounds), np.uint8)
    repetition = runs[: _fill_runs(bounds, runs)].tobytes()
    definition = varint(int(bounds[-1] - bounds[0]) << 1) + bytes([THERE])
    return b"".join(len(part).to_bytes(4, "little") + part for part in (repetition, definition))


@compiled
def _fill_runs(bounds: Any, runs: Any) -> int:
    """Write two runs for every list, one 0 and the rest 1, each as a number of repetitions and a value."""
    place = 0
    for row in range(len(bounds) - 1):
        runs[place], runs[place + 1] = 2, 0  # once 0
        place += 2
        rest = (bounds[row + 1] - bounds[row] - 1) << 1
        if rest == 0:
            continue
        while rest > 0x7F:
            runs[place] = rest & 0x7F | 0x80
            rest >>= 7
            place += 1
        runs[place], runs[place + 1] = rest, 1
        place += 2
    return place


def _fill_page(values: NDArray[Any], levels: bytes, page: NDArray[np.uint8]) -> int:
    """Write a page, not compressed yet, into ``page``, which is just as long; returns the numbers' encoding."""
    page[: len(levels)] = np.frombuffer(levels, np.uint8)
    rest, count = page[len(levels) :], len(values)
    if len(rest) == SPLIT * count and values.itemsize == 1:
        rest[:count] = values.view(np.uint8)
        rest[count:].reshape(SPLIT - 1, count)[:] = np.where(values < 0, 0xFF, 0) if values.min() < 0 else 0
        return BYTE_STREAM_SPLIT
    if values.itemsize == SPLIT:
        _split_bytes(values.view(np.uint32), *np.split(rest, [count, 2 * count, 3 * count]))
        return BYTE_STREAM_SPLIT
    rest[:] = values.view(np.uint8)
    return PLAIN


def _stored(values: NDArray[Any]) -> NDArray[Any]:
    """The numbers in the type that Parquet stores, bytes as they are."""
    physical, _, stored = TYPES[values.dtype.name]
    if physical == BOOLEAN:
        return np.packbits(values, bitorder="little")
    return np.ascontiguousarray(values, None if values.dtype.name in BYTES else stored)


@compiled
def _split_bytes(values: Any, first: Any, second: Any, third: Any, fourth: Any) -> None:
    for place in range(len(values)):
        value = wide(values[place])
        first[place] = value & 0xFF
        second[place] = (value >> 8) & 0xFF
        third[place] = (value >> 16) & 0xFF
        fourth[place] = value >> 24
