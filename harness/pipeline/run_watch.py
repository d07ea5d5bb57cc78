"""What a run's checkpoints are at, for whoever watches, and what their servers' starts mean for the time left."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from harness.common.progress import Progress
from harness.common.run_state import Part
from harness.common.stage import Waits
from harness.compare.finished import folder_name
from harness.compare.frames import json_lines
from harness.config.schema import RunConfig
from harness.core.conditions import Condition
from harness.core.instance import Instance
from harness.model.activity import Activity
from harness.model.client import JournaledModel
from harness.model.devices import served_here
from harness.model.recorded import RecordedModel
from harness.report.attempts_file import ATTEMPTS, attempt_key

KEY = slice(len('{"key": "'), len('{"key": "') + len(attempt_key("", None, "")))  # of a line of the attempts' file


@dataclass
class WatchedCheckpoint:
    """One checkpoint, whose files are read or whose endpoint is reached first, and then its model."""

    name: str
    began: float = field(default_factory=time.monotonic)
    model: JournaledModel | RecordedModel | None = None

    def activity(self) -> Activity:
        """What its servers are at."""
        return self.model.activity() if self.model else Activity()

    def part(self) -> Part:
        """All of it as a part of the run."""
        if self.model is not None:
            return self.model.part(self.name)
        return Part(self.name, doing="being opened", seconds=time.monotonic() - self.began)


@dataclass
class RunWatch:
    """The checkpoints of a run, for its display."""

    progress: Progress
    config: RunConfig
    places: int = 1  # servers that load or answer at a time
    finished: frozenset[str] = frozenset()  # checkpoints of which an earlier run finished every attempt
    _open: dict[str, WatchedCheckpoint] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)
    _starts: list[float] = field(default_factory=list)  # seconds of each start, of checkpoints that are done

    @contextmanager
    def checkpoint(self, name: str) -> Iterator[WatchedCheckpoint]:
        """A checkpoint that has its place, for the length of the block."""
        watched = WatchedCheckpoint(name)
        self._begun.add(name)
        self._open[name] = watched
        try:
            with self.progress.watching(name, watched.part):
                yield watched
        finally:
            self._starts += watched.activity().starts
            del self._open[name]

    def waits(self) -> Waits:
        """What the asking waits for."""
        return Waits(self._all_start, self._starts_to_come)

    def _all_start(self) -> bool:
        activities = [watched.activity() for watched in list(self._open.values())]
        return any(one.doing for one in activities) and not any(one.in_flight for one in activities)

    def _starts_to_come(self) -> float | None:
        """Seconds of servers' starts that are still to come, by those that were; None if there was none."""
        here = [c.name for c in self.config.checkpoints if served_here(c) and c.name not in self.finished]
        activities = [watched.activity() for watched in list(self._open.values())]
        begun = [one.seconds for one in activities if one.doing]
        unbegun = sum(name not in self._begun for name in here)
        if not unbegun and not begun:
            return 0.0
        starts = [*self._starts, *(seconds for one in activities for seconds in one.starts)]
        if not starts:
            return None
        each = fmean(starts)
        rest = max((max(0.0, each - seconds) for seconds in begun), default=0.0)
        return rest + each * math.ceil(unbegun / self.places)


def finished_before(folder: Path, config: RunConfig, instances: Sequence[Instance]) -> dict[str, int]:
    """How many attempts of each checkpoint an earlier run into the folder answered, as far as its files say it."""
    under_way = set()
    with suppress(FileNotFoundError), (folder / ATTEMPTS).open("rb") as lines:
        under_way = {line[KEY].decode("ascii", "replace") for line in lines}  # the rest of a line is long

    def answered(checkpoint: str, condition: Condition) -> int:
        part = folder / "checkpoints" / folder_name(checkpoint) / condition
        scores = json_lines(part / "scores.jsonl", torn=True)
        written = {line.get("instance_id") for line in scores if line.get("candidates") is not None}
        ids = [instance.instance_id for instance in instances]
        return sum(i in written or attempt_key(checkpoint, condition, i) in under_way for i in ids)

    return {c.name: sum(answered(c.name, condition) for condition in config.conditions) for c in config.checkpoints}
