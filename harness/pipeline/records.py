"""What a run leaves for its readers, written while it runs and at its end, each file whole."""

import asyncio
import csv
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.common.run_folder import RunFolder, freeze
from harness.compare.finished import read_frozen
from harness.compare.table_command import write_tables
from harness.config.schema import RunConfig
from harness.core.conditions import Condition
from harness.core.verdict import Verdict
from harness.errors import HarnessError
from harness.grading.exclusions import Soundness
from harness.page.write_page import write_page
from harness.pipeline.earlier import FROZEN, set_aside
from harness.report.summary import SummaryRow
from harness.report.write import Result, write_results

log = logging.getLogger(__name__)

OF_CHECKPOINTS = ("checkpoints", "weights", "routes")  # facts that a run knows of each checkpoint once it was asked

Group = tuple[str, Condition | None]  # checkpoint or reference, condition


@dataclass
class Records:
    """The files of one run."""

    folder: RunFolder
    config: RunConfig
    soundness: Soundness
    log_path: Callable[[Verdict], Path]
    html: bool = False  # whether the page is among them
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _known: Mapping[str, Any] = field(default_factory=dict)  # what the folder froze of this configuration
    _written: set[Group] = field(default_factory=set)

    def begin(self, facts: Mapping[str, Any]) -> bool:
        """Move aside what another configuration left, and freeze what is known at the start.

        Returns whether what an earlier run left is this configuration's.
        """
        moved = set_aside(self.folder.path, self.config, facts["dataset"])
        self._known = read_frozen(self.folder.path / FROZEN)
        self._freeze(facts)
        return moved is None

    async def write_so_far(self, results: Sequence[Result], facts: Mapping[str, Any]) -> None:
        """Write all that can be said of the groups of ``results``, which are whole, while others are under way."""
        async with self._turn:
            await asyncio.to_thread(self._write_so_far, results, facts)

    def _write_so_far(self, results: Sequence[Result], facts: Mapping[str, Any]) -> None:
        self._freeze(facts)
        # a run that goes on from its journals leaves what it wrote before until it has as much again
        if self._in_table() <= _groups(results):
            self._write(results)
            self.write_page()

    def write_all(self, results: Sequence[Result], facts: Mapping[str, Any]) -> list[SummaryRow]:
        """Write everything but the page; returns the rows of the table."""
        self._freeze(facts)
        return self._write(results)

    def write_page(self) -> None:
        """Write the page, if it was asked for; what is wrong with it does not end the run."""
        if not self.html:
            return
        try:
            write_page(self.folder.path, None, None, ())
        except HarnessError as error:
            log.warning("the page was not written: %s", error)

    def _write(self, results: Sequence[Result]) -> list[SummaryRow]:
        rows = write_results(self.folder, results, self.log_path, self.soundness, self._written)
        self._written |= _groups(results)
        write_tables(self.folder.path)
        return rows

    def _freeze(self, facts: Mapping[str, Any]) -> None:
        kept = {name: {**(self._known.get(name) or {}), **facts[name]} for name in OF_CHECKPOINTS}
        freeze(self.folder.path / FROZEN, self.config.model_dump(mode="json"), {**facts, **kept})

    def _in_table(self) -> set[Group]:
        path = self.folder.path / "table.csv"
        if not path.is_file():
            return set()
        known: dict[str, Condition] = {condition: condition for condition in self.config.conditions}
        with path.open(encoding="utf-8", newline="") as file:
            return {(row["checkpoint"], known.get(row["condition"])) for row in csv.DictReader(file)}


def _groups(results: Sequence[Result]) -> set[Group]:
    return {(result.attempt.checkpoint, result.attempt.condition) for result in results}
