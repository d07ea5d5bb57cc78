"""What `harness import` does: results of other harnesses, graded again, as a results folder of ours."""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.common.files import write_json, write_whole
from harness.common.paths import check_folder
from harness.common.run_folder import IMPORTED, RunFolder, freeze, require_kind
from harness.compare.table_command import write_tables
from harness.core.instance import Instance
from harness.core.verdict import Outcome, Verdict
from harness.dataset.instances import dataset_key
from harness.dataset.predictions import Prediction
from harness.errors import InputError
from harness.exchange.foreign_run import ForeignRun
from harness.exchange.grade_again import Graded, grade_again
from harness.exchange.layouts import Reading, foreign_runs
from harness.grading.exclusions import open_soundness
from harness.grading.log_grading import grader_version
from harness.grading.log_workers import LogWorkers
from harness.report.given_results import reference_result
from harness.report.summary import SummaryRow
from harness.report.write import Result, write_instances, write_results

SHOWN = 10  # instances that a note names


@dataclass(frozen=True)
class Imported:
    """What came in."""

    rows: list[SummaryRow]
    notes: list[str]  # for the user: what was not graded, where log and report disagree


def import_results(
    sources: Sequence[Path],
    output: Path,
    dataset: str,
    reading: Reading,
    names: Sequence[str] = (),
    trust_reports: bool = False,
) -> Imported:
    """Read results of other harnesses into a folder; ``names`` are the models', in the order of the sources.

    Everything that an earlier import left there is made anew. Raises InputError for sources that are missing, damaged
    or of no known layout, for two models of one name, and for a folder that holds the records of a run.
    """
    check_folder(output, "the output folder")
    require_kind(output, "import")
    runs = named([foreign_runs(source, reading) for source in sources], names)
    with RunFolder(output) as folder, LogWorkers() as weigh:
        write_json(output / IMPORTED, _document(runs, {}))  # says from now on whose folder it is
        for old in ("checkpoints", "logs"):
            shutil.rmtree(output / old, ignore_errors=True)
        threads = os.cpu_count() or 1
        graded = {run.name: grade_again(run, reading.instances, weigh, trust_reports, threads) for run in runs}
        write_instances(folder, reading.instances)
        results = [result for run in runs for result in _results(folder, run, reading.instances, graded[run.name])]
        rows = write_results(folder, results, lambda verdict: folder.logs / f"{verdict.key}.log", open_soundness(None))
        facts = {"instances": len(reading.instances), "dataset": dataset_key(reading.instances)}
        settings = {"dataset": {"path": dataset}, "checkpoints": [{"name": run.name} for run in runs]}
        freeze(output / "frozen.yaml", settings, facts)
        write_json(output / IMPORTED, _document(runs, graded))
    write_tables(output)
    return Imported(rows, [note for run in runs for note in _notes(run, graded[run.name])])


def named(found: Sequence[Sequence[ForeignRun]], names: Sequence[str]) -> list[ForeignRun]:
    """The runs of all sources under their names. Raises InputError for names that do not fit or come twice."""
    if names and len(names) != len(found):
        raise InputError(f"--name: {len(names)} for {len(found)} sources; give one for each, in their order")
    runs: list[ForeignRun] = []
    for number, source in enumerate(found):
        if names and len(source) > 1:
            listed = ", ".join(run.name for run in source)
            raise InputError(f"--name: {source[0].source} holds several models ({listed}); import it without names")
        runs += [run.called(names[number]) for run in source] if names else source
    for name, count in Counter(run.name.replace("/", "__") for run in runs).items():
        if count > 1:
            raise InputError(f"{count} models are called {name}; tell them apart with --name, one for each source")
    for run in runs:
        try:
            Prediction(instance_id="any", model_name_or_path=run.name, model_patch=None)
        except ValueError as error:
            raise InputError(f"{run.source}: {run.name!r} can't name a folder; give another --name") from error
    return runs


def _results(
    folder: RunFolder, run: ForeignRun, instances: Sequence[Instance], graded: Sequence[Graded]
) -> Iterator[Result]:
    for instance, one in zip(instances, graded, strict=True):
        patch = run.patches.get(instance.instance_id, "")
        prediction = Prediction(instance_id=instance.instance_id, model_name_or_path=run.name, model_patch=patch)
        verdict = _kept(folder, one)
        result = reference_result(instance, prediction, verdict)
        steps = run.steps.get(instance.instance_id)
        if verdict.outcome is Outcome.INFRASTRUCTURE and instance.instance_id in run.lost:
            result = replace(result, attempt=replace(result.attempt, empty=False, similarity=None))
        if steps is not None:
            reasons = steps.scores.reasons
            attempt = replace(result.attempt, candidate_reasons=reasons)
            result = Result(attempt, result.patch, steps.trail, steps.scores)
        yield result


def _kept(folder: RunFolder, one: Graded) -> Verdict:
    """The verdict, its log in the folder if there is one."""
    if one.log is not None:
        write_whole(folder.logs / f"{one.verdict.key}.log", one.log)
    return one.verdict


def _document(runs: Sequence[ForeignRun], graded: Mapping[str, Sequence[Graded]]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "grader": grader_version(),
        "finished": bool(graded),
        "runs": [
            {
                "name": run.name,
                "source": run.source,
                "layout": run.layout,
                "not_graded": _details(graded.get(run.name, ()), Outcome.INFRASTRUCTURE),
                "not_submitted": sorted(
                    one.verdict.instance_id
                    for one in graded.get(run.name, ())
                    if one.verdict.instance_id not in {*run.patches, *run.lost}
                ),
                "disagreements": {
                    one.verdict.instance_id: one.disagreement for one in graded.get(run.name, ()) if one.disagreement
                },
            }
            for run in runs
        ],
    }


def _details(graded: Sequence[Graded], outcome: Outcome) -> dict[str, str]:
    return {one.verdict.instance_id: one.verdict.detail for one in graded if one.verdict.outcome is outcome}


def _notes(run: ForeignRun, graded: Sequence[Graded]) -> Iterator[str]:
    yield f"{run.name}: {len(run.patches)} patches of {run.source} ({run.layout}), {_counted(graded)}"
    reasons: dict[str, list[str]] = {}
    for instance_id, detail in _details(graded, Outcome.INFRASTRUCTURE).items():
        reasons.setdefault(detail, []).append(instance_id)
    for detail, ids in reasons.items():
        yield f"{run.name}: {detail}: {_listed(ids)}"
    missing = [i for i in (one.verdict.instance_id for one in graded) if i not in run.patches and i not in run.lost]
    if missing:
        yield (
            f"{run.name}: {len(missing)} of {len(graded)} instances have no prediction and count as empty: "
            f"{_listed(missing)}; --instances names those that are to count"
        )
    for one in graded:
        if one.disagreement:
            yield f"{run.name}: {one.verdict.instance_id}: {one.disagreement}; the log counts"


def _counted(graded: Sequence[Graded]) -> str:
    logs = sum(one.log is not None for one in graded)
    return f"{logs} graded again from their logs"


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:SHOWN]) + (f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else "")
