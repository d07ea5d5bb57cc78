"""What a session's workers are at, for whoever watches."""

import threading
from collections.abc import Callable
from typing import TypeVar

from harness.common.run_state import Part
from harness.common.under_way import UnderWay, shortened
from harness.core.instance import Instance
from harness.grading.executor import JobSandbox

Value = TypeVar("Value")


class Jobs:
    """Evaluations and scripts that wait for a worker or are under way. Safe for threads."""

    def __init__(self) -> None:
        self.running = UnderWay()  # by instance id
        self.waiting = 0
        self._done = 0
        self._lock = threading.Lock()

    def submitted(self) -> None:
        """Count one more job as waiting."""
        with self._lock:
            self.waiting += 1

    def run(self, instance: Instance, work: Callable[[], Value]) -> Value:
        """What a job's ``work`` returns, which is under way meanwhile."""
        with self._lock:
            self.waiting -= 1
        with self.running.during(instance.instance_id):
            value = work()
        with self._lock:
            self._done += 1
        return value

    def part(self, sandbox: JobSandbox | None) -> Part:
        """All of it as a part of a run; without a ``sandbox`` no containers are counted."""
        levels = {"jobs_running": len(self.running), "jobs_waiting": self.waiting}
        counts = []
        if sandbox is not None:
            levels |= {"containers": len(sandbox.containers), "tests_running": len(sandbox.turns)}
            counts += [f"{levels['containers']} running", f"{levels['tests_running']} of them tests"]
        counts += [f"{self.waiting} jobs waiting"] if self.waiting else []
        idle = not (levels["jobs_running"] or self.waiting)
        names = shortened(self.running.names())
        return Part("containers", "" if idle else ", ".join(counts), "", 0, names, {"jobs": self._done}, levels)
