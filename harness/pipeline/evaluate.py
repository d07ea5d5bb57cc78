"""Judging given predictions without any model: by running their tests, or again from the logs of an earlier run."""

from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from harness.common.event_log import EVENTS
from harness.common.files import write_json
from harness.common.paths import check_folder
from harness.common.progress import Progress
from harness.common.run_folder import RunFolder, freeze, require_kind
from harness.common.stage import Stage
from harness.config.schema import EvaluationConfig
from harness.core.conditions import GOLD, REFERENCES
from harness.core.instance import Instance
from harness.core.verdict import Outcome, Verdict
from harness.dataset.predictions import BASE, Prediction, load_predictions, predicting_models
from harness.errors import InputError
from harness.grading.counter_evaluation import recalled
from harness.grading.evaluator import patch_key
from harness.grading.exclusions import (
    CALIBRATION_NAME,
    Exclusions,
    Soundness,
    calibrate,
    open_soundness,
    write_calibration,
)
from harness.grading.log_workers import LogWorkers
from harness.grading.regrade import Stored, regraded, stored_verdicts
from harness.grading.session import Session, evaluation_session, specifications_of
from harness.grading.suite_comparison import latest_suites, recalled_suite
from harness.pipeline.executors import open_executor
from harness.report.given_results import not_submitted, reference_result
from harness.report.spread import Spread, spread
from harness.report.summary import SummaryRow
from harness.report.write import Result, write_instances, write_results

CALIBRATION_RUNS = 3  # of gold patches
Runs = list[list[Verdict]]  # repeat by repeat, one verdict for each prediction


@dataclass(frozen=True)
class Submission:
    """Predictions to be judged, and where the records go."""

    instances: Sequence[Instance]
    predictions: str  # a file, ``gold``, ``empty`` or ``base``; see `load_predictions`
    output: Path
    evaluation: EvaluationConfig
    recipes: Path | None = None
    others: Collection[str] = ()  # ids in the data set, if ``instances`` may be a part of it only
    repeats: int | None = None  # evaluations of every patch; of gold patches three if not given, else one

    @property
    def runs(self) -> int:
        """How often every patch is evaluated: what holds once need not hold again, and a calibration is to say so."""
        return self.repeats or (CALIBRATION_RUNS if self.predictions == GOLD else 1)


