"""Reading test logs in processes that can be killed: no log can hold up a run, whatever its tests printed."""

import signal
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from harness.common.worker_processes import WorkerEnded, WorkerProcesses
from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.errors import InfrastructureError
from harness.grading import log_worker
from harness.grading.judge import Weighed
from harness.grading.log_grading import LogGrade
from harness.grading.log_worker import CPU_SECONDS
from harness.grading.specification import Specification


class LogWorkers:
    """Does what `harness.grading.judge.weigh` does, in processes of their own. Safe for threads; close it when done."""

    def __init__(self, processes: int | None = None, cpu_seconds: float = CPU_SECONDS) -> None:
        """At most ``processes`` at a time, one for each CPU if not given; each log has ``cpu_seconds``."""
        self._cpu_seconds = cpu_seconds
        self._processes = WorkerProcesses(log_worker.__name__, processes)
        self._processes.start()  # it loads while the first tests run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill every process, those that read a log included: their questions end in InfrastructureError."""
        self._processes.close()

    def __call__(
        self,
        instance: Instance,
        specification: Specification,
        log: str,
        exit_status: int | None,
        changed: Sequence[str],
    ) -> Weighed:
        """What a marked log says, and its flags; outcome UNREADABLE_LOG if reading it fails or takes too long.

        Raises InfrastructureError if the process was ended by somebody else.
        """
        kind, answer = self._ask("weigh", instance, specification, log, exit_status, tuple(changed))
        if kind == "failed":
            return LogGrade(Outcome.UNREADABLE_LOG, str(answer)), []
        weighed: Weighed = answer
        return weighed

    def statuses(
        self, instance: Instance, specification: Specification, log: str, exit_status: int | None
    ) -> Mapping[str, str]:
        """Status by test id, as `harness.grading.log_grading.read_statuses` reads them; none if the log can't be read.

        Raises InfrastructureError if the process was ended by somebody else.
        """
        kind, answer = self._ask("statuses", instance, specification, log, exit_status)
        return {} if kind == "failed" else dict(answer[0])

    def _ask(self, task: str, *question: object) -> tuple[str, Any]:
        """What a process answers; ``("failed", why)`` also if its time was over."""
        try:
            kind, answer = self._processes.ask((self._cpu_seconds, task, question))
        except WorkerEnded as ended:
            if ended.status is None:
                raise InfrastructureError("reading test logs has ended") from ended
            if ended.status != -signal.SIGPROF:
                raise InfrastructureError(f"the process that reads test logs ended ({ended})") from ended
            return "failed", f"reading its log took more than {self._cpu_seconds:g} s of CPU time"
        return kind, answer
