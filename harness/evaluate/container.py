"""The Docker sandbox: one fresh container per job, within limits, removed by force.

A container's first process only sleeps; each command of a job runs beside it, so its output and exit
status reach us by the engine's own channel. The sleep ends by itself some time after the job must
have ended, and the container with it, should nobody be left to remove it.
"""

import io
import logging
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.errors import InfrastructureError, InputError
from harness.seams import CommandResult, Job, Limits

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

log = logging.getLogger(__name__)

LABEL = "io.agentless-harness"  # on every image and container that belongs to the project
RUN_LABEL = f"{LABEL}.run"  # on containers: the run they belong to

GRACE_SECONDS = 60.0  # added to a job's own time before its container ends by itself
POLL_SECONDS = 0.5  # how often a silent command is looked at
SETTLE_SECONDS = 2.0  # output still awaited after a command's end, should a child of it hold the stream
KILLED = 137  # exit status of a command that SIGKILL ended


def connect(timeout: int = 600, connections: int = 32) -> "DockerClient":
    """A client (``timeout`` in seconds) with one pool of connections to the Docker daemon that the environment names.

    Raises InputError when no daemon answers.
    """
    import docker
    from docker.errors import DockerException

    try:
        client = docker.from_env(timeout=timeout, max_pool_size=connections)
        client.ping()
    except DockerException as error:
        raise InputError(
            f"Docker is not reachable ({error}); start the daemon (`dockerd`, or `systemctl start docker`) "
            "or point DOCKER_HOST at one"
        ) from error
    return client


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turns what the Docker client raises into InfrastructureError, saying what was being done."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except (DockerException, RequestException, OSError) as error:
        raise InfrastructureError(f"{doing}: {error}") from error


class DockerSandbox:
    """The `Sandbox` of a local or remote Docker daemon. Safe for threads; close it when done."""

    def __init__(self, client: "DockerClient", run: str) -> None:
        """``run`` labels every container, so that what a killed run left behind can be reaped."""
        self._client = client
        self._run = run
        self._removal = ThreadPoolExecutor(max_workers=4, thread_name_prefix="remove")

    def __enter__(self) -> "DockerSandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait until the engine has taken away every container, or is about to."""
        self._removal.shutdown(wait=True)

    def reap(self) -> int:
        """Remove the containers that an earlier process of the same run left behind; gives their number."""
        with translated("listing left-over containers"):
            left = self._client.containers.list(
                all=True, filters={"label": f"{RUN_LABEL}={self._run}"}, ignore_removed=True
            )
        for container in left:
            self._remove(container)
        return len(left)

    def digest(self, image: str) -> str:
        """Content id of a local image. Raises InfrastructureError when it is not there."""
        with translated(f"looking up image {image}"):
            return str(self._client.images.get(image).id)

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        """Run the job's commands in a fresh container; the first that does not exit 0 is the last.

        Raises InfrastructureError when the container can't be made or goes away underneath.
        """
        results: list[CommandResult] = []
        container = self._create(job)
        try:
            with translated("starting a container"):
                container.put_archive("/", _archive(job.files))
                container.start()
            for command in job.commands:
                results.append(_execute(self._client, container, command, job))
                if results[-1].exit_status != 0:
                    break
        finally:
            self._removal.submit(self._remove, container)
        return tuple(results)

    def _create(self, job: Job) -> "Container":
        with translated(f"creating a container of {job.image}"):
            return self._client.containers.create(
                job.image,
                command=["sleep", str(int(len(job.commands) * job.limits.seconds + GRACE_SECONDS))],
                entrypoint=[],
                working_dir=job.workdir,
                auto_remove=True,
                labels={RUN_LABEL: self._run, **job.labels},
                **_cage(job.limits),
            )

    def _remove(self, container: "Container") -> None:
        from docker.errors import APIError, NotFound

        try:
            with translated("removing a container"):
                container.remove(force=True, v=True)
        except InfrastructureError as error:
            # A container that is gone, or is going already, is what was wanted.
            cause = error.__cause__
            if not isinstance(cause, NotFound) and not (isinstance(cause, APIError) and cause.status_code == 409):
                log.warning("%s", error)


def _cage(limits: Limits) -> dict[str, Any]:
    return {
        "network_mode": "bridge" if limits.network else "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "pids_limit": limits.processes,
        "nano_cpus": int(limits.cpus * 1e9),
    }


def _archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path.lstrip("/"))
            member.size = len(content)
            member.mode = 0o755
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


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
        """What was kept, with a line in the middle where bytes were cut."""
        with self._lock:
            self._trim()
            middle = f"\n[... {self._cut} bytes cut here ...]\n".encode() if self._cut else b""
            return bytes(self._head) + middle + bytes(self._tail)


def _execute(client: "DockerClient", container: "Container", command: tuple[str, ...], job: Job) -> CommandResult:
    """One command in a running container, watched until it ends or its time is over."""
    api = client.api
    started = time.monotonic()
    with translated(f"running {command[0]} in a container"):
        # The command's two streams must stay in the order in which they were written.
        merged = ["/bin/bash", "-c", 'exec "$@" 2>&1', "bash", *command]
        exec_id = api.exec_create(container.id, merged, workdir=job.workdir)["Id"]
        stream: Any = api.exec_start(exec_id, socket=True)
        output, timed_out = _watch(stream, api, exec_id, started + job.limits.seconds, job.limits.output_bytes)
        if timed_out:
            container.kill()
            return CommandResult(None, output, time.monotonic() - started, timed_out=True)
        status = api.exec_inspect(exec_id)["ExitCode"]
        if status in (None, KILLED) and not _still_there(container):
            raise InfrastructureError("the container was stopped or removed from outside while its command ran")
        out_of_memory = status != 0 and _memory_ran_out(container)
    return CommandResult(status, output, time.monotonic() - started, out_of_memory=out_of_memory)


def _watch(stream: Any, api: Any, exec_id: str, deadline: float, limit: int) -> tuple[bytes, bool]:
    """What the command wrote, and whether it was still running at the deadline (``time.monotonic``)."""
    output = BoundedOutput(limit)
    ended = threading.Event()
    threading.Thread(target=_read, args=(stream, output, ended), daemon=True, name="exec-output").start()
    while not ended.wait(timeout=max(min(POLL_SECONDS, deadline - time.monotonic()), 0)):
        # A child that outlives the command keeps the stream open; it must not keep us.
        if not api.exec_inspect(exec_id)["Running"]:
            ended.wait(timeout=SETTLE_SECONDS)
            break
        if time.monotonic() >= deadline:
            return output.value(), True
    return output.value(), False


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


def _memory_ran_out(container: "Container") -> bool:
    """Whether the kernel killed a process of the container for memory (control groups 1 and 2)."""
    counters = "cat /sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events 2>/dev/null"
    answer = container.exec_run(["/bin/sh", "-c", counters], workdir="/").output
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else ""
    fields = [line.split() for line in text.splitlines()]
    return any(field[0] == "oom_kill" and field[-1] != "0" for field in fields if len(field) == 2)
