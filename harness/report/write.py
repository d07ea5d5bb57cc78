"""What a run leaves for its readers: predictions, reports, patches, logs and tables, each file whole."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.common.files import finished_file, write_json, write_jsonl, write_whole
from harness.common.run_folder import RunFolder
from harness.core.instance import Instance
from harness.core.verdict import Outcome, Verdict
from harness.grading.exclusions import Soundness
from harness.report.attempt_scores import attempt_scores
from harness.report.official import official_report
from harness.report.packed_trail import trail_line
from harness.report.result_tables import csv, markdown
from harness.report.stage_scores import StageScores, summarise_stages
from harness.report.stage_tables import stages_csv, stages_markdown
from harness.report.summary import Attempt, SummaryRow, summarise

INSTANCES = "instances.jsonl"
TABLES = ("table.md", "table.csv", "stages.csv")


@dataclass(frozen=True)
class Result:
    """An attempt with the patch that was tested and how it came about."""

    attempt: Attempt
    patch: str
    trail: Mapping[str, Any]  # locations, candidates and votes, as JSON for a reader
    stages: StageScores | None = None  # of what our own stages made


def write_instances(folder: RunFolder, instances: Iterable[Instance]) -> None:
    """Write the rows of a run's instances into its folder: a data set by itself, for readers of the results."""
    rows = (instance.model_dump(mode="json", by_alias=True, exclude_none=True) for instance in instances)
    write_jsonl(folder.path / INSTANCES, rows)


def write_results(
    folder: RunFolder,
    results: Sequence[Result],
    log_path: Callable[[Verdict], Path],
    soundness: Soundness,
    written: Collection[tuple[str, str | None]] = (),
    apart: bool = True,
) -> list[SummaryRow]:
    """Write everything derived from ``results`` into the run's folder; returns the rows of its tables.

    Each report says which instances ``soundness`` excludes, with the rates over all and over the rest. Of the
    checkpoints and conditions in ``written`` the folder has the same files already. ``apart``: whether each attempt's
    patch and log also lie in a folder of their own.
    """
    groups: dict[tuple[str, str | None], list[Result]] = {}
    for result in results:
        groups.setdefault((result.attempt.checkpoint, result.attempt.condition), []).append(result)
    for (checkpoint, condition), group in groups.items():
        if (checkpoint, condition) in written:
            continue
        part = folder.part(checkpoint, condition)
        _write_group(part, group, soundness)
        for result in group if apart else ():
            _write_attempt(folder, part, result, log_path)
    rows = summarise(result.attempt for result in results)
    stages = summarise_stages(
        (r.attempt.checkpoint, r.attempt.condition or "", r.stages) for r in results if r.stages is not None
    )
    write_whole(folder.path / "table.md", "\n".join(filter(None, (markdown(rows), stages_markdown(stages)))))
    write_whole(folder.path / "table.csv", csv(rows))
    write_whole(folder.path / "stages.csv", stages_csv(stages))
    return rows


def _write_group(part: Path, group: Sequence[Result], soundness: Soundness) -> None:
    first = group[0].attempt
    name = f"{first.checkpoint}.{first.condition}" if first.condition else first.checkpoint
    ids = [result.attempt.instance_id for result in group]
    group = [result for result in group if _submitted(result)]
    patches = {result.attempt.instance_id: result.patch for result in group}
    verdicts = {result.attempt.instance_id: result.attempt.verdict for result in group}
    write_jsonl(
        part / "predictions.jsonl",
        (
            {"instance_id": instance_id, "model_name_or_path": name, "model_patch": patch}
            for instance_id, patch in patches.items()
        ),
    )
    scores = (attempt_scores(result.attempt, result.stages) for result in group)
    write_jsonl(part / "scores.jsonl", (line.model_dump(mode="json") for line in scores))
    with finished_file(part / "trail.jsonl") as file:
        file.writelines(trail_line(result.attempt.instance_id, result.trail).encode() for result in group)
    write_jsonl(part / "verdicts.jsonl", (v.model_dump(mode="json") for v in verdicts.values()))
    write_json(part / "report.json", official_report(ids, patches, verdicts, soundness))


def _submitted(result: Result) -> bool:
    return result.attempt.verdict.outcome is not Outcome.NOT_SUBMITTED


def _write_attempt(folder: RunFolder, part: Path, result: Result, log_path: Callable[[Verdict], Path]) -> None:
    verdict = result.attempt.verdict
    if _submitted(result):
        folder.write_attempt(part, verdict.instance_id, result.patch, log_path(verdict) if verdict.key else None)
