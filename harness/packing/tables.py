"""Documents from Arrow tables, as Parquet files and data sets give them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.packing.conversations import BESIDE_CHATS, CHATS, without_nulls
from harness.packing.documents import COLUMNS, Document, beside_ids, checked_content, chosen_column, row_document
from harness.packing.findings import Reading

OF_CHATS = (*CHATS, *(name for names in BESIDE_CHATS.values() for name in names))
TABLE_ROWS = 1024  # read at a time


def wanted_columns(schema: Any, reading: Reading, where: str) -> list[str]:
    """The columns to read: the document's own, and the lists of numbers beside it; the others are noted."""
    chosen = chosen_column(schema.names, reading.column, where)
    kinds = [chosen]
    if reading.column is None and not _is_number_list(schema.field(chosen).type):
        kinds += [name for name in COLUMNS if name in schema.names and name not in (chosen, *reading.ignored)]
    beside = dict.fromkeys(name for kind in kinds for name in BESIDE_CHATS.get(kind, ()))
    wanted = [*kinds, *(name for name in beside if name in schema.names)]
    for field in schema:
        if field.name in wanted or field.name in reading.ignored:
            continue
        if _is_number_list(field.type):
            wanted.append(field.name)
        else:
            reading.found.unread_columns[field.name] = None
    return wanted


def table_documents(table: Any, reading: Reading, where: str, first: int) -> Iterator[Document]:
    """The documents of a table (or record batch) of few rows; ``first`` is the number of its first row.

    Raises InputError as `row_document` does.
    """
    chosen = chosen_column(table.schema.names, reading.column, where)
    if not _is_number_list(table.schema.field(chosen).type):
        for number, row in enumerate(table.to_pylist(), first):
            whole = {name: without_nulls(value) if name in OF_CHATS else value for name, value in row.items()}
            document = row_document(whole, reading, f"{where}: row {number}")
            if document is not None:
                yield document
        return
    lists = {name: _lists(table.column(name)) for name in table.schema.names if name not in reading.ignored}
    ids = lists.pop(chosen) if chosen in lists else _lists(table.column(chosen))
    for number in range(table.num_rows):
        place = f"{where}: row {first + number}"
        own = ids[number]
        if own is None:
            reading.found.null_row(place, chosen, reading.skip_null)
            continue
        checked_content(own, chosen, place)
        yield beside_ids(own, {name: rows[number] for name, rows in lists.items()}, reading, place)


def _is_number_list(kind: Any) -> bool:
    import pyarrow

    types = pyarrow.types
    if not (types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)):
        return False
    inner = kind.value_type
    return any(test(inner) for test in (types.is_integer, types.is_floating, types.is_boolean, types.is_null))


def _lists(column: Any) -> list[NDArray[Any] | None]:
    """A column of lists of numbers as arrays, None for a null row. A list with a null in it is an array of objects."""
    import pyarrow

    array = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
    if isinstance(array, pyarrow.ChunkedArray):
        array = pyarrow.concat_arrays(array.chunks)
    bounds = np.cumsum(array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))[:-1]
    values = array.flatten()
    known = values.cast(pyarrow.int64()) if pyarrow.types.is_null(values.type) else values
    nothing = False if pyarrow.types.is_boolean(known.type) else 0
    flat = (known.fill_null(nothing) if known.null_count else known).to_numpy(zero_copy_only=False)
    parts: list[NDArray[Any] | None] = list(np.split(flat, bounds))
    if known.null_count:
        gone = np.split(known.is_null().to_numpy(zero_copy_only=False), bounds)
        parts = [_with_nulls(part, some) if some.any() else part for part, some in zip(parts, gone, strict=True)]
    if array.null_count:
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        parts = [part if is_valid else None for part, is_valid in zip(parts, valid, strict=True)]
    return parts if len(array) else []


def _with_nulls(values: Any, gone: NDArray[np.bool_]) -> NDArray[Any]:
    """The values, as objects with None where they are gone."""
    kept: NDArray[Any] = values.astype(object)
    kept[gone] = None
    return kept
