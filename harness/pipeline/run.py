"""The pipeline: the only module that knows the order of the stages.

For every checkpoint and condition each instance goes localize -> repair -> validate -> select -> evaluate. Answers
and verdicts are journaled; attempts that follow from them are kept as a whole, so a run that is started again
does only what is missing. Tests of one checkpoint's patches run while the next checkpoint is served.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from harness.common.event_log import EVENTS
from harness.common.journal import Journal
from harness.common.loop_threads import with_few_threads
from harness.common.metrics_server import metrics_served
from harness.common.open_files import allow_open_files
from harness.common.paths import cache_folder
from harness.common.progress import Progress
from harness.common.run_folder import RunFolder
from harness.common.stage import UNTIMED, Stage, Waits
from harness.config.schema import CheckpointConfig, RunConfig
from harness.core.candidate import Candidate
from harness.core.conditions import Condition, Reference
from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.core.verdict import Verdict
from harness.dataset.instances import dataset_key
from harness.dataset.predictions import reference_predictions
from harness.grading.session import Session, evaluation_session
from harness.localize.stages import Localizer
from harness.model.devices import served_here
from harness.model.serving_places import Places
from harness.pipeline.attempt import Proposal, Trial
from harness.pipeline.base_states import open_snapshots
from harness.pipeline.checkpoint_task import Ahead, Checkpoints, Seen
from harness.pipeline.costs import checkpoint_costs
from harness.pipeline.executors import open_executor
from harness.pipeline.kept_attempts import KeptAttempts
from harness.pipeline.pace import Everything, Pace
from harness.pipeline.preflight import Named, preflight
from harness.pipeline.propose import Proposer
from harness.pipeline.records import Records
from harness.pipeline.run_watch import RunWatch, finished_before
from harness.pipeline.work import Work
from harness.repo.blob_cache import derived_store
from harness.report.attempts_file import AttemptsFile, attempts_file
from harness.report.checkpoint_cost import CheckpointCost
from harness.report.given_results import reference_result
from harness.report.packed_trail import PackedTrail
from harness.report.summary import SummaryRow
from harness.report.write import Result, write_instances
from harness.validate.check import require_validation, validate
from harness.validate.select import select

log = logging.getLogger(__name__)

Place = tuple[str, Condition | None, str]  # checkpoint or reference, condition, instance id


def run_pipeline(config: RunConfig, pace: Pace | None = None, html: bool = False) -> list[SummaryRow]:
    """Run everything that the run file names; returns the rows of the table and writes all records.

    Tables, frozen file and, if ``html``, the page are written after every checkpoint. What an earlier configuration
    left in the output folder is moved aside.
    ``pace`` may change the order and end the run early; then only the instances that were begun have records.
    Attempts for which the machine failed are rows' `infrastructure`, and are all that the same run does next time.
    Raises InputError for what the user must mend.
    """
    allow_open_files()
    with Progress() as checking, checking.doing("checking the run file and what it names"):
        named = preflight(config)
    recipes, pace = config.dataset.recipes, pace or Everything()
    with (
        open_executor(config.evaluation, config.output) as executor,
        RunFolder(config.output) as folder,
        Progress(events=folder.path / EVENTS) as progress,
        metrics_served(config.metrics_port, progress.state),
    ):
        places = executor.places(config.checkpoints, config.serving)
        executor.prepare(named.instances, recipes, progress)
        with (
            open_snapshots(named.instances if config.checkpoints else [], executor, progress) as snapshots,
            folder.journal("answers") as answers,
            ExitStack() as last,
        ):
            with progress.doing("looking at images and left-over containers"):
                session = last.enter_context(
                    evaluation_session(named.instances, config.evaluation, folder, executor, recipes)
                )
            return _run(config, named, pace, html, Opened(folder, progress, snapshots, answers, session, places))


@dataclass(frozen=True)
class Opened:
    """What a run reads from and writes to."""

    folder: RunFolder
    progress: Progress
    snapshots: dict[str, Snapshot]
    answers: Journal
    session: Session
    places: Places


def _run(config: RunConfig, named: Named, pace: Pace, html: bool, opened: Opened) -> list[SummaryRow]:
    folder, session, progress = opened.folder, opened.session, opened.progress
    require_validation(config.validation, session.testbeds)
    with derived_store(cache_folder()) as store, derived_store(folder.path) as kept:
        localizer = Localizer(named.prompts, config.localization, config.sampling, store)
        proposer = Proposer(config, opened.snapshots, named.prompts, localizer, session)
        records = Records(folder, config, named.soundness, session.evaluator.log_path, html)
        before = finished_before(folder.path, config, named.instances)
        with attempts_file(folder.path) as ended:
            run = Run(
                config, named.instances, opened.snapshots, proposer, folder, session, progress, ended, records, pace,
                opened.answers, KeptAttempts(config, named.prompts, session, kept, opened.answers), opened.places,
            )  # fmt: skip
            run.before = before if records.begin(run.facts()) else {}
            write_instances(folder, named.instances)
            with progress.watching("containers", session.part):
                results = run_async(run.all())
            with progress.doing("writing the tables"):
                rows = records.write_all(results, run.facts())
        if html:
            with progress.doing("writing the page"):
                records.write_page()
        return rows


def run_async(work: Coroutine[Any, Any, list[Result]]) -> list[Result]:
    """Run ``work``; of the errors that task groups gathered, the first is raised as itself."""
    try:
        return asyncio.run(with_few_threads(work))
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise error from group


@dataclass
class Run:
    """One run's parts, and the stages in their order."""

    config: RunConfig
    instances: Sequence[Instance]
    snapshots: dict[str, Snapshot]
    proposer: Proposer
    folder: RunFolder
    session: Session
    progress: Progress
    ended: AttemptsFile  # for readers of a run under way
    records: Records
    pace: Pace
    answers: Journal
    kept: KeptAttempts
    places: Places
    before: Mapping[str, int] = field(default_factory=dict)  # attempts of each checkpoint that a run before answered
    seen: Seen = field(default_factory=Seen)
    results: dict[Place, Result] = field(default_factory=dict)
    tested: Counter[str] = field(default_factory=Counter)  # instance id -> its results by now
    whole: set[str] = field(default_factory=set)  # checkpoints of which every attempt has ended
    testing: dict[str, list[asyncio.Task[None]]] = field(default_factory=dict)  # of each checkpoint or reference

    def facts(self) -> dict[str, Any]:
        """What the run saw: data set, images, base trees, and the weights' revisions."""
        return {
            "instances": len(self.instances),
            "dataset": dataset_key(self.instances),
            "images": self.session.images,
            "trees": {instance_id: snapshot.tree for instance_id, snapshot in self.snapshots.items()},
            "checkpoints": self.seen.revisions,
            "weights": self.seen.weights,
            "routes": self.seen.routes,
            "batch_invariant": [
                checkpoint.name for checkpoint in self.config.checkpoints if self._invariant(checkpoint)
            ],
        }

    async def all(self) -> list[Result]:
        """Results of every reference, then of every checkpoint under every condition, as the run file has them."""
        config = self.config
        each = len(config.conditions) * len(self.instances)
        attempts = len(config.checkpoints) * each
        finished = frozenset(name for name, count in self.before.items() if count >= each)
        watch = RunWatch(self.progress, config, self.places.most, finished)
        repairing = self.progress.stage("repair", attempts, watch.waits())
        tested = attempts + len(config.references) * len(self.instances)
        testing = self.progress.stage("tests", tested, Waits(lambda: self.session.idle), repairing)
        serving = self.progress.stage("checkpoints", len(config.checkpoints), UNTIMED)
        for stage in (repairing, testing):
            stage.expect(sum(self.before.values()))
        async with asyncio.TaskGroup() as tests:
            for kind in config.references:
                for instance in self.instances:
                    test = tests.create_task(self._test_reference(kind, instance, testing))
                    self.testing.setdefault(kind, []).append(test)
            start_test = partial(self._start_test, tests, testing)
            ahead = Ahead(repairing, start_test, partial(self._keep_untested, stage=testing))
            own = (self.proposer, self.folder, self.answers, self.kept, self.pace, ahead, watch)
            shared = Checkpoints(config, self.instances, self.snapshots, *own, self.places, seen=self.seen)
            async with self.places, asyncio.TaskGroup() as asking:
                for checkpoint in config.checkpoints:
                    asking.create_task(self._ask(shared, checkpoint, serving))
        return self._finished()

    def _finished(self) -> list[Result]:
        """The results by now, each with what is known of its checkpoint."""
        results = [self.results[place] for place in self._places() if place in self.results]
        costs = checkpoint_costs(self.config, self.folder.path, self.seen, (result.attempt for result in results))
        return [self._with_checkpoint(result, costs) for result in results]

    async def _ask(self, shared: Checkpoints, checkpoint: CheckpointConfig, stage: Stage) -> None:
        """Ask one checkpoint for all of its attempts; when these are tested, write what is known by now."""
        with stage.running(checkpoint.name):
            await shared.ask(checkpoint)
        stage.add()
        await asyncio.gather(*self.testing.get(checkpoint.name, ()))
        self.whole.add(checkpoint.name)
        if len(self.whole) < len(self.config.checkpoints):
            whole = {*self.whole, *(kind for kind in self.config.references if _done(self.testing[kind]))}
            finished = [result for result in self._finished() if result.attempt.checkpoint in whole]
            await self.records.write_so_far(finished, self.facts())

    def _with_checkpoint(self, result: Result, costs: Mapping[str, CheckpointCost]) -> Result:
        attempt = result.attempt
        if attempt.condition is None:
            return result
        route = self.seen.routes.get(attempt.checkpoint, "")
        [checkpoint] = [one for one in self.config.checkpoints if one.name == attempt.checkpoint]
        cost, invariant = costs[attempt.checkpoint], self._invariant(checkpoint)
        attempt = replace(attempt, route=route, batch_invariant=invariant, checkpoint_cost=cost)
        return replace(result, attempt=attempt)

    def _invariant(self, checkpoint: CheckpointConfig) -> bool:
        """Whether its answers do not depend on what else was asked at the time, as far as it was served here."""
        return self.config.serving.batch_invariant and served_here(checkpoint)

    def _places(self) -> list[Place]:
        config = self.config
        groups: list[tuple[str, Condition | None]] = [(kind, None) for kind in config.references]
        groups += [(c.name, condition) for c in config.checkpoints for condition in config.conditions]
        return [(*group, instance.instance_id) for group in groups for instance in self.instances]

    def _start_test(self, tests: asyncio.TaskGroup, stage: Stage, proposal: Proposal) -> None:
        test = tests.create_task(self._test(proposal, stage))
        self.testing.setdefault(proposal.checkpoint.name, []).append(test)

    async def _test(self, proposal: Proposal, stage: Stage) -> None:
        instance, candidates, config = proposal.instance, proposal.candidates, self.config
        work = Work()
        validation = await validate(proposal.plan, config.validation, self.proposer.bench(instance, work), candidates)
        selection = select(candidates, validation.checks)
        verdict = await work.judged(asyncio.wrap_future(self.session.submit_checked(instance, selection.patch)))
        verdicts = await self._test_candidates(instance, candidates, work) if config.evaluate_candidates else None
        ran = self.seen.ran.setdefault(proposal.checkpoint.name, {})
        ran.update({**proposal.asking.containers, **work.containers})
        trial = Trial(validation, selection, verdict, verdicts, work.containers)
        self._keep(await asyncio.to_thread(self._result, proposal, trial, work), stage, work)

    def _result(self, proposal: Proposal, trial: Trial, testing: Work) -> Result:
        """The attempt's result, kept for later runs."""
        result = proposal.result(trial)
        result = replace(result, trail=PackedTrail.of(result.trail))
        self.kept.keep(proposal.kept_as, result, proposal.asking, testing)
        self.ended.add(result)
        return result

    async def _verdict(self, instance: Instance, patch: str | None, work: Work) -> Verdict:
        return await work.judged(asyncio.wrap_future(self.session.submit(instance, patch)))

    async def _test_candidates(
        self, instance: Instance, candidates: Sequence[Candidate], work: Work
    ) -> dict[int, Verdict]:
        patches = {candidate.index: candidate.patch for candidate in candidates if candidate.patch}
        verdicts = await asyncio.gather(*(self._verdict(instance, patch, work) for patch in patches.values()))
        return dict(zip(patches, verdicts, strict=True))

    async def _test_reference(self, kind: Reference, instance: Instance, stage: Stage) -> None:
        [prediction] = reference_predictions(kind, [instance])
        work = Work()
        checked = self.session.submit_checked(instance, prediction.model_patch, control=False)
        verdict = await work.of(asyncio.wrap_future(checked))
        result = reference_result(instance, prediction, verdict)
        self.ended.add(result)
        self._keep(result, stage, work)

    def _keep(self, result: Result, stage: Stage, work: Work) -> None:
        self._note(result)
        stage.count(work.known)

    def _note(self, result: Result) -> None:
        attempt, config = result.attempt, self.config
        result = replace(result, trail=PackedTrail.of(result.trail))
        self.results[attempt.checkpoint, attempt.condition, attempt.instance_id] = result
        self.pace.ended(result)
        self.tested[attempt.instance_id] += 1
        wanted = len(config.references) + len(config.checkpoints) * len(config.conditions)
        if self.tested[attempt.instance_id] == wanted:
            self.session.finish(attempt.instance_id)
            if snapshot := self.snapshots.get(attempt.instance_id):
                snapshot.release()

    def _keep_untested(self, result: Result, stage: Stage) -> None:
        """Keep an attempt of an earlier run, or one without an answer."""
        self.ended.add(result)
        self._note(result)
        if result.attempt.verdict.known:
            stage.skip()
        else:
            stage.add()


def _done(tasks: Sequence[asyncio.Task[None]]) -> bool:
    return all(task.done() for task in tasks)
