"""Rows as columns of lists, in the forms that trainers take."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.packing.defaults import ARROW, BRIDGE, ROWS, TRAINER, TRAINER_ARROW
from harness.packing.parquet import Lists
from harness.packing.rows import Rows
from harness.packing.token_columns import IGNORED

Columns = dict[str, Lists]  # by name


def rows_table(rows: Rows) -> Columns:
    """Everything: ids, labels, positions, the pieces' lengths and origins, and what the corpus carries."""
    columns = {"input_ids": rows.input_ids, "labels": rows.labels, "position_ids": rows.position_ids}
    pieces: dict[str, NDArray[Any]] = {
        "seq_lengths": rows.seq_lengths,
        "seq_documents": rows.seq_documents,
        "seq_offsets": rows.seq_offsets,
    }
    segments = {name: Lists(rows.seq_bounds, values) for name, values in pieces.items()}
    even = _even({**columns, **rows.columns})
    return {name: even[name] for name in columns} | segments | even


def narrow(table: Callable[[Rows], Columns]) -> Callable[[Rows], Columns]:
    """The same columns, ids and positions in 16 bits if they fit: an Arrow stream is as large as its types."""

    def narrowed(rows: Rows) -> Columns:
        columns = table(rows)
        for name, values in (("input_ids", rows.input_ids), ("position_ids", rows.position_ids)):
            largest = rows.largest_id if name == "input_ids" else values.shape[1] - 1
            if largest <= np.iinfo(np.uint16).max:
                columns[name] = columns[name]._replace(values=values.reshape(-1).astype(np.uint16))
        return columns

    return narrowed


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
    return _even(columns)


def bridge_table(rows: Rows) -> Columns:
    """Megatron-Bridge's packed columns, without padding: ids, loss mask and the pieces' beginnings.

    Its mask stands at the token that predicts: that of a piece's last token is 0, and the others are one to the left.
    """
    count, context = rows.input_ids.shape
    sizes = context - rows.padding()
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    predicts = np.zeros((count, context), np.uint8)
    predicts[:, :-1] = (rows.labels[:, 1:] != IGNORED) & (rows.position_ids[:, 1:] > 0)
    starts = (rows.position_ids == 0) & (np.arange(context) < sizes[:, None])
    return {
        "input_ids": Lists(bounds, _shortened(rows.input_ids, sizes)),
        "loss_mask": Lists(bounds, _shortened(predicts, sizes)),
        "seq_start_id": Lists(
            np.concatenate([np.zeros(1, np.int64), np.cumsum(starts.sum(axis=1))]),
            np.nonzero(starts)[1].astype(np.int32),
        ),
    }


def _shortened(values: NDArray[Any], sizes: NDArray[np.int64]) -> NDArray[Any]:
    """The first ``sizes`` (rows,) of each row of ``values``, flat."""
    return np.concatenate([row[:size] for row, size in zip(values, sizes.tolist(), strict=True)])


def _even(columns: Mapping[str, NDArray[Any]]) -> Columns:
    """Columns of lists from arrays (rows, context), all of one shape."""
    count, context = next(iter(columns.values())).shape
    bounds = np.arange(count + 1, dtype=np.int64) * context
    return {name: Lists(bounds, values.reshape(-1)) for name, values in columns.items()}


TABLES: dict[str, Callable[[Rows], Columns]] = {
    ROWS: rows_table,
    ARROW: narrow(rows_table),
    TRAINER: trainer_table,
    TRAINER_ARROW: narrow(trainer_table),
    BRIDGE: bridge_table,
}
