"""The attempts of a run's folder, of a finished run and of one under way, with what a page needs of each."""

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, get_args

from pydantic import ValidationError

from harness.compare.finished import conditions_of
from harness.core.conditions import Condition
from harness.core.verdict import Verdict
from harness.errors import InputError
from harness.page.attempt_facts import AttemptFacts, Part, attempt_facts
from harness.page.line_index import LineIndex
from harness.report.attempts_file import ATTEMPTS, attempt_key, read_attempt
from harness.report.result_tables import csv as csv_table
from harness.report.summary import Attempt, summarise

FILES = ("verdicts.jsonl", "predictions.jsonl", "trail.jsonl")

Facts = dict[Part, dict[str, AttemptFacts]]


class Whole(NamedTuple):
    """One attempt with everything that its run wrote of it."""

    verdict: Verdict
    patch: str
    trail: Mapping[str, Any]
    log: Path  # which exists if tests ran


class RunAttempts(Protocol):
    """Where attempts are read from."""

    facts: Facts
    table: list[dict[str, str]]  # lines of table.csv

    def update(self) -> None:
        """Read what is new."""

    def read(self, part: Part, instance_id: str) -> Whole | None:
        """One attempt; None if it is not there."""


class FinishedAttempts:
    """What a run wrote at its end."""

    def __init__(self, folder: Path) -> None:
        self.facts: Facts = {}
        self.table: list[dict[str, str]] = []
        self._folder = folder
        self._indices: dict[Part, tuple[LineIndex, LineIndex, LineIndex]] = {}

    def update(self) -> None:
        """Read all attempts. Raises InputError if a file is damaged or missing."""
        text = _read(self._folder / "table.csv")
        self.table = list(csv.DictReader(text.splitlines()))
        for name in dict.fromkeys(row["checkpoint"] for row in self.table):
            place = self._place(name)
            for condition in conditions_of(place):
                part = Part(name, condition or "")
                if part not in self._indices:
                    first, second, third = (LineIndex(place / part.condition / file) for file in FILES)
                    self._indices[part] = (first, second, third)
                self._update(part)

    def _update(self, part: Part) -> None:
        verdicts, predictions, trails = self._indices[part]
        lines = dict(verdicts.update())
        if not lines and not len(verdicts):
            raise InputError(f"{verdicts.path}: no such file, or no line in it; let the run finish")
        patches, ways = dict(predictions.update()), dict(trails.update())
        try:
            for name, line in lines.items():
                patch = json.loads(patches[name])["model_patch"] or "" if name in patches else ""
                way = json.loads(ways[name]) if name in ways else {}
                verdict = Verdict.model_validate_json(line)
                self.facts.setdefault(part, {})[name] = attempt_facts(verdict, patch, way)
        except (ValidationError, ValueError, KeyError) as error:
            raise InputError(f"{verdicts.path.parent}: can't be read ({str(error).splitlines()[0]})") from error

    def read(self, part: Part, instance_id: str) -> Whole | None:
        """One attempt; None if it is not there."""
        if part not in self._indices:
            return None
        verdict, prediction, trail = (index.read(instance_id) for index in self._indices[part])
        if verdict is None:
            return None
        log = self._place(part.checkpoint) / part.condition / "instances" / instance_id / "test.log"
        return Whole(Verdict.model_validate(verdict), (prediction or {}).get("model_patch") or "", trail or {}, log)

    def _place(self, checkpoint: str) -> Path:
        return self._folder / "checkpoints" / checkpoint.replace("/", "__")


class LiveAttempts:
    """What a run under way has noted by now; its tables are made here."""

    def __init__(self, folder: Path) -> None:
        self.facts: Facts = {}
        self.table: list[dict[str, str]] = []
        self._folder = folder
        self._index = LineIndex(folder / ATTEMPTS)
        self._attempts: dict[str, Attempt] = {}

    def update(self) -> None:
        """Read the attempts that ended since the last update."""
        for key, line in self._index.update():
            attempt, patch, trail = read_attempt(json.loads(line))
            part = Part(attempt.checkpoint, attempt.condition or "")
            self.facts.setdefault(part, {})[attempt.instance_id] = attempt_facts(attempt.verdict, patch, trail)
            self._attempts[key] = attempt
        order = ["", *get_args(Condition)]
        self.facts = dict(sorted(self.facts.items(), key=lambda item: order.index(item[0].condition)))
        ordered = sorted(self._attempts.values(), key=lambda attempt: order.index(attempt.condition or ""))
        self.table = list(csv.DictReader(csv_table(summarise(ordered)).splitlines())) if ordered else []

    def read(self, part: Part, instance_id: str) -> Whole | None:
        """One attempt; None if it has not ended yet."""
        line = self._index.read(attempt_key(part.checkpoint, part.condition or None, instance_id))
        if line is None:
            return None
        attempt, patch, trail = read_attempt(line)
        log = self._folder / "logs" / "evaluations" / f"{attempt.verdict.key}.log"
        return Whole(attempt.verdict, patch, trail, log)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: can't be read; name the output folder of a finished run") from error
