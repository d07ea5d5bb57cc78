"""Per-token columns of a corpus on disk: one flat file each beside the ids, and a list of them (.columns.json)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.common.files import sync
from harness.errors import InputError
from harness.packing.token_columns import ADVICE, DEFAULTS, TRAINED

BLOCK = 1 << 20  # values of a default written at a time


class ColumnWriter:
    """Writes the columns of one document after another; a column may first appear late if it has a default."""

    def __init__(self, data: Path, columns: Mapping[str, str] | None = None, tokens: int = 0) -> None:
        """``data`` is the file of the ids, whose name the columns' files derive theirs from.

        ``columns`` (type by name) hold ``tokens`` values already.
        """
        self._data = data
        self._tokens = tokens
        self._files: dict[str, tuple[IO[bytes], np.dtype[Any]]] = {}
        for number, (name, kind) in enumerate((columns or {}).items()):
            dtype = np.dtype(kind)
            self._files[name] = opened_at(column_file(data, number), tokens * dtype.itemsize), dtype

    def add(self, columns: Mapping[str, NDArray[Any]], size: int, where: str) -> None:
        """Append the columns of a document of ``size`` tokens.

        Raises InputError if a column without a default is missing here or was missing before.
        """
        if size == 0:
            return
        for name, values in columns.items():
            if name not in self._files:
                self._open(name, values.dtype, where)
            file, dtype = self._files[name]
            fitting = values.astype(dtype)
            if fitting.dtype != values.dtype and (fitting != values).any():
                raise InputError(f"{where}: {name} holds values that {dtype} does not; {ADVICE.format(name)}")
            file.write(fitting.tobytes())
        for name in self._files.keys() - columns.keys():
            if name not in DEFAULTS:
                raise InputError(
                    f"{where}: has no column {name} of one value a token, as earlier documents have; "
                    f"{ADVICE.format(name)}"
                )
            self._fill(name, size)
        self._tokens += size

    def _open(self, name: str, dtype: np.dtype[Any], where: str) -> None:
        if self._tokens and name not in DEFAULTS:
            raise InputError(
                f"{where}: has a column {name} of one value a token, which earlier documents lack; "
                f"{ADVICE.format(name)}"
            )
        self._files[name] = column_file(self._data, len(self._files)).open("wb"), dtype
        self._fill(name, self._tokens)

    def _fill(self, name: str, count: int) -> None:
        file, dtype = self._files[name]
        for first in range(0, count, BLOCK):
            file.write(np.full(min(BLOCK, count - first), DEFAULTS[name], dtype).tobytes())

    def saved(self) -> dict[str, str]:
        """Put the values on the disk for good; returns the columns' types by name."""
        for number, (file, _) in enumerate(self._files.values()):
            file.flush()
            sync(column_file(self._data, number))
        return {name: str(dtype) for name, (_, dtype) in self._files.items()}

    def close(self) -> None:
        """Close the files, without the list that makes them columns."""
        for file, _ in self._files.values():
            file.close()

    def finish(self) -> None:
        """Write the list of the columns, if there are any; the files must be closed."""
        if self._files:
            listing = [{"name": name, "dtype": str(dtype)} for name, (_, dtype) in self._files.items()]
            columns_list(self._data).write_text(json.dumps(listing), encoding="utf-8")


def opened_at(path: Path, size: int) -> IO[bytes]:
    """A file to append to behind its first ``size`` bytes; what follows them is cut off. Made anew for 0."""
    if size == 0:
        return path.open("wb")
    file = path.open("r+b")
    file.truncate(size)
    file.seek(size)
    return file


def column_file(data: Path, number: int) -> Path:
    """The file of one column."""
    return data.with_name(f"{data.stem}.column-{number}.bin")


def columns_list(data: Path) -> Path:
    """The file that lists the columns of a .bin of ids."""
    return data.with_name(f"{data.stem}.columns.json")


def read_columns(data: Path, tokens: int) -> dict[str, NDArray[Any]]:
    """The columns beside a .bin of ids, mapped; none if no list is there.

    Raises InputError for a damaged list and files of another length than ``tokens``.
    """
    listing = columns_list(data)
    if not listing.is_file():
        return {}
    columns: dict[str, NDArray[Any]] = {}
    try:
        for number, column in enumerate(json.loads(listing.read_text(encoding="utf-8"))):
            file = column_file(data, number)
            columns[column["name"]] = np.memmap(file, column["dtype"], "r") if tokens else np.empty(0, column["dtype"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(f"{listing}: damaged list of columns ({error})") from error
    for name, values in columns.items():
        if len(values) != tokens:
            raise InputError(f"{listing}: {name} has {len(values)} values for {tokens} tokens")
    if TRAINED in columns and columns[TRAINED].dtype != np.uint8:
        raise InputError(f"{listing}: {TRAINED} is not of 8 bits")
    return columns
