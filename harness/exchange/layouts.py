"""Which harness left a file or folder, and what it holds: from a path to runs."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.core.instance import Instance
from harness.errors import InputError
from harness.exchange.candidates_of_agentless import is_agentless, steps_of
from harness.exchange.foreign_files import json_of, names_in, yaml_of
from harness.exchange.foreign_predictions import (
    OPENHANDS,
    is_openhands,
    openhands_output,
    patches_of_file,
    require_patches,
)
from harness.exchange.foreign_run import Evidence, ForeignRun
from harness.exchange.official_logs import LogFolder, log_folders

AGENTLESS, OFFICIAL, SUBMISSION, PREDICTIONS = "Agentless", "official harness", "leaderboard submission", "predictions"
METADATA = ("metadata.yaml", "metadata.yml")
PATCH_FILES = ("all_preds.jsonl", "preds.json", "preds.jsonl", "predictions.jsonl", "predictions.json")
OPENHANDS_FILES = ("output.swebench_eval.jsonl", "output.jsonl")  # the first with verdicts, if it is there
KNOWN = (
    "all_preds.jsonl, preds.json, predictions.jsonl, an OpenHands output.jsonl, or logs/run_evaluation of the "
    "official harness"
)


@dataclass(frozen=True)
class Reading:
    """How a source is read."""

    instances: Sequence[Instance]
    others: Collection[str] = ()  # ids that the data set holds beside these
    run_id: str | None = None  # of the official harness, if a folder holds several

    @property
    def known(self) -> dict[str, Instance]:
        """The instances by their ids."""
        return {instance.instance_id: instance for instance in self.instances}


def foreign_runs(source: Path, reading: Reading) -> list[ForeignRun]:
    """The results that a file or folder of another harness holds, one for each model and run.

    Raises InputError if there is nothing that is known here, and for files that are damaged.
    """
    if source.is_file():
        require_patches(source)
        return _of_file(source, source, reading)
    if not source.is_dir():
        raise InputError(f"{source}: no such file or folder")
    files = [source / name for name in (*OPENHANDS_FILES, *PATCH_FILES) if (source / name).is_file()]
    if files:
        return _of_file(files[0], source, reading)
    if is_agentless(source):
        raise InputError(f"{source}: holds samples of Agentless and no all_preds.jsonl; let its rerank step write that")
    if folders := _of_one_run(source, log_folders(source, reading.known), reading.run_id):
        return [_of_logs(folder, source, reading, len(folders) > 1) for folder in folders]
    raise InputError(f"{source}: holds no results that are known here ({KNOWN}), or of no instance of the data set")


def _of_one_run(source: Path, folders: list[LogFolder], run_id: str | None) -> list[LogFolder]:
    if run_id is None:
        return folders
    chosen = [folder for folder in folders if folder.run_id == run_id]
    if not chosen:
        known = ", ".join(sorted({folder.run_id for folder in folders if folder.run_id})) or "none"
        raise InputError(f"{source}: no logs of a run {run_id!r}; there are {known}")
    return chosen


def _of_file(path: Path, source: Path, reading: Reading) -> list[ForeignRun]:
    place, title = path.parent, _title(path.parent)
    inside: Mapping[str, Evidence] = {}
    if is_openhands(path):
        model, patches, inside = openhands_output(path, reading.known)
        _require_some(path, patches)
        found, layout = {model or f"{OPENHANDS}/{place.resolve().name}": patches}, OPENHANDS
    else:
        found = patches_of_file(path, reading.instances, reading.others, title or path.stem)
        layout = AGENTLESS if is_agentless(place) else SUBMISSION if title else PREDICTIONS
    folders = log_folders(place, reading.known)
    runs = []
    for model, patches in found.items():
        logs = _logs_of(model, folders, source, reading.run_id, len(found) == 1)
        evidence = {**inside, **(logs.evidence(reading.known) if logs else {})}
        if layout == OPENHANDS:  # which takes files out of a patch before it is tested
            patches = patches | {i: one.patch for i, one in evidence.items() if one.patch is not None}
        name = title if title and len(found) == 1 else model
        said = _said_by_reports(place, f"{model.replace('/', '__')}.*.json", patches)
        steps = steps_of(place, reading.known, patches) if layout == AGENTLESS else {}
        runs.append(ForeignRun(name, str(source), layout, patches, _with_reports(evidence, said), steps=steps))
    return runs


def _require_some(path: Path, patches: Collection[str]) -> None:
    if not patches:
        raise InputError(f"{path}: holds nothing of the chosen instances")


def _title(place: Path) -> str | None:
    """What the metadata of a submission to the leaderboard calls it."""
    path = next((place / name for name in METADATA if (place / name).is_file()), None)
    if path is None:
        return None
    said = yaml_of(path)
    info = said.get("info")
    name = info.get("name") if isinstance(info, dict) else said.get("name")
    return " ".join(str(name).split()).replace("/", "-") if name else place.resolve().name


def _logs_of(
    model: str, folders: Sequence[LogFolder], source: Path, run_id: str | None, alone: bool
) -> LogFolder | None:
    """The logs under the model's name; those of the only model may have another name, or none."""
    named = [folder for folder in folders if folder.model == model.replace("/", "__")]
    chosen = named or (list(folders) if alone else [])
    chosen = _of_one_run(source, chosen, run_id) if chosen else []
    if len(chosen) > 1:
        listed = ", ".join(folder.run_id or str(folder.path) for folder in chosen)
        raise InputError(f"{source}: logs of several runs of {model} ({listed}); name one with --run-id")
    return chosen[0] if chosen else None


