"""Runs a server for as long as its owner lives: ``supervisor.py OWNER_PID GRACE_SECONDS COMMAND...``.

Started by path as the leader of a new session, with a pipe from its owner as standard input. It ends the
server, and then its whole process group, itself included, when the server ends, when it gets SIGTERM, or
when the owner is gone: then the pipe ends, and should a forked child of the owner still hold it, this
process has another parent. PR_SET_PDEATHSIG would not do: it follows the thread that started the server,
and the server's own children do not inherit it. Shared memory that a dying server left goes, too.
Standard library only, so that it starts at once.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PROC = Path("/proc")
SHARED_MEMORY = "/dev/shm/"
LOOK_SECONDS = 0.5
NOTICE_SECONDS = 1.0  # between looks for shared memory, until there is some
REAP_SECONDS = 0.05
PR_SET_CHILD_SUBREAPER = 36


def main(owner: int, grace: float, command: list[str]) -> None:
    """Run ``command`` to its end or the owner's, then leave nothing of the process group."""
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    # the server's own children become this process's when it dies: their end can be waited for
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    shared, noticed = set[Path](), time.monotonic()
    while not stopping and server.poll() is None and os.getppid() == owner:
        if select.select([sys.stdin], [], [], LOOK_SECONDS)[0]:
            break  # nothing is ever written: readable means closed
        if not shared and time.monotonic() - noticed > NOTICE_SECONDS:
            shared, noticed = shared_memory(os.getpid()), time.monotonic()
    shared |= shared_memory(os.getpid())
    os.killpg(0, signal.SIGTERM)
    try:
        wait_for_children(grace)
        remove(shared)
    finally:
        os.killpg(0, signal.SIGKILL)


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


def remove(shared: set[Path]) -> None:
    """Free shared memory that is still there; processes that use it keep it until they end."""
    for path in shared:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
