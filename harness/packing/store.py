"""Token files: all documents' ids one after another (.bin) with an index (.idx), in Megatron's format.

The index: the magic ``MMIDIDX\\0\\0``, then little-endian a version (uint64, 1), a code for the ids' type
(uint8), the numbers of sequences and of document bounds (uint64 each), per sequence its length (int32) and
its place in the .bin in bytes (int64), and the document bounds (int64): document i is made of the sequences
bounds[i]..bounds[i + 1]. What Megatron calls a sequence here is one piece of text, not a packed row.
"""

import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness.common.files import sync
from harness.errors import InputError
from harness.packing.column_files import ColumnWriter, opened_at, read_columns
from harness.packing.unfinished import Tokenized, save_tokenized

MAGIC = b"MMIDIDX\x00\x00"
MOST_ID = int(np.iinfo(np.int32).max)
HEADER = struct.Struct("<9sQBQQ")
TYPES: dict[int, type[np.generic]] = {
    1: np.uint8,
    2: np.int8,
    3: np.int16,
    4: np.int32,
    5: np.int64,
    8: np.uint16,
}  # 6 and 7 are floating point numbers: no token ids


@dataclass(frozen=True)
class TokenStore:
    """Documents' token ids on disk, mapped into memory."""

    tokens: NDArray[Any]  # all ids, flat
    starts: NDArray[np.int64]  # (documents,) where each begins in ``tokens``
    lengths: NDArray[np.int64]  # (documents,) tokens of each
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # by name, one value beside each of ``tokens``


def check_ids(ids: NDArray[Any], limit: int, number: int) -> None:
    """Raise InputError for ids of document ``number`` that do not lie between 0 and ``limit``, or are too many."""
    if len(ids) > MOST_ID or (len(ids) and not 0 <= ids.min() <= ids.max() <= limit):
        raise InputError(
            f"document {number}: token ids must lie between 0 and {limit} "
            f"(here {ids.min()} to {ids.max()}, {len(ids)} of them)"
        )


def store_paths(corpus: str) -> tuple[Path, Path] | None:
    """The .bin and .idx that ``corpus`` names, by either of them or their common prefix; None if it names none.

    A .bin that is there without its .idx is no such pair, but a bare stream of ids.
    """
    path = Path(corpus)
    prefix = str(path.with_suffix("")) if path.suffix in (".bin", ".idx") else corpus
    pair = Path(f"{prefix}.bin"), Path(f"{prefix}.idx")
    if path.suffix == ".bin" and path.is_file() and not pair[1].is_file():
        return None
    if path.suffix in (".bin", ".idx") or (not path.exists() and any(file.is_file() for file in pair)):
        return pair
    return None


def read_store(data: Path, index: Path) -> TokenStore:
    """Map a .bin and its .idx. Raises InputError if they are missing, not of this format, or do not fit together."""
    for file in (data, index):
        if not file.is_file():
            raise InputError(f"{file}: no such file; a .bin needs its .idx beside it, and the other way round")
    raw = np.memmap(index, np.uint8, "r") if index.stat().st_size else np.empty(0, np.uint8)
    if len(raw) < HEADER.size or bytes(raw[: len(MAGIC)]) != MAGIC:
        raise InputError(f"{index}: not a Megatron index (it does not begin with MMIDIDX)")
    _, version, code, sequences, bounds = HEADER.unpack(bytes(raw[: HEADER.size]))
    if version != 1 or code not in TYPES:
        raise InputError(f"{index}: version {version} with type code {code} is not an index of token ids")
    if len(raw) < HEADER.size + 12 * sequences + 8 * bounds:
        raise InputError(f"{index}: cut off: {len(raw)} bytes do not hold {sequences} sequences")
    sizes = np.frombuffer(raw, np.int32, sequences, HEADER.size)
    places = np.frombuffer(raw, np.int64, sequences, HEADER.size + 4 * sequences)
    bound = np.frombuffer(raw, np.int64, bounds, HEADER.size + 12 * sequences)
    width = np.dtype(TYPES[code]).itemsize
    tokens = np.memmap(data, TYPES[code], "r") if data.stat().st_size >= width else np.empty(0, TYPES[code])
    starts, lengths = _documents(sizes, places, bound, width, index)
    if len(starts) and int((starts + lengths).max()) > len(tokens):
        raise InputError(f"{data}: cut off: it holds {len(tokens)} tokens, its index needs more")
    return TokenStore(np.asarray(tokens), starts, lengths, read_columns(data, len(tokens)))