@dataclass(frozen=True)
class Judged:
    """What the verdicts on a submission come to. Where patches were evaluated repeatedly, the first counts."""

    rows: list[SummaryRow]
    results: list[Result]
    exclusions: list[Exclusions]
    spreads: dict[str, Spread]  # by model, of several repeats

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts on what was submitted."""
        verdicts = [result.attempt.verdict for result in self.results]
        return [verdict for verdict in verdicts if verdict.outcome is not Outcome.NOT_SUBMITTED]

    @property
    def missing(self) -> dict[str, tuple[int, int]]:
        """By model, how many instances of the selection have no prediction, and how many there are."""
        counts = {row.checkpoint: row.outcomes.get(Outcome.NOT_SUBMITTED.value, 0) for row in self.rows}
        return {row.checkpoint: (counts[row.checkpoint], row.instances) for row in self.rows if counts[row.checkpoint]}


def evaluate_predictions(submission: Submission) -> Judged:
    """Run the tests on every prediction that has no verdict yet, and write all records into the output folder.

    Raises InputError for what the user must mend.
    """
    check_folder(submission.output, "the output folder")
    require_kind(submission.output, "evaluate")
    submitted = _submitted(submission)
    soundness = open_soundness(submission.evaluation.calibration)
    instances = [instance for instance, _ in submitted]
    evaluation, recipes = submission.evaluation, submission.recipes
    with (
        open_executor(evaluation, submission.output) as executor,
        RunFolder(submission.output) as folder,
        Progress(events=folder.path / EVENTS) as progress,
    ):
        executor.prepare(instances, recipes, progress)
        with (
            evaluation_session(instances, evaluation, folder, executor, recipes) as session,
            progress.watching("containers", session.part),
        ):
            runs = _run(submission, submitted, session, progress)
            facts = {"predictions": submission.predictions, "repeats": submission.runs, "images": session.images}
            freeze(folder.path / "frozen.yaml", {"evaluation": submission.evaluation.model_dump(mode="json")}, facts)
            return _write(folder, submission, submitted, runs, soundness)


def regrade_predictions(submission: Submission) -> Judged:
    """Grade the stored logs of every prediction again, and write the reports anew; needs no Docker daemon.

    Raises InputError for what the user must mend, and if the output folder holds no evaluation at all.
    """
    require_kind(submission.output, "evaluate")
    submitted = _submitted(submission)
    soundness = open_soundness(submission.evaluation.calibration)
    specifications = specifications_of([instance for instance, _ in submitted], submission.recipes)
    nothing = InputError(f"{submission.output}: nothing was evaluated in this folder; run it without --regrade first")
    if not submission.output.is_dir():
        raise nothing  # and make none
    with (
        RunFolder(submission.output) as folder,
        folder.journal("evaluations") as journal,
        folder.journal("controls") as controls,
        folder.journal("suites") as suites,
        LogWorkers() as weigh,
    ):
        stored = stored_verdicts(journal)
        if not stored:
            raise nothing
        runs = [
            [
                regraded(
                    instance,
                    specifications[instance.instance_id],
                    _patch(submission, prediction),
                    repeat,
                    stored,
                    folder.logs,
                    weigh,
                )
                for instance, prediction in submitted
            ]
            for repeat in range(_stored_runs(submission, submitted, stored))
        ]
        compared = latest_suites(suites)
        runs[0] = [recalled_suite(compared, recalled(controls, verdict)) for verdict in runs[0]]
        return _write(folder, submission, submitted, runs, soundness)


def _stored_runs(submission: Submission, submitted: Sequence[tuple[Instance, Prediction]], stored: Stored) -> int:
    """How many runs are graded again: as many as are asked for, or else as were made."""
    if submission.repeats:
        return submission.repeats
    patches = [(instance.instance_id, _patch(submission, prediction)) for instance, prediction in submitted]
    made = (run for run in range(submission.runs) if any((i, patch_key(patch, run)) in stored for i, patch in patches))
    return max(made, default=0) + 1


def _submitted(submission: Submission) -> list[tuple[Instance, Prediction]]:
    by_id = {instance.instance_id: instance for instance in submission.instances}
    loaded = load_predictions(submission.predictions, submission.instances, submission.others)
    return [(by_id[prediction.instance_id], prediction) for prediction in loaded]


def _patch(submission: Submission, prediction: Prediction) -> str | None:
    """The patch to test; None for the base state, which is tested although there is none."""
    return None if submission.predictions == BASE else prediction.model_patch or ""


def _run(
    submission: Submission, submitted: Sequence[tuple[Instance, Prediction]], session: Session, progress: Progress
) -> Runs:
    stage = progress.stage("tests", len(submitted) * submission.runs)
    foreign = submission.predictions not in REFERENCES  # the data set's own patches forge nothing
    runs = [
        [
            _start(session, instance, _patch(submission, prediction), repeat, foreign, stage)
            for instance, prediction in submitted
        ]
        for repeat in range(submission.runs)
    ]
    by_instance: dict[str, list[Future[Verdict]]] = {}
    for (instance, _), futures in zip(submitted, zip(*runs, strict=True), strict=True):
        by_instance.setdefault(instance.instance_id, []).extend(futures)
    for instance_id, futures_of_it in by_instance.items():
        for future in futures_of_it:
            future.add_done_callback(partial(_ended, session, instance_id, futures_of_it))
    return [[future.result() for future in futures] for futures in _ended_well(runs)]


def _ended_well(runs: Sequence[Sequence["Future[Verdict]"]]) -> Sequence[Sequence["Future[Verdict]"]]:
    """Wait for all, or raise the first error: on a full disk, say, the others would work for nothing."""
    done, _ = wait((future for futures in runs for future in futures), return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()
    return runs


def _start(
    session: Session, instance: Instance, patch: str | None, repeat: int, foreign: bool, stage: Stage
) -> "Future[Verdict]":
    """Start one evaluation, which the display counts when it ends; the first of a patch with all further checks.

    ``foreign``: a counter-evaluation is one of them.
    """
    if patch is None:
        submitted = session.submit_base(instance, repeat)
    elif not repeat:
        submitted = session.submit_checked(instance, patch, foreign)
    else:
        submitted = session.submit(instance, patch, repeat)
    submitted.add_done_callback(lambda ended: stage.count(_known(ended)))
    return submitted


def _known(ended: "Future[Verdict]") -> bool:
    return not ended.cancelled() and ended.exception() is None and ended.result().known


def _ended(session: Session, instance_id: str, futures: Sequence["Future[Verdict]"], _: "Future[Verdict]") -> None:
    if all(future.done() for future in futures):
        session.finish(instance_id)


def _write(
    folder: RunFolder,
    submission: Submission,
    submitted: Sequence[tuple[Instance, Prediction]],
    runs: Runs,
    soundness: Soundness,
) -> Judged:
    write_instances(folder, submission.instances)
    models = predicting_models(submission.predictions, submission.instances, submission.others)
    results = _results(models, submission.instances, submitted, runs[0])
    rows = write_results(folder, results, lambda verdict: folder.logs / f"{verdict.key}.log", soundness)
    if submission.predictions == GOLD:
        write_calibration(folder.path / CALIBRATION_NAME, calibrate(runs))
    found = _spreads(results, submitted, runs) if len(runs) > 1 else {}
    if found:
        write_json(folder.path / "repeats.json", {model: asdict(spread) for model, spread in found.items()})
    return Judged(rows, results, soundness.exclusions(runs[0]), found)


def _results(
    models: Sequence[str],
    instances: Sequence[Instance],
    submitted: Sequence[tuple[Instance, Prediction]],
    verdicts: Sequence[Verdict],
) -> list[Result]:
    """Model by model one result for every instance of the selection."""
    found = {
        (prediction.model_name_or_path, instance.instance_id): reference_result(instance, prediction, verdict)
        for (instance, prediction), verdict in zip(submitted, verdicts, strict=True)
    }
    return [
        found.get((model, instance.instance_id)) or not_submitted(model, instance)
        for model in models
        for instance in instances
    ]


def _spreads(
    results: Sequence[Result], submitted: Sequence[tuple[Instance, Prediction]], runs: Runs
) -> dict[str, Spread]:
    """Model by model, how much the repeats differ, over the whole selection as in the table."""
    found = {}
    for model in dict.fromkeys(result.attempt.checkpoint for result in results):
        places = [n for n, (_, prediction) in enumerate(submitted) if prediction.model_name_or_path == model]
        missing = [
            result.attempt.verdict
            for result in results
            if result.attempt.checkpoint == model and result.attempt.verdict.outcome is Outcome.NOT_SUBMITTED
        ]
        found[model] = spread([[*(verdicts[n] for n in places), *missing] for verdicts in runs])
    return found
