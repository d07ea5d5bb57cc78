"""Arrow streams of columns of lists, uncompressed."""

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from harness.packing.parquet import Lists


class ArrowWriter:
    """Writes one stream, batch by batch; its end comes last, on leaving without an error."""

    def __init__(self, file: IO[bytes]) -> None:
        """``file`` is open for writing, and stays open."""
        self._file = file
        self._writer: Any = None

    def write(self, columns: Mapping[str, Lists]) -> None:
        """Append a batch: all columns have as many lists, and names and types as in the first one."""
        import pyarrow

        arrays = [
            pyarrow.ListArray.from_arrays(lists.bounds.astype(np.int32), lists.values) for lists in columns.values()
        ]
        batch = pyarrow.RecordBatch.from_arrays(arrays, names=list(columns))
        self._writer = self._writer or pyarrow.ipc.new_stream(self._file, batch.schema)
        self._writer.write_batch(batch)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None:
            return
        # left open, it would close itself later, on a closed file, with a traceback
        with suppress(Exception) if kind is not None else nullcontext():
            self._writer.close()
