"""What a container may not do: the limits of a job in the engine's own terms."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.interfaces import Limits
from harness.sandbox.system_calls import seccomp_profile

if TYPE_CHECKING:
    from docker import DockerClient

QUOTA_DRIVERS = ("btrfs", "zfs")


def cage(limits: Limits, quota: bool, filtered: bool) -> dict[str, Any]:
    """Arguments for creating a container within ``limits``.

    ``quota``: the storage driver bounds all that is written. ``filtered``: the engine can filter system calls.

    The first process's output is not kept: anybody in the container may write to it, past our limit on output.
    """
    from docker.types import LogConfig, Ulimit

    hard = {"nofile": limits.open_files, "fsize": limits.disk_bytes, "core": 0}
    return {
        "network_mode": "bridge" if limits.network else "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", *([f"seccomp={seccomp_profile()}"] if filtered else [])],
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "pids_limit": limits.processes,
        "nano_cpus": int(limits.cpus * 1e9),
        "ulimits": [Ulimit(name=name, soft=value, hard=value) for name, value in hard.items()],
        "log_config": LogConfig(type="none"),
        **({"storage_opt": {"size": str(limits.disk_bytes)}} if quota else {}),
    }


def filters_calls(client: "DockerClient") -> bool:
    """Whether the daemon can filter a container's system calls; it refuses a container with a filter if not."""
    return any(option.startswith("name=seccomp") for option in client.info().get("SecurityOptions") or ())


def keeps_quotas(client: "DockerClient") -> bool:
    """Whether the daemon's storage driver can bound what one container writes."""
    info = client.info()
    if info["Driver"] in QUOTA_DRIVERS:
        return True
    # On xfs the driver needs project quotas as well, which only its root's mount options show.
    return info["Driver"] == "overlay2" and _mounted_with_project_quotas(info["DockerRootDir"])


def _mounted_with_project_quotas(folder: str) -> bool:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    above = [m for m in mounts if Path(folder).is_relative_to(m[1])]
    options = max(above, key=lambda m: len(m[1]))[3].split(",") if above else []
    return bool({"prjquota", "pquota"} & set(options))
