"""What the model makes of one instance under one condition: where to repair, candidates, and what will check them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.config.schema import RunConfig
from harness.core.candidate import Candidate
from harness.core.conditions import Condition
from harness.core.instance import Instance
from harness.core.interfaces import Drawing, Model, Snapshot
from harness.core.location import Location, union
from harness.grading.scripts import CommandRun, Script
from harness.grading.session import Session
from harness.localize.stages import Localization, Localizer
from harness.model.prompts import Prompts
from harness.pipeline.work import Work
from harness.repair.sample import repair
from harness.repo.gold_locations import gold_files, gold_locations
from harness.validate.check import Plan, plan_validation
from harness.validate.runner import Bench

Asked = tuple[Sequence[Location], Localization | None, list[Candidate], Plan]


@dataclass(frozen=True)
class Proposer:
    """The stages that ask a model, with what they need of a run."""

    config: RunConfig
    snapshots: Mapping[str, Snapshot]
    prompts: Prompts
    localizer: Localizer
    session: Session

    async def ask(self, model: Model, instance: Instance, condition: Condition, work: Work) -> Asked:
        """What the model makes of one instance. Raises InfrastructureError if it can't be asked."""
        asked = work.asking(model)
        localization, sets = await self._localize(asked, instance, condition)
        locations = union(sets)
        candidates, plan = await asyncio.gather(
            self._repair(asked, instance, sets), self._plan(asked, instance, locations, work), return_exceptions=True
        )  # what one of them still asks for is kept, if the other fails
        if isinstance(candidates, BaseException):
            raise candidates
        if isinstance(plan, BaseException):
            raise plan
        return locations, localization, candidates, plan

    async def _localize(
        self, model: Model, instance: Instance, condition: Condition
    ) -> tuple[Localization | None, Sequence[Sequence[Location]]]:
        """What the model located, None under the ground-truth conditions, and the sets of locations to repair."""
        snapshot, sampling = self.snapshots[instance.instance_id], self.config.sampling
        if condition == "gt-file":
            return None, [await asyncio.to_thread(gold_files, instance, snapshot)]
        if condition == "gt-location":
            return None, [await asyncio.to_thread(gold_locations, instance, snapshot, sampling.context_lines)]
        found = await self.localizer.localize(model, instance, snapshot)
        return found, found.sets

    async def _repair(
        self, model: Model, instance: Instance, location_sets: Sequence[Sequence[Location]]
    ) -> list[Candidate]:
        snapshot, sampling = self.snapshots[instance.instance_id], self.config.sampling
        drawing = Drawing(sampling.repair, sampling.samples, sampling.greedy)
        return await repair(model, self.prompts, drawing, instance, snapshot, location_sets)

    async def _plan(self, model: Model, instance: Instance, locations: Sequence[Location], work: Work) -> Plan:
        snapshot, bench = self.snapshots[instance.instance_id], self.bench(instance, work)
        return await plan_validation(model, self.prompts, self.config.validation, bench, snapshot, locations)

    def bench(self, instance: Instance, work: Work) -> Bench:
        """Where scripts run on an instance's trees, for one piece of work."""

        async def run(script: Script, patch: str) -> CommandRun:
            done = await work.of(asyncio.wrap_future(self.session.submit_script(instance, script, patch)))
            work.containers[done.key] = done.seconds
            work.records.add(done.key)
            return done

        return Bench(self.session.testbeds[instance.instance_id], run)
