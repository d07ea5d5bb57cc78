"""Limits of one job by control groups of version 1, where this process may make them: root's way without an engine."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.core.interfaces import Limits
from harness.errors import InfrastructureError

ROOT = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds in which a share of the CPUs is counted
CONTROLLERS = ("memory", "pids", "cpu")
PARENT = "harness"
END_SECONDS = 30.0  # for killed processes to be gone; in uninterruptible sleep, on a dead network disk say, one stays
LOOK_SECONDS = 0.01  # between two looks at whether they are


class ControlGroup:
    """The groups of one job, one for each controller."""

    def __init__(self, name: str) -> None:
        """Nothing is made yet."""
        self._folders = {controller: ROOT / controller / PARENT / name for controller in CONTROLLERS}

    def make(self, limits: Limits) -> None:
        """Make the groups. Raises OSError if the machine does not let us."""
        for folder in self._folders.values():
            folder.mkdir(parents=True)
        memory, cpu = self._folders["memory"], self._folders["cpu"]
        (memory / "memory.limit_in_bytes").write_text(str(limits.memory_bytes))
        with suppress(FileNotFoundError):  # the kernel does not count what is swapped out
            (memory / "memory.memsw.limit_in_bytes").write_text(str(limits.memory_bytes))
        (self._folders["pids"] / "pids.max").write_text(str(limits.processes))
        (cpu / "cpu.cfs_period_us").write_text(str(PERIOD))
        (cpu / "cpu.cfs_quota_us").write_text(str(int(PERIOD * limits.cpus)))

    def command(self) -> list[str]:
        """What begins a command that is to run in the groups: a shell enters them and becomes it."""
        files = " ".join(str(folder / "cgroup.procs") for folder in self._folders.values())
        return ["/bin/sh", "-c", f'for file in {files}; do echo $$ >"$file" || exit 125; done; exec "$@"', "sh"]

    def memory_kills(self) -> int:
        """How many processes the kernel killed for the group's memory."""
        text = (self._folders["memory"] / "memory.oom_control").read_text()
        counters = dict(line.split() for line in text.splitlines())
        return int(counters.get("oom_kill", 0))

    def kill(self) -> None:
        """End every process in the groups at once. Raises InfrastructureError if some are still there after 30 s."""
        deadline = time.monotonic() + END_SECONDS
        with suppress(FileNotFoundError):
            while numbers := (self._folders["pids"] / "cgroup.procs").read_text().split():
                if time.monotonic() > deadline:
                    raise not_ended(numbers)
                for number in numbers:
                    with suppress(ProcessLookupError):
                        os.kill(int(number), signal.SIGKILL)
                time.sleep(LOOK_SECONDS)

    def remove(self) -> None:
        """Take the empty groups away; what still dies in them lets them stay, for the next reaping."""
        for folder in self._folders.values():
            with suppress(OSError):
                folder.rmdir()


def not_ended(ids: Iterable[object]) -> InfrastructureError:
    """The error of killed processes that do not end."""
    return InfrastructureError(
        f"processes of the job could not be ended within {END_SECONDS:.0f} s: {', '.join(map(str, ids))}"
    )


def can_make_groups() -> bool:
    """Whether this process may limit jobs by control groups of version 1."""
    return all(os.access(ROOT / controller / "cgroup.procs", os.W_OK) for controller in CONTROLLERS)


@contextmanager
def group(name: str, limits: Limits) -> Iterator[ControlGroup]:
    """A job's groups for the length of the block; nothing of it runs on afterwards. Raises OSError if none is made."""
    made = ControlGroup(name)
    try:
        made.make(limits)
        yield made
    finally:
        made.kill()
        made.remove()


def groups_of(prefix: str) -> list[ControlGroup]:
    """The groups whose names begin so: what a killed process left."""
    return [ControlGroup(path.name) for path in (ROOT / "pids" / PARENT).glob(f"{prefix}*")]
