"""The files that a corpus may be made of: how they are distinguished, opened and read, one kind a function."""

import csv
import gzip
import io
import json
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from harness.errors import InputError
from harness.packing.documents import Document, Tokens, row_document
from harness.packing.findings import Reading
from harness.packing.tables import TABLE_ROWS, table_documents, wanted_columns

POINTER, LARGEST_POINTER = b"version https://git-lfs.github.com/spec/", 1024
COMPRESSED = (".gz", ".zst")
LLM_C = {20_240_520: np.uint16, 20_240_801: np.uint32}  # first word of llm.c's token files -> type of the ids
LLM_C_HEADER = 1024  # bytes
DAMAGE = (OSError, EOFError, UnicodeDecodeError, zlib.error, csv.Error, tarfile.TarError)

Reader = Callable[[Path, Reading], Iterator[Document]]


def kind(file: Path) -> str | None:
    """The suffix that says how a file is read, without that of its compression; None for a file that is not read."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
        return suffixes[-1] if suffixes and suffixes[-1] in LINES_AND_TEXT else None
    return suffixes[-1] if suffixes and suffixes[-1] in READERS else None


def read_file(file: Path, reading: Reading) -> Iterator[Document]:
    """The documents of one file. Raises InputError for a damaged one, and as `row_document` does."""
    import pyarrow

    name = kind(file)
    if name is None:
        raise InputError(f"{file}: no corpus file; read are {', '.join(READERS)}, and text forms with .gz or .zst")
    check_fetched(file)
    try:
        yield from READERS[name](file, reading)
    except (*DAMAGE, pyarrow.ArrowException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        what = "Parquet file" if name == ".parquet" else f"{name} file"
        raise InputError(f"{file}: not a readable {what} ({reason})") from error


def check_fetched(file: Path) -> None:
    """Raise InputError for what a clone without Git LFS has in the place of a large file."""
    if not file.is_file() or file.stat().st_size > LARGEST_POINTER:
        return
    if file.read_bytes().startswith(POINTER):
        raise InputError(f"{file}: names a file of Git LFS and is not the file itself; fetch it with `git lfs pull`")


def _opened(file: Path) -> IO[bytes]:
    """The file's content, decompressed as its suffix says."""
    if file.suffix.lower() == ".gz":
        return cast(IO[bytes], gzip.open(file))
    if file.suffix.lower() == ".zst":
        import pyarrow

        return io.BufferedReader(pyarrow.input_stream(str(file), compression="zstd"))
    return file.open("rb")


def _rows(rows: Iterator[tuple[str, Any]], reading: Reading) -> Iterator[Document]:
    for where, row in rows:
        if not isinstance(row, dict):
            raise InputError(f"{where} is not a JSON object")
        document = row_document(row, reading, where)
        if document is not None:
            yield document


def _json_lines(file: Path, reading: Reading) -> Iterator[Document]:
    def rows() -> Iterator[tuple[str, Any]]:
        with _opened(file) as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise InputError(f"{file}: line {number} is torn or not JSON ({error})") from error
                yield f"{file}: line {number}", row

    return _rows(rows(), reading)


def _json(file: Path, reading: Reading) -> Iterator[Document]:
    """A list of rows, or one row a line under the wrong suffix."""
    with _opened(file) as opened:
        text = opened.read()
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        yield from _json_lines(file, reading)
        return
    listed = content if isinstance(content, list) else [content]
    yield from _rows(((f"{file}: entry {number}", row) for number, row in enumerate(listed)), reading)


def _csv(file: Path, reading: Reading) -> Iterator[Document]:
    csv.field_size_limit(sys.maxsize)
    with io.TextIOWrapper(_opened(file), "utf-8-sig", newline="") as text:
        rows = csv.DictReader(text)
        for row in rows:
            where = f"{file}: line {rows.line_num}"
            if None in row:
                raise InputError(f"{where} has more cells than the first line has names")
            document = row_document(row, reading, where)
            if document is not None:
                yield document


