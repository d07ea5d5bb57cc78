"""One command in a running container, seen from outside: its output and its end."""

import io
import logging
import tarfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from harness.core.interfaces import CommandResult, Limits
from harness.errors import InfrastructureError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # how often a silent command is looked at
SETTLE_SECONDS = 2.0  # output still awaited after a command's end, should a child of it hold the stream
NOT_BEGUN = 126  # exit statuses from here on are a signal's, or the engine's for what it could not begin
SIGNALLED = 128  # exit statuses from here on are a signal's
UNPACKED = b"files unpacked:"
# A command waits for what it is given: what it wrote before the SDK has read the head of the engine's reply would stay
# in a buffer that the SDK throws away (docker/docker-py#3332).
WAIT = "read -r; exec </dev/null; "
# The engine's own way of putting files into a container starts a process of its own, which takes longer.
UNPACK = f"head -c $0 | tar -xf - -C / 2>&1 && printf '{UNPACKED.decode()}' || exit; exec </dev/null; "
TAIL = 4096  # bytes at the end of an output in which a command's last words stand


class BoundedOutput:
    """Keeps the head and the tail of a stream of bytes, and says how much lay between them. Safe for threads."""

    def __init__(self, limit: int) -> None:
        """``limit`` in bytes; half of it for either end."""
        self._half = max(limit // 2, 1)
        self._lock = threading.Lock()
        self._head = bytearray()
        self._tail = bytearray()
        self._cut = 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        with self._lock:
            room = self._half - len(self._head)
            self._head += chunk[:room]
            self._tail += chunk[room:]
            if len(self._tail) > 2 * self._half:
                self._trim()

    def _trim(self) -> None:
        excess = max(len(self._tail) - self._half, 0)
        del self._tail[:excess]
        self._cut += excess

    def value(self) -> bytes:
        """What was kept, with a line in the middle if bytes were cut."""
        with self._lock:
            self._trim()
            middle = f"\n[... {self._cut} bytes cut here ...]\n".encode() if self._cut else b""
            return bytes(self._head) + middle + bytes(self._tail)


def execute(
    client: "DockerClient",
    container: "Container",
    command: Sequence[str],
    workdir: str,
    limits: Limits,
    files: Mapping[str, bytes] | None = None,
    before: str = "",
) -> CommandResult:
    """Run a command and watch it until it ends or its time is over; the container is killed in the latter case.

    ``files`` (by absolute path) are put into the container before it begins, and bash runs ``before``.
    Raises InfrastructureError when the container went away underneath, and what the Docker client raises.
    """
    api = client.api
    started = time.monotonic()
    exec_id, stream = _begin(api, container, command, workdir, files, before)
    output, ended = BoundedOutput(limits.output_bytes), threading.Event()
    threading.Thread(target=_read, args=(stream, output, ended), daemon=True, name="exec-output").start()
    end = _end(api, exec_id, ended, started + limits.seconds)
    seconds = time.monotonic() - started
    lingering = not ended.is_set()
    if end is None:
        container.kill()
        return CommandResult(None, output.value().removeprefix(UNPACKED), seconds, timed_out=True)
    status = end["ExitCode"]
    if (status is None or status >= NOT_BEGUN) and not _still_there(container):
        raise InfrastructureError("the container was stopped or removed from outside while its command ran")
    if status is None:
        raise InfrastructureError("the engine lost a command: it neither runs nor has it ended")
    text = output.value()
    if files:
        if not text.startswith(UNPACKED):  # nothing of the job ran, so only the machine or the image can be to blame
            raise InfrastructureError(f"files could not be unpacked in the container: {text[:300]!r}")
        text = text.removeprefix(UNPACKED)
    return CommandResult(
        exit_status=status,
        output=text,
        seconds=seconds,
        out_of_memory=_looks_killed(status, text) and _memory_ran_out(api, container),
        lingering=lingering,
    )


def _begin(
    api: Any,
    container: "Container",
    command: Sequence[str],
    workdir: str,
    files: Mapping[str, bytes] | None = None,
    before: str = "",
) -> tuple[str, Any]:
    """The engine's id of a command that has been told to go on, and the stream of its output."""
    archive = packed(files) if files else b""
    # The command's two streams must stay in the order in which they were written.
    merged = ["/bin/bash", "-c", f'{UNPACK if files else WAIT}{before}exec "$@" 2>&1', str(len(archive))]
    exec_id = api.exec_create(container.id, [*merged, *command], stdin=True, workdir=workdir)["Id"]
    stream: Any = api.exec_start(exec_id, socket=True)
    with suppress(BrokenPipeError, ConnectionResetError):  # of what could not begin, the engine has said why
        getattr(stream, "_sock", stream).sendall(archive or b"\n")  # only over TLS and SSH it is the socket itself
    return exec_id, stream


def _end(api: Any, exec_id: str, ended: threading.Event, deadline: float) -> dict[str, Any] | None:
    """What the engine says of a command that has ended; None if it still runs at the deadline (``time.monotonic``)."""
    while True:
        closed = ended.wait(timeout=max(min(POLL_SECONDS, deadline - time.monotonic()), 0))
        state: dict[str, Any] = api.exec_inspect(exec_id)
        if not state["Running"]:
            # A child that outlives the command keeps the stream open; it must not keep us.
            ended.wait(timeout=SETTLE_SECONDS)
            return state
        if time.monotonic() >= deadline:
            return None
        if closed:  # what has closed its streams, or has ended and the engine did not notice yet
            time.sleep(POLL_SECONDS / 10)


def _read(stream: Any, output: BoundedOutput, ended: threading.Event) -> None:
    from docker.utils.socket import SocketError, frames_iter

    try:
        for _, chunk in frames_iter(stream, tty=False):  # type: ignore[no-untyped-call]
            output.add(chunk)
    except (SocketError, OSError, ValueError) as error:
        # The connection goes down with the container; whoever watches asks the engine what happened.
        log.debug("output stream ended: %s", error)
    ended.set()
    # The SDK leaves this connection to the garbage collector; closing the socket alone does not free it.
    stream._response.close()


def _still_there(container: "Container") -> bool:
    from docker.errors import NotFound

    # The engine notices the death of a container a little after that of the commands in it.
    time.sleep(SETTLE_SECONDS / 4)
    try:
        container.reload()
    except NotFound:
        return False
    return bool(container.status == "running")


def _looks_killed(status: int, output: bytes) -> bool:
    last_words = output[-TAIL:]
    return status >= SIGNALLED or (status != 0 and (b"Killed" in last_words or b"MemoryError" in last_words))


def _memory_ran_out(api: Any, container: "Container") -> bool:
    """Whether the kernel killed a process of the container for memory (control groups 1 and 2)."""
    from docker.errors import APIError

    counters = "cat /sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events 2>/dev/null"
    output = BoundedOutput(TAIL)
    try:
        _, stream = _begin(api, container, ["/bin/sh", "-c", counters], "/")
        _read(stream, output, threading.Event())
    except APIError as error:
        # With all its processes used up a container takes no further command: that is its own doing.
        log.debug("can't ask a container for its memory counters: %s", error)
        return False
    fields = [line.split() for line in output.value().decode(errors="replace").splitlines()]
    return any(field[0] == "oom_kill" and field[-1] != "0" for field in fields if len(field) == 2)


def packed_folder(mode: int) -> bytes:
    """A tar archive of the folder that it is unpacked in, which gets that mode."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("./")
        member.type, member.mode = tarfile.DIRTYPE, mode
        archive.addfile(member)
    return buffer.getvalue()[: archive.offset]  # less the zeros behind its end, which Podman leaves unread and fails


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of files by their absolute paths, executable by everybody."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = len(content)
            member.mode = 0o755
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()[: archive.offset]  # less the zeros behind its end, which Podman leaves unread and fails
