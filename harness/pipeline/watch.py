"""`harness watch`: evaluates checkpoints as a training writes them, one after another."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.common.disk_faults import naming
from harness.common.run_folder import RunFolder
from harness.compare.ablation_data import write_ablation
from harness.compare.finished import folder_name
from harness.compare.series import series_of
from harness.compare.table_command import read_ablation
from harness.config.load import load_run_file
from harness.config.schema import RunConfig
from harness.config.watched_file import check_watched_file, named_checkpoints
from harness.errors import HarnessError, InfrastructureError, InputError
from harness.page.run_pictures import series_files
from harness.pipeline.run import run_pipeline
from harness.pipeline.watch_queue import (
    Entry,
    State,
    Whole,
    after_failure,
    begun_anew,
    next_of,
    read_queue,
    updated,
    write_queue,
)
from harness.report.summary import require_whole

log = logging.getLogger(__name__)

REFERENCES = "references"  # folder of the run of gold and empty patches, which is made once
DEFAULT = "watch.yaml"  # a folder's run file


@dataclass(frozen=True)
class Watching:
    """What is watched, and how."""

    run_file: Path
    overrides: Sequence[str]
    whole: Whole
    newest_first: bool
    poll_seconds: float
    once: bool  # whether it ends when everything that is whole has been evaluated


def run_file_of(place: Path) -> Path:
    """The run file itself, or ``watch.yaml`` in a folder. Raises InputError if there is none."""
    found = place / DEFAULT if place.is_dir() else place
    if not found.is_file():
        raise InputError(f"{found}: no such run file; a watch takes a run file whose checkpoints have a pattern")
    return found


def watch(watching: Watching, tell: Callable[[str], None]) -> list[Entry]:
    """Evaluate checkpoints as they become whole; returns the queue when it ends, which only ``once`` lets it do.

    Each has a run folder of its own in the run file's output, which holds the queue and the tables of all. ``tell``
    is told what happens. Started again after a kill, it goes on from the queue and from each run's journals, and tries
    again what failed. Raises InputError for a run file that can't be watched, and if another watch holds the output
    folder.
    """
    output, _ = named_checkpoints(watching.run_file, watching.overrides)
    check_watched_file(watching.run_file, watching.overrides)
    with RunFolder(output):
        queue = _Queue(watching, output, tell)
        while True:
            queue.look()
            entry = next_of(queue.entries.values(), watching.newest_first)
            if entry is not None:
                queue.evaluate(entry)
            elif watching.once:
                return list(queue.entries.values())
            else:
                time.sleep(watching.poll_seconds)


class _Queue:
    """The queue of an output folder, and what is done with its entries."""

    def __init__(self, watching: Watching, output: Path, tell: Callable[[str], None]) -> None:
        self._watching, self._output, self._tell = watching, output, tell
        self.entries = begun_anew(read_queue(output))

    def look(self) -> None:
        """Take in what is on the disk now."""
        _, found = named_checkpoints(self._watching.run_file, self._watching.overrides)
        places = {str(entry["name"]): str(entry.get("path") or entry.get("adapter")) for entry in found}
        before = self.entries
        self.entries = updated(before, places, self._watching.whole, time.time())
        for name, entry in self.entries.items():
            if name not in before or before[name].state is not entry.state:
                self._tell(f"{name}: {entry.state}")
        if self.entries != before:
            self._keep()

    def evaluate(self, entry: Entry) -> None:
        """Run one checkpoint, and write the tables of all."""
        self._set(replace(entry, state=State.RUNNING))
        try:
            config = self._config(entry.name)
            self._run_references(config)
            require_whole(run_pipeline(config.model_copy(update={"references": ()})))
            self._set(replace(entry, state=State.DONE, why=""))
        except InfrastructureError as error:
            self._set(after_failure(entry, str(error)))
        except InputError as error:
            self._set(replace(entry, state=State.FAILED, why=str(error)))
        self.write_tables()

    def _config(self, name: str) -> RunConfig:
        config = load_run_file(self._watching.run_file, self._watching.overrides, only=name)
        return config.model_copy(update={"output": self._output / folder_name(name)})

    def _run_references(self, config: RunConfig) -> None:
        if config.references and not (self._output / REFERENCES / "table.csv").is_file():
            place = self._output / REFERENCES
            run_pipeline(config.model_copy(update={"checkpoints": (), "prices": None, "output": place}))

    def write_tables(self) -> None:
        """Write the ablation table of everything that is done, and the picture of the rates over the training."""
        done = [self._output / folder_name(name) for name, e in self.entries.items() if e.state is State.DONE]
        folders = [folder for folder in done if (folder / "table.csv").is_file()]
        if not folders:
            return
        references = self._output / REFERENCES
        try:
            found = read_ablation([*folders, *([references] if references.is_dir() else [])])
            write_ablation(found, self._output)
            for name, content in series_files(series_of(found)).items():
                with naming(self._output / name):
                    (self._output / name).write_bytes(content)
        except HarnessError as error:
            log.warning("the tables of all checkpoints were not written: %s", error)

    def _set(self, entry: Entry) -> None:
        self.entries[entry.name] = entry
        self._keep()
        self._tell(f"{entry.name}: {entry.state}{f' ({entry.why})' if entry.why else ''}")

    def _keep(self) -> None:
        write_queue(self._output, list(self.entries.values()))
