"""A checkpoint as a task of a run: it takes its serving place, asks, and hands each proposal on to its tests."""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Self

from harness.common.journal import Journal
from harness.common.loop_threads import in_own_thread
from harness.common.run_folder import RunFolder
from harness.common.stage import Stage
from harness.config.schema import CheckpointConfig, RunConfig
from harness.core.conditions import Condition
from harness.core.instance import Instance
from harness.core.interfaces import Answer, Snapshot
from harness.errors import HarnessError, InfrastructureError, InputError
from harness.model.checkpoint import served_revision, server_arguments
from harness.model.client import JournaledModel, open_model
from harness.model.devices import devices_of_server
from harness.model.recorded import RecordedModel
from harness.model.serving_places import Places
from harness.pipeline.attempt import Proposal, unanswered
from harness.pipeline.kept_attempts import KeptAttempt, KeptAttempts, renamed
from harness.pipeline.pace import Pace
from harness.pipeline.preflight import read_packing_metrics
from harness.pipeline.propose import Proposer
from harness.pipeline.run_watch import RunWatch
from harness.pipeline.work import Work
from harness.report.write import Result

ATTEMPTS_UNDER_WAY = 64  # at least, per server; bounds how many prompts are held at a time
ATTEMPTS_STARTING = 32  # that have not asked anything yet: more than there are threads for them
PREPARING = 1.25  # attempts for each request that a server takes: some are being prepared or read meanwhile

log = logging.getLogger(__name__)


@dataclass
class Seen:
    """What a run saw of its checkpoints by now, each by its name."""

    revisions: dict[str, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)  # of those that are served here, their files' hash
    routes: dict[str, str] = field(default_factory=dict)  # by which each was asked
    asked: dict[str, dict[object, Answer]] = field(default_factory=dict)  # its distinct answers
    ran: dict[str, dict[str, float]] = field(default_factory=dict)  # seconds of its distinct containers


@dataclass(frozen=True)
class Ahead:
    """Where attempts go next, and what counts them."""

    stage: Stage  # of what the model is asked
    test: Callable[[Proposal], object]  # starts the tests of what was proposed
    keep: Callable[[Result], object]  # takes the result of an attempt that there is nothing to test of


@dataclass(frozen=True)
class Checkpoints:
    """What the tasks of all checkpoints share."""

    config: RunConfig
    instances: Sequence[Instance]
    snapshots: Mapping[str, Snapshot]
    proposer: Proposer
    folder: RunFolder
    answers: Journal
    kept: KeptAttempts
    pace: Pace
    ahead: Ahead
    watch: RunWatch
    places: Places = field(default_factory=Places)
    turns: dict[str, asyncio.Lock] = field(default_factory=dict)  # by revision
    seen: Seen = field(default_factory=Seen)

    async def ask(self, checkpoint: CheckpointConfig) -> None:
        """Every attempt of one checkpoint, once its place is free, up to the last answer."""
        servers = max(checkpoint.replicas, len(checkpoint.addresses))
        bound = asyncio.Semaphore(attempts_under_way(self.config.sampling.concurrency) * servers)
        task = CheckpointTask(self, checkpoint, read_packing_metrics(checkpoint), bound)
        devices = devices_of_server(server_arguments(checkpoint, self.config.serving))
        async with self.places.take(checkpoint, devices) as place, AsyncExitStack() as opened:
            watched = opened.enter_context(self.watch.checkpoint(checkpoint.name))
            try:
                model = await opened.enter_async_context(
                    open_model(
                        checkpoint, self.config.serving, self.config.sampling.concurrency, self.folder.path,
                        self.answers, place,
                    )
                )  # fmt: skip
            except (InfrastructureError, InputError) as error:  # preflight found it in order
                log.warning("%s can't be asked: %s", checkpoint.name, error)
                task.give_all_up(error)
                return
            watched.model = model
            # checkpoints of one revision have the same questions: the second finds the answers of the first
            async with self.turns.setdefault(model.revision, asyncio.Lock()):
                await task.ask_all(model)


