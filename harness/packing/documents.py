"""Documents from wherever a corpus lies: JSONL, Parquet, data sets on disk or of the hub, streaming ones too."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.common.suggest import nearest
from harness.errors import InputError

Document = str | np.ndarray[Any, Any]  # text, or its token ids

COLUMNS = ("input_ids", "text", "content")  # looked for in this order where none is named
PARQUET_ROWS = 1024  # read at a time


def read_documents(
    corpus: str, column: str | None = None, split: str = "train", streaming: bool = False
) -> Iterator[Document]:
    """The documents of a corpus, in its order, one in memory at a time (a batch of them for Parquet).

    ``corpus`` is a .jsonl or .parquet file, a folder of such files (taken by name), a folder that
    `datasets` saved, or a hub id. ``column`` holds text or token ids. ``split`` and ``streaming`` are
    for data sets: streaming ones are not downloaded first.

    Raises InputError for a missing or torn file, a missing column and rows without text or token ids.
    """
    path = Path(corpus)
    if not path.exists() and not _could_be_file(path):
        return from_dataset(_load_hub(corpus, split, streaming), column, corpus)
    if path.is_dir() and any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
        return from_dataset(_load_saved(path, split), column, corpus)
    return _from_files(corpus_files(path), column)


def _could_be_file(path: Path) -> bool:
    """Whether a name can't be a hub id, so that a missing file is not asked for over the network."""
    return path.suffix in (".jsonl", ".parquet") or path.is_absolute() or len(path.parts) > 2


def corpus_files(path: Path) -> list[Path]:
    """The .jsonl or .parquet files of a local corpus, by name. Raises InputError where there are none."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".jsonl", ".parquet"))
        if not files:
            raise InputError(f"{path}: this folder holds no .jsonl or .parquet files and no saved data set")
        return files
    if not path.is_file():
        raise InputError(f"{path}: no such corpus file or folder")
    if path.suffix not in (".jsonl", ".parquet"):
        raise InputError(f"{path}: a corpus file is .jsonl, .parquet, or .bin with its .idx")
    return [path]


def _from_files(files: Iterable[Path], column: str | None) -> Iterator[Document]:
    for file in files:
        yield from (_from_jsonl if file.suffix == ".jsonl" else _from_parquet)(file, column)


def _from_jsonl(file: Path, column: str | None) -> Iterator[Document]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{file}: line {number} is torn or not JSON ({error})") from error
            if not isinstance(row, dict):
                raise InputError(f"{file}: line {number} is not a JSON object")
            where = f"{file}: line {number}"
            column = chosen_column(row, column, where)
            yield checked_document(row[column], column, where)


def _from_parquet(file: Path, column: str | None) -> Iterator[Document]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as parquet:
            column = chosen_column(parquet.schema_arrow.names, column, str(file))
            for batch in parquet.iter_batches(PARQUET_ROWS, columns=[column]):
                yield from _from_array(batch.column(0), f"{file}: column {column}")
    except (pyarrow.ArrowInvalid, pyarrow.ArrowIOError) as error:
        raise InputError(f"{file}: not a readable Parquet file ({str(error).splitlines()[0]})") from error


def _from_array(array: Any, where: str) -> Iterator[Document]:
    import pyarrow

    kind = array.type
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        if not pyarrow.types.is_integer(kind.value_type) or array.null_count or array.flatten().null_count:
            raise InputError(f"{where} must hold text or lists of whole numbers, not {kind} or nulls")
        ids = array.flatten().to_numpy()
        ends = np.cumsum(array.value_lengths().to_numpy())
        yield from np.split(ids, ends[:-1])
        return
    for row, value in enumerate(array.to_pylist()):
        yield checked_document(value, "text", f"{where}, row {row} of its batch")


def from_dataset(dataset: Any, column: str | None = None, name: str = "data set") -> Iterator[Document]:
    """The documents of a `datasets` data set, streaming or not; ``name`` is what messages call it.

    Raises InputError for a missing column and rows without text or token ids.
    """
    if dataset.column_names is not None:
        column = chosen_column(dataset.column_names, column, name)
        dataset = dataset.select_columns([column])
    for number, row in enumerate(dataset.with_format("numpy")):
        where = f"{name}: row {number}"
        column = chosen_column(row, column, where)
        yield checked_document(row[column], column, where)


def chosen_column(names: Iterable[str] | Mapping[str, Any], column: str | None, where: str) -> str:
    """The named column, or the first of `COLUMNS` that is there. Raises InputError where it is not."""
    names = list(names)
    if column is not None and column not in names:
        hint = nearest(column, names, 1) or f"; there: {', '.join(names)}"
        raise InputError(f"{where} has no column {column!r}{hint}")
    for known in (column,) if column is not None else COLUMNS:
        if known in names:
            return known
    raise InputError(f"{where} has none of the columns {', '.join(COLUMNS)}; name one of {', '.join(names)}")


def checked_document(value: Any, column: str, where: str) -> Document:
    """A row's text or token ids. Raises InputError for anything else."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple | np.ndarray):
        ids = np.asarray(value)
        if ids.ndim == 1 and (ids.dtype.kind in "iu" or len(ids) == 0):
            return ids
    raise InputError(f"{where}: {column} must be text or a list of token ids, not {type(value).__name__}")


def _load_saved(path: Path, split: str) -> Any:
    import datasets

    try:
        loaded = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable saved data set ({str(error).splitlines()[0]})") from error
    if not isinstance(loaded, datasets.DatasetDict):
        return loaded
    if split not in loaded:
        raise InputError(f"{path} has no split {split!r}; there: {', '.join(loaded)}")
    return loaded[split]


def _load_hub(corpus: str, split: str, streaming: bool) -> Any:
    import datasets

    try:
        return datasets.load_dataset(corpus, split=split, streaming=streaming)
    except (datasets.exceptions.DatasetNotFoundError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"corpus {corpus!r} (split {split!r}) is neither a local path nor to be had from the hub: {reason}"
        ) from error
