"""Runs a server for as long as its owner lives: ``supervisor.py OWNER_PID GRACE_SECONDS COMMAND...``.

Started by path as the leader of a new session, with a pipe from its owner as standard input. It ends the
server, and then its whole process group, itself included, when the server ends, when it gets SIGTERM, or
when the owner is gone: then the pipe ends, and should a forked child of the owner still hold it, this
process has another parent. PR_SET_PDEATHSIG would not do: it follows the thread that started the server,
and the server's own children do not inherit it. Shared memory that a dying server left goes, too, and the folder
that it has its sockets and temporary files in: vLLM removes none of them, some ten for each start.
Standard library only, so that it starts at once.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROC = Path("/proc")
SHARED_MEMORY = "/dev/shm/"
LOOK_SECONDS = 0.5
NOTICE_SECONDS = 1.0  # between looks for shared memory, until there is some
REAP_SECONDS = 0.05
PR_SET_CHILD_SUBREAPER = 36
TEMPORARY = "vllm-{session}-"  # begins the name of a server's folder of temporary files
LONGEST = 107 - len(
    "/ea3f4cb6-5ee5-4e4e-a1a5-f5f62a0c2b7e"
)  # of that folder: bytes of a socket's path, without its name
COMPILED = "TORCHINDUCTOR_CACHE_DIR"


def main(owner: int, grace: float, command: list[str]) -> None:
    """Run ``command`` to its end or the owner's, then leave nothing of the process group."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    # the server's own children become this process's when it dies: their end can be waited for
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder = temporary_folder()
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, env={**os.environ, **within(folder)})
    shared, noticed = set[Path](), time.monotonic()
    while not stopping and server.poll() is None and os.getppid() == owner:
        if select.select([sys.stdin], [], [], LOOK_SECONDS)[0]:
            break  # nothing is ever written: readable means closed
        if not shared and time.monotonic() - noticed > NOTICE_SECONDS:
            shared, noticed = shared_memory(os.getpid()), time.monotonic()
    shared |= remains(os.getpid())
    os.killpg(0, signal.SIGTERM)
    try:
        wait_for_children(grace)
        remove(shared)
    finally:
        os.killpg(0, signal.SIGKILL)


def temporary_folder() -> Path | None:
    """A new folder for the files of this session; None if the name of a socket in it would be too long."""
    folder = Path(tempfile.mkdtemp(prefix=TEMPORARY.format(session=os.getpid())))
    if len(os.fsencode(folder)) <= LONGEST:
        return folder
    folder.rmdir()
    return None


def within(folder: Path | None) -> dict[str, str]:
    """The environment of a server whose temporary files go to a folder; what it compiles stays for the next one."""
    if folder is None:
        return {}
    compiled = Path(tempfile.gettempdir(), f"torchinductor_{os.getuid()}")
    return {"TMPDIR": str(folder), COMPILED: os.environ.get(COMPILED) or str(compiled)}


def wait_for_children(seconds: float) -> None:
    """Return when no child is left, at the latest after ``seconds``.

    Killed at once, Python's resource tracker could not free the shared memory of a server that died.
    """
    end = time.monotonic() + seconds
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < end:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(REAP_SECONDS)


def living(session: int) -> list[int]:
    """Processes of a session that still run, its leader included."""
    pids = [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]
    status = {pid: fields for pid in pids if (fields := status_of(pid))}
    return [pid for pid, fields in status.items() if int(fields[3]) == session and fields[0] not in "ZX"]


def status_of(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on; empty if there is no such process."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def shared_memory(session: int) -> set[Path]:
    """Files of shared memory that a session's processes use. vLLM's are large, and no kill frees them."""
    found = set()
    for pid in living(session):
        with contextlib.suppress(OSError):  # it has ended
            names = (line.split(maxsplit=5)[-1] for line in (PROC / str(pid) / "maps").read_text().splitlines())
            found |= {Path(name) for name in names if name.startswith(SHARED_MEMORY)}
    return found


def remains(session: int) -> set[Path]:
    """What would stay of a session's processes: shared memory that they use, and their temporary files' folder."""
    return shared_memory(session) | set(Path(tempfile.gettempdir()).glob(TEMPORARY.format(session=session) + "*"))


def remove(remains: set[Path]) -> None:
    """Remove what is still there; processes that use shared memory keep it until they end."""
    for path in remains:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
