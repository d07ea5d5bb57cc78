"""The rows of the controls, made from those that `harness pack` wrote.

A *headless* piece begins inside its document. Rows are read and written as Parquet files with the columns of
`harness pack` that training reads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.packing.token_columns import IGNORED
from lab.training.data import PIECES

SHARD = "shard-00000.parquet"
PADDING = -1  # the document of a row's padding
ADDED_SHARE = 0.5  # headless rows added, over the rows that are there


@dataclass(frozen=True)
class Piece:
    """Consecutive tokens of one document, or padding."""

    ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    document: int
    offset: int  # tokens of the document before it

    @property
    def headless(self) -> bool:
        """Whether it lacks its document's head."""
        return self.document != PADDING and self.offset > 0


Row = Sequence[Piece]


def read_pieces(folder: Path) -> list[Row]:
    """The rows of a strategy's folder, in pieces."""
    import pyarrow.parquet

    rows: list[Row] = []
    for shard in sorted(folder.glob("shard-*.parquet")):
        table = pyarrow.parquet.read_table(shard, columns=["input_ids", "labels", *PIECES]).to_pydict()
        for ids, labels, lengths, documents, offsets in zip(*table.values(), strict=True):
            bounds = np.cumsum(lengths)[:-1]
            parts = (np.split(np.asarray(values, np.int32), bounds) for values in (ids, labels))
            rows.append([Piece(*piece) for piece in zip(*parts, documents, offsets, strict=True)])
    return rows


def write_pieces(rows: Sequence[Row], folder: Path) -> None:
    """Write rows as one shard; the folder appears whole."""
    import pyarrow
    import pyarrow.parquet

    columns: dict[str, Any] = {
        "input_ids": [np.concatenate([piece.ids for piece in row]) for row in rows],
        "labels": [np.concatenate([piece.labels for piece in row]) for row in rows],
        PIECES[0]: [[len(piece.ids) for piece in row] for row in rows],
        PIECES[1]: [[piece.document for piece in row] for row in rows],
        PIECES[2]: [[piece.offset for piece in row] for row in rows],
    }
    partial = folder.with_name(f"{folder.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(columns), partial / SHARD)
    partial.rename(folder)


def masked(rows: Sequence[Row]) -> list[Row]:
    """The same rows with every headless piece out of the loss: its tokens are seen, and teach nothing."""
    return [[_unlabelled(piece) if piece.headless else piece for piece in row] for row in rows]


def with_headless(rows: Sequence[Row], cut: Sequence[Row], padding: int) -> list[Row]:
    """``rows``, and half as many more that hold nothing but the headless pieces of ``cut``, again if they are few.

    The pieces are set one after another and never cut again; the rest of a row is padding. Raises ValueError if
    ``cut`` has no headless piece.
    """
    context = sum(len(piece.ids) for piece in rows[0])
    pieces = [piece for row in cut for piece in row if piece.headless]
    if not pieces:
        raise ValueError("no row has a piece without its head")
    made: list[Row] = []
    current: list[Piece] = []
    for piece in pieces:
        if current and sum(len(one.ids) for one in current) + len(piece.ids) > context:
            made.append(_filled(current, context, padding))
            current = []
        current.append(piece)
    made.append(_filled(current, context, padding))
    wanted = round(len(rows) * ADDED_SHARE)
    return [*rows, *(made * -(-wanted // len(made)))[:wanted]]


def headless_share(rows: Sequence[Row]) -> float:
    """Tokens of headless pieces that take part in the loss, over all that do."""
    trained = [(piece.headless, int((piece.labels != IGNORED).sum())) for row in rows for piece in row]
    return sum(count for headless, count in trained if headless) / sum(count for _, count in trained)


def _unlabelled(piece: Piece) -> Piece:
    return Piece(piece.ids, np.full_like(piece.labels, IGNORED), piece.document, piece.offset)


def _filled(pieces: Sequence[Piece], context: int, padding: int) -> Row:
    room = context - sum(len(piece.ids) for piece in pieces)
    if not room:
        return pieces
    ids = np.full(room, padding, np.int32)
    return [*pieces, Piece(ids, np.full_like(ids, IGNORED), PADDING, 0)]
