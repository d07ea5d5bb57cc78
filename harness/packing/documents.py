"""Documents: text, chats or token ids, with what a corpus says of every token beside them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.common.suggest import nearest
from harness.errors import InputError
from harness.packing.chat import Chat
from harness.packing.findings import Reading
from harness.packing.token_columns import KNOWN, split_columns, understood

CHATS = ("messages", "prompt")
COLUMNS = ("input_ids", "text", "content", "messages", "prompt")  # looked for in this order if none is named


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
    column = chosen_column(row, reading.column, where)
    if row[column] is None:
        reading.found.null_row(where, column, reading.skip_null)
        return None
    if _is_chat(row, column):
        return Document(chat_content(row, column, where))
    content = checked_content(row[column], column, where)
    others = {name: value for name, value in row.items() if name != column and name not in reading.ignored}
    return (
        beside_text(content, others, where) if isinstance(content, str) else beside_ids(content, others, reading, where)
    )


def _is_chat(row: Mapping[str, Any], column: str) -> bool:
    if column == "prompt":
        return isinstance(row["prompt"], list) or row.get("completion") is not None
    return column == "messages" and not isinstance(row["messages"], str)


def chat_content(row: Mapping[str, Any], column: str, where: str) -> Chat | Completion:
    """The chat, or prompt and completion, of a row. Raises InputError for one of another form."""
    first, second = row[column], row.get("completion") if column == "prompt" else None
    if isinstance(first, str) and isinstance(second, str):
        return Completion(first, second)
    messages = [*first, *second] if isinstance(first, list) and isinstance(second, list) else first
    if not isinstance(messages, list) or not all(isinstance(m, dict) and "role" in m for m in messages):
        raise InputError(f"{where}: {column} must be a list of messages, each with a role, or text with a completion")
    tools = row.get("tools")
    if isinstance(tools, str):
        try:
            tools = json.loads(tools)
        except ValueError as error:
            raise InputError(f"{where}: tools is neither a list nor JSON ({error})") from error
    return Chat(messages, tools or None, len(first) if second is not None else 0)


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