def _text(file: Path, _: Reading) -> Iterator[Document]:
    with _opened(file) as opened:
        yield Document(opened.read().decode("utf-8-sig"))


def _parquet(file: Path, reading: Reading) -> Iterator[Document]:
    import pyarrow.parquet

    first = 0
    with pyarrow.parquet.ParquetFile(file) as parquet:
        columns = wanted_columns(parquet.schema_arrow, reading, str(file))
        for batch in parquet.iter_batches(TABLE_ROWS, columns=columns):
            yield from table_documents(batch, reading, str(file), first)
            first += batch.num_rows


def _arrow(file: Path, reading: Reading) -> Iterator[Document]:
    import pyarrow

    first = 0
    with pyarrow.memory_map(str(file)) as source:
        try:
            reader = pyarrow.ipc.open_file(source)
            batches = map(reader.get_batch, range(reader.num_record_batches))
        except pyarrow.ArrowInvalid:
            batches = iter(pyarrow.ipc.open_stream(source))
        for batch in batches:
            columns = wanted_columns(batch.schema, reading, str(file))
            yield from table_documents(batch.select(columns), reading, str(file), first)
            first += batch.num_rows


def _numpy(file: Path, reading: Reading) -> Iterator[Document]:
    try:
        ids = np.load(file, mmap_mode="r")
    except ValueError as error:
        raise InputError(f"{file}: not a readable .npy file ({error})") from error
    if ids.ndim == 2 and ids.dtype.kind in "iu":
        return (Document(Tokens(row)) for row in ids)
    return stream_documents(ids, reading, file)


def _bare(file: Path, reading: Reading) -> Iterator[Document]:
    """16-bit ids without an index (nanoGPT), or behind llm.c's header."""
    if file.stat().st_size % 2:
        raise InputError(f"{file}: an odd number of bytes is no file of 16-bit ids")
    reading.found.bare_files += 1
    raw = np.memmap(file, np.uint8, "r") if file.stat().st_size else np.empty(0, np.uint8)
    magic = int(raw[:4].view(np.uint32)[0]) if len(raw) >= LLM_C_HEADER else 0
    ids = raw[LLM_C_HEADER:].view(LLM_C[magic]) if magic in LLM_C else raw.view(np.uint16)
    return stream_documents(ids, reading, file)


def stream_documents(ids: Any, reading: Reading, file: Path) -> Iterator[Document]:
    """The documents of one flat array of ids, each up to its separator. Raises InputError without a separator."""
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise InputError(f"{file}: must hold one or two dimensions of whole numbers, not {ids.dtype} of {ids.shape}")
    if reading.separator is None:
        raise InputError(f"{file}: a stream of ids; name the id that ends its documents with --separator")
    begin = 0
    for last in np.flatnonzero(ids == reading.separator).tolist():
        yield Document(Tokens(np.asarray(ids[begin : last + 1])))
        begin = last + 1
    if begin < len(ids):
        yield Document(Tokens(np.asarray(ids[begin:])))


def _webdataset(file: Path, reading: Reading) -> Iterator[Document]:
    """The samples of a .tar: what its .json members say, or the text of its .txt members."""
    import datasets

    samples = datasets.load_dataset("webdataset", data_files=[str(file)], split="train", streaming=True)
    for number, sample in enumerate(samples):
        fields = sample.get("json")
        row = fields if isinstance(fields, dict) else {"text": sample.get("txt")}
        document = row_document(row, reading, f"{file}: sample {sample.get('__key__', number)}")
        if document is not None:
            yield document


LINES_AND_TEXT: dict[str, Reader] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".csv": _csv,
    ".txt": _text,
}
READERS: dict[str, Reader] = {
    **LINES_AND_TEXT,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".npy": _numpy,
    ".bin": _bare,
    ".tar": _webdataset,
}
