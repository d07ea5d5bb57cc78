"""Where a corpus lies: files, folders and globs of them, data sets on disk or of the hub, token files, blends."""

import textwrap
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from harness.errors import InputError
from harness.packing.corpus_files import check_fetched, kind, read_file
from harness.packing.documents import Document, Tokens
from harness.packing.findings import Reading
from harness.packing.mds import has_shards, read_shards
from harness.packing.store import read_store, store_paths
from harness.packing.tables import TABLE_ROWS, table_documents, wanted_columns

SAVED = ("state.json", "dataset_dict.json")  # what identifies a folder that `datasets` saved
CLONE = (".gitattributes", ".git")  # what identifies a clone of a hub's repository
LONGEST_REASON = 300  # characters of what a library says is wrong
TRAIN = "train"  # the split that is read if none is named


def read_documents(corpus: str, reading: Reading) -> Iterator[Document]:
    """The documents of a corpus, in its order, one in memory at a time (a batch of them for tables).

    ``corpus`` is a file of `harness.packing.corpus_files`, a folder (all its files, by name) or a glob of such files,
    a pair of Megatron's .bin and .idx, a folder that `datasets` saved, a clone of a hub's repository, a folder of MDS
    shards, or a hub id.

    Raises InputError for a missing or torn file, a missing column and rows without text or token ids.
    """
    path = Path(corpus)
    if (pair := store_paths(corpus)) is not None:
        return _from_store(*pair)
    if not path.exists() and not could_be_file(path):
        return from_dataset(_load_hub(corpus, reading), reading, corpus)
    if path.is_dir() and any((path / name).is_file() for name in SAVED):
        return from_dataset(_load_saved(path, reading.split or TRAIN), reading, corpus)
    if is_clone(path):
        return from_dataset(_load_hub(corpus, reading), reading, corpus)
    if has_shards(path):
        return read_shards(path, reading)
    files = corpus_files(corpus, reading)
    return (document for file in files for document in read_file(file, reading))


def could_be_file(path: Path) -> bool:
    """Whether a name can't be a hub id, so that a missing file is not asked for over the network."""
    return kind(path) is not None or path.is_absolute() or len(path.parts) > 2 or is_glob(str(path))


def is_glob(corpus: str) -> bool:
    """Whether a name is a pattern of file names."""
    return any(sign in corpus for sign in "*?[")


def matching(pattern: str) -> list[Path]:
    """The paths that a pattern of file names matches, by name; ``**`` goes into folders."""
    path = Path(pattern)
    fixed = list(takewhile(lambda part: not is_glob(part), path.parts))
    rest = path.parts[len(fixed) :]
    return sorted(Path(*fixed).glob("/".join(rest))) if rest else [path]


def is_data_set(corpus: str) -> bool:
    """Whether a corpus is a data set with splits: of the hub, a clone of one, or one that `datasets` saved."""
    path = Path(corpus)
    if store_paths(corpus) is not None:
        return False
    if not path.exists():
        return not could_be_file(path)
    return is_clone(path) or (path.is_dir() and any((path / name).is_file() for name in SAVED))


def is_clone(path: Path) -> bool:
    """Whether a folder is a clone of a hub's repository, whose splits and configurations `datasets` resolves."""
    if not path.is_dir():
        return False
    card = path / "README.md"
    return any((path / name).exists() for name in CLONE) or (
        card.is_file() and card.read_text(encoding="utf-8", errors="replace").startswith("---\n")
    )


def corpus_files(corpus: str, reading: Reading) -> list[Path]:
    """The files of a local corpus, by name; those of a folder that are not read are noted.

    Raises InputError if there are none.
    """
    path = Path(corpus)
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.is_file())
        pairs = [file for file in found if file.suffix == ".idx" and file.with_suffix(".bin").is_file()]
        if pairs:
            raise InputError(f"{path}: holds the token files {pairs[0].stem}; name each such pair as a corpus")
        names = {file: file.relative_to(path) for file in found}
        hidden = {file for file, name in names.items() if any(part.startswith(".") for part in name.parts)}
        files = [file for file in found if kind(file) is not None and file not in hidden]
        reading.found.unread_files += [str(name) for file, name in names.items() if file not in files]
        if not files:
            raise InputError(f"{path}: this folder holds no corpus files and no saved data set")
        return files
    if is_glob(corpus) and not path.exists():
        files = [file for file in matching(corpus) if file.is_file()]
        if not files:
            raise InputError(f"{corpus}: no file has such a name")
        return files
    if not path.is_file():
        raise InputError(f"{path}: no such corpus file or folder")
    return [path]


def _from_store(data: Path, index: Path) -> Iterator[Document]:
    store = read_store(data, index)
    for start, length in zip(store.starts.tolist(), store.lengths.tolist(), strict=True):
        part = slice(start, start + length)
        yield Document(Tokens(store.tokens[part], {name: values[part] for name, values in store.columns.items()}))


def from_dataset(dataset: Any, reading: Reading, name: str = "data set") -> Iterator[Document]:
    """The documents of a `datasets` data set, streaming or not; ``name`` is what messages call it.

    Raises InputError for a missing column and rows without text or token ids.
    """
    first = 0
    for table in _readable(dataset.with_format("arrow").iter(TABLE_ROWS), name):
        columns = wanted_columns(table.schema, reading, name)
        yield from table_documents(table.select(columns), reading, name, first)
        first += table.num_rows


def _readable(tables: Iterator[Any], name: str) -> Iterator[Any]:
    """The tables of a data set; a file of it that can't be read is an InputError."""
    import datasets
    import pyarrow

    broken = (OSError, ValueError, pyarrow.ArrowException, datasets.exceptions.DatasetsError)
    while True:
        try:
            table = next(tables, None)
        except broken as error:
            raise InputError(f"{name}: a file of it is not readable ({one_line(error)})") from error
        if table is None:
            return
        yield table


def one_line(error: BaseException) -> str:
    """What an error says, its lines joined and the end of a long one cut off."""
    return textwrap.shorten(str(error) or type(error).__name__, LONGEST_REASON, placeholder=" ...")


def _load_saved(path: Path, split: str) -> Any:
    import datasets

    try:
        loaded = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable saved data set ({one_line(error)})") from error
    if not isinstance(loaded, datasets.DatasetDict):
        return loaded
    if split not in loaded:
        raise InputError(f"{path} has no split {split!r}; there: {', '.join(loaded)}")
    return loaded[split]


def _load_hub(corpus: str, reading: Reading) -> Any:
    import datasets

    if Path(corpus).exists():
        for file in Path(corpus).rglob("*"):
            if kind(file) is not None:
                check_fetched(file)
    split = reading.split or TRAIN
    streaming = reading.streaming or Path(corpus).exists()  # what lies here is not copied into a cache
    try:
        return datasets.load_dataset(
            corpus, reading.config, split=split, streaming=streaming, revision=reading.revision
        )
    except (datasets.exceptions.DatasetNotFoundError, ValueError, OSError) as error:
        reason = one_line(error)
        if Path(corpus).exists():
            raise InputError(f"{corpus}: `datasets` does not read split {split!r} of this clone: {reason}") from error
        raise InputError(
            f"corpus {corpus!r} (split {split!r}) is neither a local path nor available from the hub: {reason}"
        ) from error
