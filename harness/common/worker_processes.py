"""Processes of one module that answer questions: what holds up a thread, or all of them, is done beside this one.

Such a module reads pickled questions from its standard input and writes one pickled answer to each to its output.
"""

import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from queue import Empty, LifoQueue
from typing import Any

BEHIND = 5  # steps of priority behind this process, whose questions to models must not wait


class WorkerEnded(Exception):
    """A process ended before it answered, or all are closed."""

    def __init__(self, status: int | None) -> None:
        """``status``: its exit status, or minus the signal that ended it; None if none was started any more."""
        super().__init__(f"status {status}")
        self.status = status


class WorkerProcesses:
    """Processes that are started when they are needed and kept for the next question. Safe for threads."""

    def __init__(self, module: str, processes: int | None = None) -> None:
        """At most ``processes`` of ``module`` at a time, one for each CPU if not given."""
        self._module = module
        self._turns = threading.BoundedSemaphore(processes or os.cpu_count() or 1)
        self._idle: LifoQueue[subprocess.Popen[bytes]] = LifoQueue()
        self._all: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def close(self) -> None:
        """Kill every process, those that are at work included: their questions end in WorkerEnded."""
        self._closed = True
        for worker in list(self._all):
            worker.kill()  # whoever waits for it hears of its end, and puts it away
        self._end_idle()

    def start(self) -> None:
        """Start a process now, so that it loads before the first question."""
        self._idle.put(self._start())

    def ask(self, question: Any) -> Any:
        """What a process answers. Raises WorkerEnded."""
        with self._turns:
            worker = self._take()
            try:
                pickle.dump(question, worker.stdin)  # type: ignore[arg-type]
                worker.stdin.flush()  # type: ignore[union-attr]
                answer = pickle.load(worker.stdout)  # type: ignore[arg-type]
            except (EOFError, OSError, pickle.UnpicklingError) as error:
                status = worker.wait()
                self._end(worker)
                raise WorkerEnded(status) from error
            self._idle.put(worker)
        if self._closed:
            self._end_idle()  # closed meanwhile, it may have come back too late for that
        return answer

    def _take(self) -> "subprocess.Popen[bytes]":
        try:
            return self._idle.get_nowait()  # never waited for: the one that another thread takes may not come back
        except Empty:
            return self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        if self._closed:
            raise WorkerEnded(None)
        worker = subprocess.Popen(
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        with suppress(ProcessLookupError):  # who hears of its end asks for its answer
            os.setpriority(os.PRIO_PROCESS, worker.pid, BEHIND + os.getpriority(os.PRIO_PROCESS, 0))
        self._all.add(worker)
        return worker

    def _end_idle(self) -> None:
        with suppress(Empty):
            while True:
                self._end(self._idle.get_nowait())

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
