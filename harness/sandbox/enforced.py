"""What an engine is, and which limits of a job it enforces here: asked before the run, and said in its records."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.docker_client import translated
from harness.core.interfaces import SandboxKind

if TYPE_CHECKING:
    from docker import DockerClient

log = logging.getLogger(__name__)

PODMAN = "Podman Engine"  # how Podman names itself among the components of a version
QUOTA_DRIVERS = ("btrfs", "zfs")
# What the engine's word for a control group means for a job.
GROUPS = {"memory": "MemoryLimit", "swap": "SwapLimit", "processes": "PidsLimit", "cpus": "CpuCfsQuota"}


@dataclass(frozen=True)
class Enforced:
    """An engine, and the limits that hold in its containers."""

    kind: SandboxKind
    version: str
    platform: str  # of the machine that runs the containers: "linux/amd64"
    rootless: bool
    memory: bool
    swap: bool  # whether memory that is swapped out counts
    processes: bool
    cpus: bool
    system_calls: bool  # whether the calls that show what others read are filtered
    disk: bool  # of all that is written; that of any one file always holds
    watched_files: bool = True  # whether every writing to the files of the tests shows

    @property
    def missing(self) -> tuple[str, ...]:
        """The limits that do not hold, by their names."""
        names = (*GROUPS, "system_calls", "disk", "watched_files")
        return tuple(name for name in names if not getattr(self, name))

    @property
    def missing_of_note(self) -> tuple[str, ...]:
        """Those that usually hold: a quota of the disk needs a file system that few machines have."""
        return tuple(name for name in self.missing if name != "disk")

    @property
    def described(self) -> str:
        """The engine in a few words: ``podman 4.3.1, rootless``."""
        return f"{self.kind} {self.version}{', rootless' if self.rootless else ''}"

    def facts(self) -> dict[str, Any]:
        """What a run's records say of it."""
        return {"engine": self.described, "platform": self.platform, "not_enforced": list(self.missing)}

    def warn(self) -> None:
        """Say before the run what can't be enforced."""
        if self.missing_of_note:
            named = ", ".join(self.missing_of_note).replace("_", " ")
            log.warning("%s does not limit here: %s; docs/sandboxes.md says what follows", self.described, named)


def enforced(client: "DockerClient") -> Enforced:
    """Ask the engine. Raises InfrastructureError if it does not answer."""
    with translated("asking the engine what it enforces"):
        version, info = client.version(), client.info()
    options = info.get("SecurityOptions") or ()
    podman = any(part.get("Name") == PODMAN for part in version.get("Components") or ())
    rootless = bool(info.get("Rootless")) or "name=rootless" in options
    # without a second version's groups an engine without root has none, whatever it says of the machine's
    groups = not (rootless and str(info.get("CgroupVersion")) == "1")
    return Enforced(
        kind="podman" if podman else "docker",
        version=str(version["Version"]),
        platform=f"{version['Os']}/{version['Arch']}",
        rootless=rootless,
        system_calls=any(option.startswith("name=seccomp") for option in options),
        disk=_keeps_quotas(info),
        **{name: groups and bool(info.get(word)) for name, word in GROUPS.items()},
    )


def _keeps_quotas(info: Mapping[str, Any]) -> bool:
    """Whether the engine's storage driver can bound what one container writes."""
    if info["Driver"] in QUOTA_DRIVERS:
        return True
    # On xfs the driver needs project quotas as well, which only its root's mount options show.
    return str(info["Driver"]).startswith("overlay") and _mounted_with_project_quotas(info["DockerRootDir"])


def _mounted_with_project_quotas(folder: str) -> bool:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()]
    above = [m for m in mounts if Path(folder).is_relative_to(m[1])]
    options = max(above, key=lambda m: len(m[1]))[3].split(",") if above else []
    return bool({"prjquota", "pquota"} & set(options))
