"""The record of where jobs ran: one line for each, with every try that it took."""

import json
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

EXECUTIONS = "executions.jsonl"  # in a run's folder


@dataclass
class Try:
    """One task; ``nodes`` are those that began it, in their order: all but the last were lost under it."""

    seconds: float = 0.0  # from sending it out to its end
    end: Literal["stopped", "first", "failed"] = "stopped"  # stopped: another try of the same job came back first
    nodes: list[str] = field(default_factory=list)
    detail: str = ""  # why it failed


class Executions:
    """Appends to the file of one folder. Safe for threads."""

    def __init__(self, folder: Path) -> None:
        """The folder need not be there yet."""
        self._path = folder / EXECUTIONS
        self._lock = threading.Lock()

    def put(self, instance_id: str, tries: list[Try]) -> None:
        """Add a job's line."""
        line = {"time": round(time.time(), 3), "instance_id": instance_id, "tries": [asdict(one) for one in tries]}
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
