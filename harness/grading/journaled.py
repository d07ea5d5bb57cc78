"""Jobs whose result is kept: the same question is never worked on twice, in this run or in a later one.

A result is kept as a record in a journal and a log beside it. What failed because of the machine is not kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from harness.common.disk_faults import naming
from harness.common.journal import Journal, Record
from harness.common.once import Once
from harness.common.retry import retried

Value = TypeVar("Value")


@dataclass(frozen=True)
class Finished(Generic[Value]):
    """A result, and what is kept of it."""

    value: Value
    record: Record
    log: bytes


@dataclass(frozen=True)
class Question(Generic[Value]):
    """A job that is not necessarily run."""

    key: str  # hash of everything that determines the result
    work: Callable[[], Finished[Value]]


class JournaledRunner(Generic[Value]):
    """Runs each job once, tries it again while the machine fails, and keeps its result. Safe for threads."""

    def __init__(self, journal: Journal, logs: Path, read: Callable[[Record, Path], Value | None]) -> None:
        """Keep one log per job in the folder ``logs``, made if missing.

        ``read`` makes a result from its record and the path of its log, or None if it needs a log that is gone.
        """
        self._journal = journal
        self._logs = logs
        self._read = read
        self._once = Once(self._known)
        logs.mkdir(parents=True, exist_ok=True)

    def log_path(self, key: str) -> Path:
        """Return the path of the log of the job with that key."""
        return self._logs / f"{key}.log"

    def checksum(self, key: str) -> int | None:
        """Return what tells the job's record from any other of its key; None if there is none."""
        return self._journal.checksum(key)

    def run(self, name: str, ask: Callable[[], Question[Value]]) -> Value:
        """Return the result of ``ask``'s question; equal questions under way wait for the same one.

        ``name`` says in the log whose job it is. ``ask`` is called again in each try. Raises the last try's
        InfrastructureError if the machine fails again and again.
        """
        return retried(name, lambda: self._run_once(ask()))

    def _run_once(self, question: Question[Value]) -> Value:
        return self._once.get(question.key, lambda: self._keep(question.key, question.work()))

    def _known(self, key: str) -> Value | None:
        record = self._journal.get(key)
        return None if record is None else self._read(record, self.log_path(key))

    def _keep(self, key: str, finished: Finished[Value]) -> Value:
        # the log first: a record promises that its log is there
        path = self.log_path(key)
        with naming(path):
            path.write_bytes(finished.log)
        self._journal.put(key, finished.record)
        return finished.value