def _documents(
    sizes: NDArray[Any], places: NDArray[Any], bounds: NDArray[Any], width: int, index: Path
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and length of every document, in tokens."""
    ends = places + sizes * np.int64(width)
    inner = np.ones(len(sizes) + 1, bool)
    inner[bounds[(bounds >= 0) & (bounds <= len(sizes))]] = False
    inner = inner[1:-1]  # between sequences i and i + 1, if no document ends
    whole = len(bounds) > 0 and bounds[0] == 0 and bounds[-1] == len(sizes) and bool((np.diff(bounds) >= 0).all())
    if not whole or (sizes < 0).any() or (places < 0).any() or (places % width).any():
        raise InputError(f"{index}: damaged: its lengths, places and document bounds contradict each other")
    if (ends[:-1][inner] != places[1:][inner]).any():
        raise InputError(f"{index}: a document's sequences do not lie one after another in the .bin")
    totals = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])
    filled = np.concatenate([places, np.zeros(1, np.int64)])  # a document of no sequences may stand at the end
    return filled[bounds[:-1]] // width, np.diff(totals[bounds])


class StoreWriter:
    """Writes a token store document by document; the index comes last, on leaving without an error."""

    def __init__(self, data: Path, index: Path, vocabulary: int | None = None, done: Tokenized | None = None) -> None:
        """``vocabulary`` (number of ids) picks 16 bits for each if that is enough; 32 bits if unknown.

        ``done`` is what stands in ``data`` already, to be gone on with.
        """
        self._data, self._index = data, index
        self._type = np.uint16 if vocabulary is not None and vocabulary <= 1 << 16 else np.int32
        done = done or Tokenized()
        self._sizes = array("i", done.sizes.tobytes())
        self._file = opened_at(data, done.tokens * np.dtype(self._type).itemsize)
        self._columns = ColumnWriter(data, done.columns, done.tokens)

    def add(self, ids: NDArray[Any], columns: Mapping[str, NDArray[Any]] | None = None) -> None:
        """Append one document. Raises InputError for ids that the type does not hold, and as `ColumnWriter.add`."""
        check_ids(ids, int(np.iinfo(self._type).max), len(self._sizes))
        self._columns.add(columns or {}, len(ids), f"document {len(self._sizes)}")
        self._file.write(ids.astype(self._type, copy=False).tobytes())
        self._sizes.append(len(ids))

    def save(self) -> None:
        """Put what was added on the disk for good, so that a killed command goes on from here."""
        self._file.flush()
        sync(self._data)
        columns = self._columns.saved()
        sizes = np.array(self._sizes, np.int32)
        save_tokenized(self._data, Tokenized(np.dtype(self._type).name, columns, sizes))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._columns.close()
        if kind is not None:
            return
        sync(self._data)  # the index promises that the tokens are there
        self._columns.finish()
        sizes = np.frombuffer(self._sizes, np.int32) if self._sizes else np.empty(0, np.int32)
        places = np.zeros(len(sizes), np.int64)
        np.cumsum(sizes[:-1], out=places[1:], dtype=np.int64)
        code = next(code for code, known in TYPES.items() if known is self._type)
        with self._index.open("wb") as file:
            file.write(HEADER.pack(MAGIC, 1, code, len(sizes), len(sizes) + 1))
            file.write(sizes.tobytes())
            file.write((places * np.dtype(self._type).itemsize).tobytes())
            file.write(np.arange(len(sizes) + 1, dtype=np.int64).tobytes())
