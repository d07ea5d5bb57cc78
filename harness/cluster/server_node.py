"""What runs on the node of a model server: its process, as on the driver's own machine, and what that logs."""

import asyncio
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import ray

from harness.cluster.values import Failed
from harness.errors import HarnessError, InputError
from harness.model.devices import VISIBLE
from harness.model.port import HeldPort
from harness.model.server_host import Launch, LocalHost, LocalProcess

PIECE = 1 << 20  # bytes of a log that travel at a time
LOOK_SECONDS = 0.5  # between two looks at it


@dataclass(frozen=True)
class ServedNode:
    """The node of a server, or of a part of one."""

    id: str
    address: str
    meeting_port: int  # kept for the parts of a server that meet there
    devices: str  # GPUs that Ray gives to the server


class ServerNode:
    """An asynchronous actor, whose server ends with it. The log lies nowhere on the node."""

    def __init__(self) -> None:
        # Ray lets an actor without CPUs of its own have one thread; the server has its own rules
        os.environ.pop("OMP_NUM_THREADS", None)
        self._address = ray.util.get_node_ip_address()
        self._meeting = HeldPort(0, self._address)
        self._process: LocalProcess | None = None
        self._log: BinaryIO | None = None

    async def open(self) -> ServedNode:
        """What the driver needs to know of the node."""
        node = ray.get_runtime_context().get_node_id()
        return ServedNode(node, self._address, self._meeting.number, os.environ.get(VISIBLE, ""))

    async def start(self, launch: Launch) -> int | Failed:
        """Start the server; returns the port that it listens on."""
        missing = [folder for folder in launch.folders if not folder.is_dir()]
        if missing:
            return Failed.of(InputError(f"{missing[0]} is not there; all nodes need the folders of the checkpoints"))
        with tempfile.TemporaryDirectory(prefix="harness-server-") as folder:
            log = Path(folder, launch.log.name)
            here = replace(launch, log=log, note=Path(folder, launch.note.name))
            try:
                self._process = await LocalHost(self._address).start(here)
            except HarnessError as error:
                return Failed.of(error)
            self._log = log.open("rb")
        return self._process.port

    async def piece(self) -> bytes:
        """What was logged since the last call, as soon as there is some; empty once the server has ended."""
        process, log = self._process, self._log
        assert process is not None, "a server is started before its log is read"
        assert log is not None
        while True:
            ended = process.ended  # looked at before the log, whose end is not missed then
            piece = log.read(PIECE)
            if piece or ended:
                return piece
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait_ended(), LOOK_SECONDS)

    async def stop(self) -> None:
        """End the server, if there is one."""
        if self._process is not None:
            await self._process.stop()
