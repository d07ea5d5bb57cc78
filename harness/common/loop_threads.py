"""Threads beside an event loop: few, since each that runs Python keeps the interpreter for up to 5 ms at a time."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Value = TypeVar("Value")

FEW = 2  # `benchmarks/occupancy.py`, two cores: the loop was 44 ms late at p99 with two, 117 and 181 with asyncio's six
# Threads that read answers. What they wait for, git and worker processes, runs on other cores.
READERS = ThreadPoolExecutor(max(FEW, (os.cpu_count() or 1) // 2), "read")


async def with_few_threads(work: Coroutine[Any, Any, Value]) -> Value:
    """What ``work`` returns; `asyncio.to_thread` has few threads meanwhile."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(FEW, "beside"))
    return await work


async def in_own_thread(function: Callable[[], Value]) -> Value:
    """What a function returns that may take minutes, such as the hash of a checkpoint's weights."""
    pool = ThreadPoolExecutor(1, "own")
    try:
        return await asyncio.get_running_loop().run_in_executor(pool, function)
    finally:
        pool.shutdown(wait=False)
