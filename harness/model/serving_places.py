"""Serving places: where a checkpoint's questions are answered, and who may take that place next.

A place is given to those who wait for it in the order in which they came.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness.config.schema import CheckpointConfig

RECORDED = "recorded answers"


class Places:
    """The serving places of a run: servers of ours here, and each endpoint elsewhere."""

    def __init__(self) -> None:
        """One server of ours at a time, and one checkpoint at an endpoint."""
        self._served = asyncio.Lock()
        self._elsewhere: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def take(self, checkpoint: CheckpointConfig) -> AsyncIterator[None]:
        """Wait for the checkpoint's place, and keep it for the block."""
        if checkpoint.answers is not None or checkpoint.endpoint is not None:
            place = self._elsewhere[RECORDED if checkpoint.answers is not None else checkpoint.endpoint or ""]
        else:
            place = self._served
        async with place:
            yield
