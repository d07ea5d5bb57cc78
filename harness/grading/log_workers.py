"""Reading test logs in processes that can be killed: no log can hold up a run, whatever its tests printed."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from queue import Empty, LifoQueue
from types import TracebackType
from typing import Any, Self

from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.errors import InfrastructureError
from harness.grading.judge import Weighed
from harness.grading.log_grading import LogGrade
from harness.grading.log_worker import CPU_SECONDS
from harness.grading.specification import Specification


class LogWorkers:
    """Does what `harness.grading.judge.weigh` does, in processes of their own. Safe for threads; close it when done."""

    def __init__(self, processes: int | None = None, cpu_seconds: float = CPU_SECONDS) -> None:
        """At most ``processes`` at a time, one for each CPU if not given; each log has ``cpu_seconds``."""
        self._cpu_seconds = cpu_seconds
        self._turns = threading.BoundedSemaphore(processes or os.cpu_count() or 1)
        self._idle: LifoQueue[subprocess.Popen[bytes]] = LifoQueue()
        self._all: set[subprocess.Popen[bytes]] = set()
        self._closed = False
        self._idle.put(self._start())  # it loads while the first tests run

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill every process, those that read a log included: their questions end in InfrastructureError."""
        self._closed = True
        for worker in list(self._all):
            worker.kill()  # whoever waits for it hears of its end, and puts it away
        self._end_idle()

    def _end_idle(self) -> None:
        with suppress(Empty):
            while True:
                self._end(self._idle.get_nowait())

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
        with self._turns:
            worker = self._take()
            try:
                pickle.dump((self._cpu_seconds, task, question), worker.stdin)  # type: ignore[arg-type]
                worker.stdin.flush()  # type: ignore[union-attr]
                kind, answer = pickle.load(worker.stdout)  # type: ignore[arg-type]
            except (EOFError, OSError, pickle.UnpicklingError):
                return "failed", self._died(worker)
            self._idle.put(worker)
        if self._closed:
            self._end_idle()  # closed meanwhile, it may have come back too late for that
        return kind, answer

    def _take(self) -> "subprocess.Popen[bytes]":
        try:
            return self._idle.get_nowait()  # never waited for: the one that another thread takes may not come back
        except Empty:
            return self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        if self._closed:
            raise InfrastructureError("reading test logs has ended")
        worker = subprocess.Popen(
            [sys.executable, "-m", "harness.grading.log_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._all.add(worker)
        return worker

    def _end(self, worker: "subprocess.Popen[bytes]") -> None:
        worker.kill()
        for pipe in (worker.stdin, worker.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:
                    continue  # what was still to be written goes nowhere
        worker.wait()
        self._all.discard(worker)

    def _died(self, worker: "subprocess.Popen[bytes]") -> str:
        status = worker.wait()
        self._end(worker)
        if status == -signal.SIGPROF:
            return f"reading its log took more than {self._cpu_seconds:g} s of CPU time"
        raise InfrastructureError(f"the process that reads test logs ended (status {status})")
