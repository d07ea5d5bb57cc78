"""The folders of logs that the official harness writes: one for each run, model and instance."""

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InputError
from harness.exchange.foreign_files import json_of, text_of
from harness.exchange.foreign_run import LISTS, Evidence

LOG, RUNNER_LOG, PATCH, REPORT = "test_output.txt", "run_instance.log", "patch.diff", "report.json"
KEPT = (LOG, RUNNER_LOG, PATCH, REPORT)
RUNS = "run_evaluation"  # above the folder of a run
DEPTH = 5  # of a working folder: logs/run_evaluation/<run>/<model>/<instance>


@dataclass(frozen=True)
class LogFolder:
    """The folder that holds a folder for each instance."""

    path: Path

    @property
    def model(self) -> str | None:
        """The model's name with ``__`` for a slash; None if the folder's name says none."""
        return self.path.name if self.run_id is not None else None

    @property
    def run_id(self) -> str | None:
        """The name of the run; None for logs that were put elsewhere."""
        return self.path.parent.name if self.path.parent.parent.name == RUNS else None

    def evidence(self, known: Collection[str]) -> dict[str, Evidence]:
        """What there is of each instance. Raises InputError for a report that is torn."""
        places = [entry for entry in sorted(self.path.iterdir()) if entry.is_dir() and entry.name in known]
        return {place.name: evidence_of(place) for place in places if any((place / name).is_file() for name in KEPT)}


def log_folders(root: Path, known: Collection[str]) -> list[LogFolder]:
    """All folders below ``root`` that hold logs of instances, in the order of their paths."""
    return [LogFolder(path) for path in sorted(_searched(root.resolve(), known, DEPTH))]


def _searched(root: Path, known: Collection[str], depth: int) -> Iterator[Path]:
    with os.scandir(root) as entries:
        below = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
    if any(name in known and any((root / name / kept).is_file() for kept in KEPT) for name in below):
        yield root
        return
    for name in below if depth > 1 else ():
        if name not in known:
            yield from _searched(root / name, known, depth - 1)


def evidence_of(place: Path) -> Evidence:
    """What one instance's folder holds. Raises InputError for a report that is torn or says nothing of it."""
    said: Mapping[str, object] = {}
    if (report := place / REPORT).is_file() and text_of(report).strip():
        document = json_of(report)
        found = document.get(place.name, document) if isinstance(document, dict) else None
        if not isinstance(found, dict) or not isinstance(found.get("resolved"), bool):
            raise InputError(f"{report}: does not say whether {place.name} is resolved; remove it, or the folder")
        said = found
    resolved = said.get("resolved")
    return Evidence(
        log=place / LOG if (place / LOG).is_file() else None,
        runner_log=place / RUNNER_LOG if (place / RUNNER_LOG).is_file() else None,
        patch=_patch_of(place / PATCH),
        resolved=resolved if isinstance(resolved, bool) else None,
        tests=_lists(said.get("tests_status"), report),
    )


def _lists(said: object, report: Path) -> dict[tuple[str, str], frozenset[str]]:
    """The report's test ids by their lists; none if it was written without them."""
    try:
        found = said if isinstance(said, dict) else {}
        return {(kind, end): frozenset(found[kind][end]) for kind, end in LISTS if kind in found}
    except (KeyError, TypeError) as error:
        raise InputError(f"{report}: its tests_status does not list test ids ({error}); remove the file") from error


def _patch_of(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", "surrogateescape") if path.is_file() else None
