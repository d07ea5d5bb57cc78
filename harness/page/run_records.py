"""A run's folder as a page reads it; nothing in it is changed."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from harness.common.run_folder import journal_path
from harness.compare.finished import Arm, Attempted, bare_scores, read_frozen
from harness.compare.show_attempt import Records, recordings
from harness.core.conditions import GOLD, Condition
from harness.errors import InputError
from harness.page.attempt_facts import AttemptFacts, Part
from harness.page.line_index import LineIndex
from harness.page.run_attempts import FinishedAttempts, LiveAttempts, RunAttempts, Whole
from harness.report.attempts_file import ATTEMPTS
from harness.report.write import INSTANCES


class RunRecords:
    """Everything that a run's folder holds, read as far as it is asked for."""

    def __init__(self, folder: Path) -> None:
        """Open a run's folder. Raises InputError if there is none."""
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; name the output folder of a run")
        self.folder = folder
        self.frozen: Mapping[str, Any] = {}
        self.instances: dict[str, dict[str, Any]] = {}
        self._attempts: RunAttempts = FinishedAttempts(folder)
        self._journals: dict[Path, LineIndex] = {}
        self._rows = LineIndex(folder / INSTANCES)

    @property
    def live(self) -> bool:
        """Whether the run is under way, or was stopped."""
        return isinstance(self._attempts, LiveAttempts)

    @property
    def parts(self) -> Mapping[Part, Mapping[str, AttemptFacts]]:
        """The facts of every attempt by part, then by instance id."""
        return self._attempts.facts

    @property
    def table(self) -> list[dict[str, str]]:
        """The lines of ``table.csv``."""
        return self._attempts.table

    def update(self) -> None:
        """Read what is new in the folder. Raises InputError if files of a finished run are missing or damaged."""
        if (self.folder / ATTEMPTS).is_file() != self.live:
            self._attempts = FinishedAttempts(self.folder) if self.live else LiveAttempts(self.folder)
        self.frozen = read_frozen(self.folder / "frozen.yaml")
        self.instances.update({name: json.loads(line) for name, line in self._rows.update()})
        self._attempts.update()

    def read(self, part: Part, instance_id: str) -> Whole | None:
        """One attempt with all that its run wrote of it; None if it is not there."""
        return self._attempts.read(part, instance_id)

    def ids(self) -> list[str]:
        """Instance ids, in the data set's order as far as it is known."""
        seen = dict.fromkeys(name for facts in self.parts.values() for name in facts)
        known = [name for name in self.instances if name in seen or self.live]
        return known + [name for name in seen if name not in self.instances]

    def gold(self, instance_id: str) -> str:
        """The gold patch; empty if the folder does not hold it."""
        row = self.instances.get(instance_id)
        facts = self.parts.get(Part(GOLD, ""), {}).get(instance_id)
        return str(row["patch"]) if row else facts.patch if facts else ""

    def answers(self, checkpoint: str, keys: Iterable[str]) -> Records:
        """The answers of these keys and their prompts, as the journal or the checkpoint's recording holds them."""
        name = checkpoint.replace("/", "__")
        found: Records = {}
        for path in (journal_path(self.folder, "answers"), *recordings(self.frozen, name)):
            journal = self._journal(path)
            answers = {key: record for key in keys if key and (record := journal.read(key))}
            prompts = {str(record.get("prompt")) for record in answers.values()}
            found |= answers | {key: record for key in prompts if (record := journal.read(key))}
        return found

    def _journal(self, path: Path) -> LineIndex:
        journal = self._journals.setdefault(path, LineIndex(path))
        for _ in journal.update():
            pass
        return journal

    def arm(self, checkpoint: str) -> Arm:
        """A checkpoint as one side of a comparison; see `harness.compare.finished.read_arm`."""
        parts = {
            _condition(part): (
                {
                    name: Attempted(one.verdict, one.patch, bare_scores(name, one.patch, None))
                    for name, one in facts.items()
                },
            )
            for part, facts in self.parts.items()
            if part.checkpoint == checkpoint
        }
        gold = self.parts.get(Part(GOLD, ""))
        patches = {name: facts.patch for name, facts in gold.items()} if gold else None
        return Arm(checkpoint, (checkpoint.replace("/", "__"),), parts, patches, self.frozen)


def _condition(part: Part) -> Condition | None:
    return next((condition for condition in get_args(Condition) if condition == part.condition), None)