def _with_reports(evidence: Mapping[str, Evidence], said: Mapping[str, bool]) -> dict[str, Evidence]:
    """The evidence, with what a report of the whole run says of instances that have none of their own."""
    found = {name: evidence.get(name, Evidence()) for name in (*evidence, *said)}
    return {name: replace(one, resolved=said.get(name)) if one.resolved is None else one for name, one in found.items()}


def _said_by_reports(place: Path, pattern: str, submitted: Collection[str]) -> dict[str, bool]:
    """Instance id -> resolved, by the only report of this name, or else by a submission's ``results/results.json``."""
    reports = [path for path in place.glob(pattern) if path.is_file()]
    results = place / "results" / "results.json"
    path = reports[0] if len(reports) == 1 else results if results.is_file() else None
    document = json_of(path) if path else None
    if not isinstance(document, dict):
        return {}
    if path == results:
        solved = set(names_in(document, "resolved", results))
        return {name: name in solved for name in submitted}
    listed = {"unresolved_ids": False, "resolved_ids": True}
    return {name: resolved for key, resolved in listed.items() for name in names_in(document, key, reports[0])}


def _of_logs(folder: LogFolder, source: Path, reading: Reading, several: bool) -> ForeignRun:
    """A run of which the logs alone are there: each of its folders holds the patch that was tested."""
    evidence = folder.evidence(reading.known)
    patches = {name: found.patch for name, found in evidence.items() if found.patch is not None}
    place = _working_folder(folder)
    name = folder.model or source.resolve().name
    report = place / f"{name}.{folder.run_id}.json"
    document = json_of(report) if report.is_file() else {}
    if not isinstance(document, dict):
        raise InputError(f"{report}: is no report of a run")
    patches |= {name: "" for name in names_in(document, "empty_patch_ids", report) if name in reading.known}
    submitted = (*names_in(document, "submitted_ids", report), *evidence)
    lost = {name for name in submitted if name in reading.known and name not in patches}
    full = f"{name}.{folder.run_id}" if several and folder.run_id else name
    return ForeignRun(full, str(source), OFFICIAL, patches, evidence, frozenset(lost))


def _working_folder(folder: LogFolder) -> Path:
    """Where the official harness ran: above ``logs/run_evaluation/<run>/<model>``."""
    return folder.path.parents[3] if folder.run_id is not None and len(folder.path.parents) > 3 else folder.path.parent
