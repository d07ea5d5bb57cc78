"""The attempts of a run under way, one line each as it ends: what a reader sees before the tables are written."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import IO, Any

from harness.common.disk_faults import naming
from harness.common.hashing import content_key
from harness.core.verdict import Verdict
from harness.report.packed_trail import trail_text
from harness.report.summary import Attempt
from harness.report.write import Result

ATTEMPTS = "attempts.jsonl"


def attempt_key(checkpoint: str, condition: str | None, instance_id: str) -> str:
    """What names an attempt in the file."""
    return content_key(checkpoint=checkpoint, condition=condition, instance=instance_id)


class AttemptsFile:
    """Attempts as they end. The file is no record: everything in it comes from the journals again. Safe for threads."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._turn = Lock()

    def add(self, result: Result) -> None:
        """Write one attempt, for readers to see at once."""
        attempt = {**asdict(result.attempt), "verdict": result.attempt.verdict.model_dump(mode="json")}
        key = attempt_key(result.attempt.checkpoint, result.attempt.condition, result.attempt.instance_id)
        begin = json.dumps({"key": key, "attempt": attempt, "patch": result.patch})
        line = f'{begin[:-1]}, "trail": {trail_text(result.trail)}}}\n'
        with self._turn, naming(Path(self._file.name)):
            self._file.write(line)
            self._file.flush()


@contextmanager
def attempts_file(folder: Path) -> Iterator[AttemptsFile]:
    """The file of a run under way: begun anew, gone when the run's results are written, left behind by an error."""
    path = folder / ATTEMPTS
    file = path.open("w", encoding="utf-8")
    try:
        yield AttemptsFile(file)
    finally:
        with naming(path):
            file.close()
    path.unlink()


def read_attempt(line: dict[str, Any]) -> tuple[Attempt, str, dict[str, Any]]:
    """The attempt, patch and trail of a line. Raises ValueError or TypeError for one that is not of this version."""
    fields = {**line["attempt"], "verdict": Verdict.model_validate(line["attempt"]["verdict"])}
    return Attempt(**fields), line["patch"], line["trail"]
