"""Server processes that outlived their harness: noted in the run's folder at the start, ended at the next one.

The supervisor ends a server whose owner died. Only when both were killed at once can anything be left,
and this finds it. A process is known by its id and start time together, so that a reused id is never hit.
"""

import contextlib
import json
import logging
import os
import signal
from pathlib import Path

from harness.model.supervisor import PROC, living, remains, remove, status_of

log = logging.getLogger(__name__)


def note_server(note: Path, leader: int) -> None:
    """Write down which process leads a server's session, and which one owns it."""
    content = {"leader": _identity(leader), "owner": _identity(os.getpid())}
    note.write_text(json.dumps(content) + "\n", encoding="utf-8")


def forget_server(note: Path) -> None:
    """Remove the note of a server that has ended."""
    note.unlink(missing_ok=True)


def reap_servers(folder: Path) -> int:
    """End what earlier, killed runs left of their servers, as noted in ``folder``; how many servers that were.

    A server whose owner still lives is another run's and stays.
    """
    reaped = 0
    for note in sorted(folder.glob("*.server.json")):
        try:
            content = json.loads(note.read_text(encoding="utf-8"))
            leader, owner = content["leader"], content["owner"]
        except (ValueError, KeyError):
            leader = owner = None  # torn by the death of its writer
        if owner is not None and owner == _identity(owner["pid"]):
            continue
        if leader is not None and _end_noted(leader):
            log.warning("ended a model server that a killed run left (%s)", note.name)
            reaped += 1
        forget_server(note)
    return reaped


def end_group(leader: int) -> None:
    """SIGKILL to all that is left of a process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def end_session(leader: int) -> None:
    """SIGKILL to all that is left of a session, whose shared memory and temporary files go with it."""
    left = remains(leader)
    end_group(leader)
    remove(left)


def _end_noted(leader: dict[str, int | str]) -> bool:
    """End the session; without its leader, only living that call themselves vLLM, should the id be another's now."""
    session = int(leader["pid"])
    now = _identity(session)
    if now == leader:
        end_session(session)
        return True
    if now["started"] or now["boot"] != leader["boot"]:
        return False
    running = living(session)
    left = [pid for pid in running if _is_vllm(pid)]
    files = remains(session) if left or not running else set()
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    remove(files)
    return bool(left)


def _identity(pid: int) -> dict[str, int | str]:
    """What identifies a process for ever: id, start time in ticks since boot (0: none there), and the boot."""
    fields = status_of(pid)
    with contextlib.suppress(OSError):
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        return {"pid": pid, "started": int(fields[19]) if fields else 0, "boot": boot}
    return {"pid": pid, "started": 0, "boot": ""}


def _is_vllm(pid: int) -> bool:
    try:
        return b"vllm" in (PROC / str(pid) / "cmdline").read_bytes().lower()
    except OSError:
        return False
