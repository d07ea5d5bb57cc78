"""Who ended a container: what runs in it, or the machine.

A container that ends while a patch's code runs in it is the patch's doing, unless the engine, the kernel or another
container of the run says otherwise. If one of them can't be asked, the machine is to blame.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.docker_client import RUN_LABEL, translated
from harness.errors import InfrastructureError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

LOCAL = "http+docker://"  # how the SDK names a daemon behind a socket of this machine
VMSTAT = Path("/proc/vmstat")
TOGETHER_NANOSECONDS = 2_000_000_000  # containers that end as close to each other have one cause outside them
# Podman reports "die" to those who ask for "died", and of a container that somebody removes only this and "remove".
ENDS = ("die", "died", "kill", "oom", "remove")
LATEST_SECONDS = 2  # in which the engine reports an end


def memory_kills(client: "DockerClient") -> int | None:
    """How many processes the kernel has killed for memory on the daemon's machine; None if that can't be seen."""
    if not client.api.base_url.startswith(LOCAL) or not VMSTAT.is_file():
        return None
    counters = dict(line.split() for line in VMSTAT.read_text(encoding="ascii").splitlines())
    return int(counters["oom_kill"]) if "oom_kill" in counters else None


def ended_from_inside(client: "DockerClient", container: "Container", run: str, kills_before: int | None) -> bool:
    """Whether a container of ``run`` has ended, and neither the engine nor the kernel nor a neighbour explains it.

    ``kills_before`` is what `memory_kills` returned before anything ran in it.
    """
    if kills_before is None or memory_kills(client) != kills_before:
        return False
    try:
        with translated("asking who ended a container"):
            events = client.api.events(
                since=1,
                until=int(time.time()) + LATEST_SECONDS,
                filters={"type": "container", "label": f"{RUN_LABEL}={run}", "event": list(ENDS)},
                decode=True,
            )
            return unexplained(list(events), str(container.id))
    except InfrastructureError:
        return False


def unexplained(events: list[dict[str, Any]], container_id: str) -> bool:
    """Whether a container died by these events of the engine without being killed, and no other beside it did."""
    explained = {event["Actor"]["ID"] for event in events if event["Action"] != "die"}
    died = {
        event["Actor"]["ID"]: event["timeNano"]
        for event in events
        if event["Action"] == "die" and event["Actor"]["ID"] not in explained
    }
    moment = died.pop(container_id, None)
    return moment is not None and all(abs(other - moment) > TOGETHER_NANOSECONDS for other in died.values())
