"""What a container may not do: the limits of a job in the engine's own terms."""

import resource
from pathlib import Path
from typing import Any

from harness.core.interfaces import Limits
from harness.sandbox.enforced import Enforced
from harness.sandbox.system_calls import profile_file, seccomp_profile


def cage(limits: Limits, engine: Enforced) -> dict[str, Any]:
    """Arguments for creating a container within ``limits``, as far as the engine enforces them.

    The first process's output is not kept: anybody in the container may write to it, past our limit on output.
    """
    from docker.types import LogConfig, Ulimit

    hard = {"nofile": limits.open_files, "fsize": limits.disk_bytes, "core": 0}
    if engine.kind == "podman" and not engine.rootless:
        hard["nproc"] = _all_processes()
    # Podman is given the name of a file, Docker what would be in it.
    filters = [f"seccomp={profile_file() if engine.kind == 'podman' else seccomp_profile()}"]
    return {
        "network_mode": "bridge" if limits.network else "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", *(filters if engine.system_calls else [])],
        "ulimits": [Ulimit(name=name, soft=value, hard=value) for name, value in hard.items()],
        "log_config": LogConfig(type="none"),
        **({"mem_limit": limits.memory_bytes} if engine.memory else {}),
        **({"memswap_limit": limits.memory_bytes} if engine.memory and engine.swap else {}),
        **({"pids_limit": limits.processes} if engine.processes else {}),
        **({"nano_cpus": int(limits.cpus * 1e9)} if engine.cpus else {}),
        **({"storage_opt": {"size": str(limits.disk_bytes)}} if engine.disk else {}),
    }


def shell_limits(limits: Limits) -> str:
    """What a shell does to have the limits of one process, for an engine that loses them on the way to a command."""
    return f"ulimit -n {limits.open_files} && ulimit -f {limits.disk_bytes >> 10} && ulimit -c 0 || exit; "


def _all_processes() -> int:
    """As many processes as this machine has for anybody: Podman's own default is more than some let it ask for."""
    most = int(Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii"))
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    return most if hard == resource.RLIM_INFINITY else min(most, hard)
