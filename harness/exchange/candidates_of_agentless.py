"""What Agentless leaves of each step before the patch that it submits: located files and sampled patches."""

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.core.candidate import Candidate, Reason
from harness.core.instance import Instance
from harness.core.interfaces import with_cost_columns
from harness.errors import InputError, PatchError
from harness.exchange.foreign_files import objects_of
from harness.exchange.foreign_run import Steps
from harness.repo.diff import parse_patch
from harness.report.stage_scores import CUTOFFS, Hits, StageScores

SAMPLES = "repair_sample*"  # folders
SAMPLE = re.compile(r"output_(\d+)_processed\.jsonl")
LOCATED = ("edit_location*/*.jsonl", "location/*.jsonl", "file_level_combined/*.jsonl", "file_level/*.jsonl")
NO_PATCH = "Agentless kept no reason"
LINE, ELEMENT = re.compile(r"line:\s*(\d+)"), re.compile(r"(?:function|class|variable):\s*([\w.]+)")


def is_agentless(folder: Path) -> bool:
    """Whether a folder holds sampled patches of Agentless."""
    return next(folder.glob(f"{SAMPLES}/output_*_processed.jsonl"), None) is not None


def steps_of(folder: Path, instances: Mapping[str, Instance], selected: Mapping[str, str]) -> dict[str, Steps]:
    """By instance what was located and sampled; ``selected`` are the patches that were submitted.

    Raises InputError for files that are damaged.
    """
    samples: dict[str, list[str]] = {}
    for instance_id, patch in _samples(folder):
        if instance_id in instances:
            samples.setdefault(instance_id, []).append(patch)
    located = _located(folder, instances)
    return {
        instance_id: _steps(instances[instance_id], patches, located.get(instance_id, {}), selected.get(instance_id))
        for instance_id, patches in samples.items()
    }


def _samples(folder: Path) -> Iterator[tuple[str, str]]:
    """Instance and patch of every sample, folder by folder in the order in which they were drawn."""
    for place in sorted(path for path in folder.glob(SAMPLES) if path.is_dir()):
        numbered = {int(found[1]): path for path in place.iterdir() if (found := SAMPLE.fullmatch(path.name))}
        for number in sorted(numbered):
            for where, line in objects_of(numbered[number]):
                instance_id, patch = line.get("instance_id"), line.get("model_patch")
                if not isinstance(instance_id, str) or not isinstance(patch, str | None):
                    raise InputError(f"{where}: has no instance_id, or a model_patch that is no text")
                yield instance_id, patch or ""


def _located(folder: Path, known: Collection[str]) -> dict[str, dict[str, Any]]:
    """By instance the line of the last stage of localization that is there."""
    found: dict[str, dict[str, Any]] = {}
    for pattern in reversed(LOCATED):
        for path in sorted(folder.glob(pattern)):
            for _, line in objects_of(path):
                instance_id, files = line.get("instance_id"), line.get("found_files")
                if instance_id in known and isinstance(files, list):
                    found[str(instance_id)] = line
    return found


def _steps(instance: Instance, patches: list[str], located: Mapping[str, Any], selected: str | None) -> Steps:
    reasons = {Reason.NO_EDITS.value: empty} if (empty := sum(not patch.strip() for patch in patches)) else {}
    same = [n for n, patch in enumerate(patches) if selected and patch.strip() == selected.strip()]
    files = [str(name) for name in located.get("found_files", ())]
    trail = {
        "locations": [_place(name, _places(located, number)) for number, name in enumerate(files)],
        "candidates": [
            with_cost_columns(_candidate(number, patch).model_dump(mode="json", exclude={"vote"}))
            for number, patch in enumerate(patches)
        ],
        "selected": same[0] if same else None,
    }
    return Steps(trail, StageScores(_hits(instance, files), {}, len(patches), reasons))


def _candidate(number: int, patch: str) -> Candidate:
    if patch.strip():
        return Candidate(index=number, patch=patch)
    return Candidate(index=number, reason=Reason.NO_EDITS, detail=NO_PATCH)


def _places(located: Mapping[str, Any], number: int) -> str:
    """What was located in the file of that number, as one text; sampled lists of places are joined."""
    places = located.get("found_edit_locs")
    if isinstance(places, dict):  # by path
        places = list(places.values())
    if not isinstance(places, list) or len(places) <= number:
        return ""
    found = places[number]
    return "\n".join(map(str, found)) if isinstance(found, list) else str(found)


def _place(path: str, places: str) -> dict[str, Any]:
    lines = sorted({int(line) for line in LINE.findall(places)})
    elements = list(dict.fromkeys(ELEMENT.findall(places)))
    return {"path": path, "elements": elements, "intervals": [[line, line] for line in lines]}


def _hits(instance: Instance, files: list[str]) -> dict[tuple[str, int], Hits]:
    """How many of the gold patch's files are among the first located ones."""
    try:
        meant = {file.old_path for file in parse_patch(instance.patch) if file.old_path}
    except PatchError:
        meant = set()
    if not meant or not files:
        return {}
    return {("file", k): Hits(len(meant & set(files[:k])), len(meant), len(files[:k])) for k in CUTOFFS}
