"""Rows as Arrow columns, in the forms that trainers take."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.packing.defaults import ARROW, BRIDGE, ROWS, TRAINER
from harness.packing.rows import Rows
from harness.packing.token_columns import IGNORED

Columns = dict[str, Any]  # of Arrow's list arrays, by name


def rows_table(rows: Rows) -> Columns:
    """Everything: ids, labels, positions, the pieces' lengths and origins, and what the corpus carries."""
    columns = {"input_ids": rows.input_ids, "labels": rows.labels, "position_ids": rows.position_ids}
    pieces: dict[str, NDArray[Any]] = {
        "seq_lengths": rows.seq_lengths,
        "seq_documents": rows.seq_documents,
        "seq_offsets": rows.seq_offsets,
    }
    carried = {name: _even(values) for name, values in rows.columns.items()}
    segments = {name: _ragged(rows.seq_bounds, values) for name, values in pieces.items()}
    return {**{name: _even(values) for name, values in columns.items()}, **segments, **carried}


def narrow_table(rows: Rows) -> Columns:
    """The columns of `rows_table`, ids and positions in 16 bits if they fit."""
    columns = rows_table(rows)
    for name, values in (("input_ids", rows.input_ids), ("position_ids", rows.position_ids)):
        largest = rows.largest_id if name == "input_ids" else values.shape[1] - 1
        if largest <= np.iinfo(np.uint16).max:
            columns[name] = _even(values.astype(np.uint16))
    return columns


def trainer_table(rows: Rows) -> Columns:
    """The four columns of one length that transformers' and TRL's trainers and axolotl know, and what is carried."""
    padded = rows.position_ids.shape[1] - rows.padding()
    attention = (np.arange(rows.input_ids.shape[1]) < padded[:, None]).astype(np.int8)
    columns = {
        "input_ids": rows.input_ids,
        "attention_mask": attention,
        "labels": rows.labels,
        "position_ids": rows.position_ids,
        **rows.columns,
    }
    return {name: _even(values) for name, values in columns.items()}


def bridge_table(rows: Rows) -> Columns:
    """Megatron-Bridge's packed columns, without padding: ids, loss mask and the pieces' beginnings.

    Its mask stands at the token that predicts: that of a piece's last token is 0, and the others are one to the left.
    """
    count, context = rows.input_ids.shape
    sizes = context - rows.padding()
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    kept = np.arange(context) < sizes[:, None]
    predicts = np.zeros((count, context), np.uint8)
    predicts[:, :-1] = (rows.labels[:, 1:] != IGNORED) & (rows.position_ids[:, 1:] > 0)
    starts = (rows.position_ids == 0) & kept
    return {
        "input_ids": _ragged(bounds, rows.input_ids[kept]),
        "loss_mask": _ragged(bounds, predicts[kept]),
        "seq_start_id": _ragged(
            np.concatenate([np.zeros(1, np.int64), np.cumsum(starts.sum(axis=1))]),
            np.nonzero(starts)[1].astype(np.int32),
        ),
    }


def _even(values: NDArray[Any]) -> Any:
    """An Arrow column of lists from (rows, context)."""
    count, context = values.shape
    return _ragged(np.arange(count + 1, dtype=np.int64) * context, values.reshape(-1))


def _ragged(bounds: NDArray[np.int64], values: NDArray[Any]) -> Any:
    import pyarrow

    return pyarrow.ListArray.from_arrays(bounds.astype(np.int32), values)


TABLES: dict[str, Callable[[Rows], Columns]] = {
    ROWS: rows_table,
    ARROW: narrow_table,
    TRAINER: trainer_table,
    BRIDGE: bridge_table,
}
