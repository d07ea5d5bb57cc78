"""Documents: text, chats or token ids, with what a corpus says of every token beside them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.common.suggest import nearest
from harness.errors import InputError
from harness.packing.chat import Chat
from harness.packing.conversations import BESIDE_CHATS, CHATS, read_chat, turns
from harness.packing.findings import Reading
from harness.packing.token_columns import KNOWN, has_nulls, split_columns, understood

COLUMNS = ("input_ids", "text", "content", *CHATS)  # looked for in this order if none is named


@dataclass(frozen=True, eq=False)
class Document:
    """One document of a corpus."""

    content: "str | Tokens | Chat | Completion"

    def __len__(self) -> int:
        """Characters of the text, or number of ids."""
        return len(self.content)


@dataclass(frozen=True)
class Completion:
    """A prompt, and the text after it that is trained."""

    prompt: str
    completion: str

    def __len__(self) -> int:
        """Characters of both."""
        return len(self.prompt) + len(self.completion)


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
    column = _filled_column(row, reading.column, where)
    if row[column] is None or (column == "prompt" and row.get("completion", "") is None):
        missing = column if row[column] is None else "completion"
        reading.found.null_row(where, missing, reading.skip_null)
        return None
    content = _content(row, column, where)
    used = {column, *(BESIDE_CHATS[column] if isinstance(content, Chat | Completion) else ())}
    others = {name: value for name, value in row.items() if name not in used and name not in reading.ignored}
    if isinstance(content, np.ndarray):
        return beside_ids(content, others, reading, where)
    reading.found.unread_columns.update(dict.fromkeys(name for name, value in others.items() if value is not None))
    return beside_text(content, others, where)


def _filled_column(row: Mapping[str, Any], column: str | None, where: str) -> str:
    """The column of the document: in a corpus of several kinds, the first of `COLUMNS` that is not null."""
    chosen = chosen_column(row, column, where)
    if column is not None or row[chosen] is not None:
        return chosen
    return next((name for name in COLUMNS if row.get(name) is not None), chosen)


def _content(row: Mapping[str, Any], column: str, where: str) -> "str | NDArray[Any] | Chat | Completion":
    """What a row holds in its column. Raises InputError for anything that is no document."""
    value = row[column]
    if column not in CHATS:
        return checked_content(value, column, where)
    completion = row.get("completion") if column == "prompt" else None
    if isinstance(value, str) and isinstance(completion, str):
        return Completion(value, completion)
    if isinstance(value, str) and completion is None and isinstance(turns(value), str):
        return value
    return read_chat(row, column, where)


def beside_ids(ids: NDArray[Any], others: Mapping[str, Any], reading: Reading, where: str) -> Document:
    """A document of ids with the row's other columns. Raises InputError for those that do not fit the ids."""
    columns = split_columns(others, len(ids), where, reading.found)
    return Document(Tokens(*understood(ids, columns, where, reading.found)))


def beside_text(content: "str | Chat | Completion", others: Mapping[str, Any], where: str) -> Document:
    """A document of text. Raises InputError for per-token columns, which nothing lays beside its tokens."""
    for name in KNOWN:
        if isinstance(others.get(name), list | tuple | np.ndarray):
            raise InputError(
                f"{where}: {name} is of tokens, but the document is text; give input_ids, or --ignore-column {name}"
            )
    return Document(content)


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
        try:
            ids = np.asarray(value)
        except ValueError:  # lists of different lengths
            ids = np.empty((0, 0))
        if ids.ndim == 1 and (ids.dtype.kind in "iu" or len(ids) == 0):
            return ids
        kind = f"a list of {ids.dtype}" if ids.ndim == 1 else "a list of lists"
        kind = "a list with nulls" if has_nulls(value, len(value)) else kind
    else:
        kind = type(value).__name__
    raise InputError(f"{where}: {column} must be text or a list of token ids, not {kind}")
