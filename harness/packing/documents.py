"""Documents: text or token ids, with what a corpus says of every token beside them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.common.suggest import nearest
from harness.errors import InputError
from harness.packing.findings import Reading
from harness.packing.token_columns import KNOWN, split_columns, understood

COLUMNS = ("input_ids", "text", "content")  # looked for in this order if none is named


@dataclass(frozen=True, eq=False)
class Document:
    """One document of a corpus."""

    content: "str | Tokens"

    def __len__(self) -> int:
        """Characters of the text, or number of ids."""
        return len(self.content)


@dataclass(frozen=True, eq=False)
class Tokens:
    """A document as token ids."""

    ids: NDArray[Any]
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # by name, one value for each id

    def __len__(self) -> int:
        """Number of ids."""
        return len(self.ids)


def row_document(row: Mapping[str, Any], reading: Reading, where: str) -> Document | None:
    """The document of a row, or None for a null row that is left out as asked.

    ``where`` is what messages call the row. Raises InputError for a row without text or token ids, a null row unless
    such rows are skipped, and per-token columns that do not fit the ids.
    """
    column = chosen_column(row, reading.column, where)
    if row[column] is None:
        reading.found.null_row(where, column, reading.skip_null)
        return None
    content = checked_content(row[column], column, where)
    others = {name: value for name, value in row.items() if name != column and name not in reading.ignored}
    return (
        beside_text(content, others, where) if isinstance(content, str) else beside_ids(content, others, reading, where)
    )


def beside_ids(ids: NDArray[Any], others: Mapping[str, Any], reading: Reading, where: str) -> Document:
    """A document of ids with the row's other columns. Raises InputError for those that do not fit the ids."""
    columns = split_columns(others, len(ids), where, reading.found)
    return Document(Tokens(*understood(ids, columns, where, reading.found)))


def beside_text(text: str, others: Mapping[str, Any], where: str) -> Document:
    """A document of text. Raises InputError for per-token columns, which nothing lays beside its tokens."""
    for name in KNOWN:
        if isinstance(others.get(name), list | tuple | np.ndarray):
            raise InputError(
                f"{where}: {name} is of tokens, but the document is text; give input_ids, or --ignore-column {name}"
            )
    return Document(text)


def chosen_column(names: Iterable[str], column: str | None, where: str) -> str:
    """The named column, or the first of `COLUMNS` that there is. Raises InputError if there is none."""
    names = list(names)
    if column is not None and column not in names:
        hint = nearest(column, names, 1) or f"; there: {', '.join(names)}"
        raise InputError(f"{where} has no column {column!r}{hint}")
    for known in (column,) if column is not None else COLUMNS:
        if known in names:
            return known
    raise InputError(f"{where} has none of the columns {', '.join(COLUMNS)}; name one of {', '.join(names)}")


def checked_content(value: Any, column: str, where: str) -> str | NDArray[Any]:
    """A row's text or token ids. Raises InputError for anything else."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple | np.ndarray):
        ids = np.asarray(value)
        if ids.ndim == 1 and (ids.dtype.kind in "iu" or len(ids) == 0):
            return ids
    raise InputError(f"{where}: {column} must be text or a list of token ids, not {type(value).__name__}")
