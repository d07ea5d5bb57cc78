"""The time of a run's servers, kept in its folder: what a GPU is paid for, whether or not it answers."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from harness.common.hashing import content_key
from harness.common.journal import Journal
from harness.common.run_folder import journal_path
from harness.core.server_time import ServerTime
from harness.model.checkpoint import serves_on_cpu
from harness.model.devices import devices_of_server

SERVERS = "servers"  # name of the journal

Server = TypeVar("Server")


def gpu_count(args: Sequence[str]) -> int:
    """GPUs that a server with these arguments holds; 0 for vLLM's CPU build."""
    if serves_on_cpu():
        return 0
    return devices_of_server(args)


@asynccontextmanager
async def timed(
    server: AbstractAsyncContextManager[Server],
    folder: Path,
    revision: str,
    gpus: int,
    where: Callable[[], Mapping[str, Any]] = dict,
) -> AsyncIterator[Server]:
    """The server, whose time is written down when it has ended, its start included, and one that failed.

    ``where``: gives what else its record says of it, once it has ended.
    """
    began = time.time()
    start: float | None = None
    try:
        async with server as running:
            start = round(time.time() - began, 3)
            yield running
    finally:
        ended = {"revision": revision, "began": began, "seconds": round(time.time() - began, 3), "gpus": gpus}
        ended |= {**where(), "start_seconds": start}
        with Journal(_place(folder)) as journal:
            journal.put(content_key(**ended), ended)


def server_times(folder: Path) -> dict[str, list[ServerTime]]:
    """The servers that a run's folder knows to have ended, by the revision that they served."""
    found: dict[str, list[ServerTime]] = {}
    if not _place(folder).is_file():
        return found
    with Journal(_place(folder)) as journal:
        for record in journal.records():
            time_of = ServerTime(record["began"], record["seconds"], record["gpus"])
            found.setdefault(record["revision"], []).append(time_of)
    return found


def _place(folder: Path) -> Path:
    return journal_path(folder, SERVERS)
