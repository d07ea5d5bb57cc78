"""Where a corpus lies: JSONL and Parquet files, folders of them, data sets on disk or of the hub."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from harness.errors import InputError
from harness.packing.documents import Document, row_document
from harness.packing.findings import Reading
from harness.packing.tables import TABLE_ROWS, table_documents, wanted_columns

SAVED = ("state.json", "dataset_dict.json")  # what tells a folder that `datasets` saved
TRAIN = "train"  # the split that is read if none is named


def read_documents(corpus: str, reading: Reading) -> Iterator[Document]:
    """The documents of a corpus, in its order, one in memory at a time (a batch of them for tables).

    ``corpus`` is a .jsonl or .parquet file, a folder of such files (taken by name), a folder that `datasets` saved,
    or a hub id.

    Raises InputError for a missing or torn file, a missing column and rows without text or token ids.
    """
    path = Path(corpus)
    if not path.exists() and not _could_be_file(path):
        return from_dataset(_load_hub(corpus, reading), reading, corpus)
    if path.is_dir() and any((path / name).is_file() for name in SAVED):
        return from_dataset(_load_saved(path, reading.split or TRAIN), reading, corpus)
    return _from_files(corpus_files(path), reading)


def _could_be_file(path: Path) -> bool:
    """Whether a name can't be a hub id, so that a missing file is not asked for over the network."""
    return path.suffix in (".jsonl", ".parquet") or path.is_absolute() or len(path.parts) > 2


def corpus_files(path: Path) -> list[Path]:
    """The .jsonl or .parquet files of a local corpus, by name. Raises InputError if there are none."""
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


def _from_files(files: Iterable[Path], reading: Reading) -> Iterator[Document]:
    for file in files:
        yield from (_from_jsonl if file.suffix == ".jsonl" else _from_parquet)(file, reading)


def _from_jsonl(file: Path, reading: Reading) -> Iterator[Document]:
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
            document = row_document(row, reading, f"{file}: line {number}")
            if document is not None:
                yield document


def _from_parquet(file: Path, reading: Reading) -> Iterator[Document]:
    import pyarrow
    import pyarrow.parquet

    first = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as parquet:
            columns = wanted_columns(parquet.schema_arrow, reading, str(file))
            for batch in parquet.iter_batches(TABLE_ROWS, columns=columns):
                yield from table_documents(batch, reading, str(file), first)
                first += batch.num_rows
    except (pyarrow.ArrowInvalid, pyarrow.ArrowIOError) as error:
        raise InputError(f"{file}: not a readable Parquet file ({str(error).splitlines()[0]})") from error


def from_dataset(dataset: Any, reading: Reading, name: str = "data set") -> Iterator[Document]:
    """The documents of a `datasets` data set, streaming or not; ``name`` is what messages call it.

    Raises InputError for a missing column and rows without text or token ids.
    """
    first = 0
    for table in dataset.with_format("arrow").iter(TABLE_ROWS):
        columns = wanted_columns(table.schema, reading, name)
        yield from table_documents(table.select(columns), reading, name, first)
        first += table.num_rows


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


def _load_hub(corpus: str, reading: Reading) -> Any:
    import datasets

    split = reading.split or TRAIN
    try:
        return datasets.load_dataset(corpus, split=split, streaming=reading.streaming)
    except (datasets.exceptions.DatasetNotFoundError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"corpus {corpus!r} (split {split!r}) is neither a local path nor available from the hub: {reason}"
        ) from error