def attempts_under_way(concurrency: int) -> int:
    """How many attempts one server needs under way to be busy, if each asks a single question at a time."""
    return max(ATTEMPTS_UNDER_WAY, math.ceil(PREPARING * concurrency))


class Start:
    """The beginning of an attempt, up to its first question: a turn that is given back once, at the end at the latest.

    Without turns, all attempts would list and rank their files before the first of them asks anything.
    """

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._over = False

    async def __aenter__(self) -> Self:
        await self._turns.acquire()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.over()

    def over(self) -> None:
        """Let the next attempt begin."""
        if not self._over:
            self._over = True
            self._turns.release()


@dataclass(frozen=True)
class CheckpointTask:
    """One checkpoint's attempts."""

    shared: Checkpoints
    checkpoint: CheckpointConfig
    metrics: dict[str, float]  # of its packing
    bound: asyncio.Semaphore  # of the attempts that are under way
    starting: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ATTEMPTS_STARTING))

    async def ask_all(self, model: JournaledModel | RecordedModel) -> None:
        """Ask for every attempt as the run's pace allows it; each one's tests start as soon as it is answered."""
        checkpoint, shared = self.checkpoint, self.shared
        shared.seen.revisions[checkpoint.name] = model.revision
        if checkpoint.weights is not None and checkpoint.answers is None:
            shared.seen.weights[checkpoint.name] = await in_own_thread(partial(served_revision, checkpoint))
        async with asyncio.TaskGroup() as attempts:
            for number, instance in enumerate(shared.pace.order(shared.instances)):
                if not await shared.pace.may_begin(number):
                    break
                for condition in shared.config.conditions:
                    about = model.about(instance.instance_id, condition)
                    attempts.create_task(self._attempt(about, instance, condition))
        await model.settle()
        shared.seen.routes[checkpoint.name] = ", ".join(sorted(model.routes))

    async def _attempt(self, model: JournaledModel | RecordedModel, instance: Instance, condition: Condition) -> None:
        name, ahead = self.checkpoint.name, self.shared.ahead
        snapshot = self.shared.snapshots[instance.instance_id]
        async with self.bound, Start(self.starting) as start:
            work = Work(start.over)
            try:
                key = await self.shared.kept.key(model, instance, condition, snapshot)
                if key and (kept := await asyncio.to_thread(self.shared.kept.find, key)):
                    model.routes |= kept.routes
                    self._recall(kept)
                    return
                with ahead.stage.running(f"{name} {condition} {instance.instance_id}"):
                    asked = await self.shared.proposer.ask(model, instance, condition, work)
            except InfrastructureError as error:
                log.warning("%s %s %s: no answer: %s", name, condition, instance.instance_id, error)
                self._give_up(instance, condition, error)
                return
        work.routes = frozenset(model.routes)
        ahead.stage.count(work.known)
        self.shared.seen.asked.setdefault(name, {}).update(work.distinct(instance.instance_id))
        place = (self.checkpoint, self.metrics, condition, instance, snapshot)
        ahead.test(Proposal(*place, *asked, work, key))

    def _recall(self, kept: KeptAttempt) -> None:
        """Take over an attempt of an earlier run."""
        name, seen = self.checkpoint.name, self.shared.seen
        seen.asked.setdefault(name, {}).update(kept.asked)
        seen.ran.setdefault(name, {}).update(kept.containers)
        self.shared.ahead.stage.skip()
        self.shared.ahead.keep(renamed(kept.result, self.checkpoint, self.metrics))

    def give_all_up(self, error: HarnessError) -> None:
        """End every attempt without an answer, for a reason that they share."""
        for instance in self.shared.pace.order(self.shared.instances):
            for condition in self.shared.config.conditions:
                self._give_up(instance, condition, error)

    def _give_up(self, instance: Instance, condition: Condition, error: HarnessError) -> None:
        self.shared.ahead.stage.count(known=False)
        self.shared.ahead.keep(unanswered(self.checkpoint, self.metrics, condition, instance, error))
