"""Validation of one instance's candidates, in two halves: what needs the model, and what needs containers only.

The first runs while the checkpoint is served; the second may run while the next one is.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.config.schema import ValidationConfig
from harness.core.candidate import Candidate
from harness.core.interfaces import Cost, Model, Snapshot, with_cost_columns
from harness.core.location import Location
from harness.grading.testbed import Testbed
from harness.model.prompts import Prompts
from harness.validate.programs import PYTHON, Program, program_for
from harness.validate.regression import STAGE as REGRESSION_STAGE
from harness.validate.regression import Regression, count_failures, find_regression
from harness.validate.reproduction import STAGE as REPRODUCTION_STAGE
from harness.validate.reproduction import (
    ReproductionTest,
    choose_reproductions,
    keep_reproducing,
    sample_reproductions,
    shows_resolved,
)
from harness.validate.runner import Bench
from harness.validate.select import Check
from harness.validate.suite import check_separable


@dataclass(frozen=True)
class Plan:
    """The tests of one instance that its candidates are tried on."""

    regression: Regression | None = None  # None if the run file asks for none
    reproductions: Sequence[ReproductionTest] = ()  # as sampled
    program: Program = PYTHON  # what they are written in

    def costs(self) -> list[Cost]:
        """What each request for it took."""
        return [part.cost for part in (self.regression, *self.reproductions) if part]

    def notes(self) -> list[tuple[str, str]]:
        """The stage and the note of each answer that has one."""
        regression = [("regression", note) for note in (self.regression.notes if self.regression else ())]
        return [*regression, *(("reproduction", note) for test in self.reproductions for note in test.notes)]


@dataclass(frozen=True)
class Validation:
    """What came out of a plan."""

    plan: Plan = Plan()
    reproductions: Sequence[ReproductionTest] = ()  # as tried on the base state
    chosen: tuple[int, ...] = ()  # indices of the reproduction tests that were used
    checks: dict[int, Check] = field(default_factory=dict)  # by candidate index

    def trail(self) -> dict[str, Any]:
        """The same as JSON for a reader."""
        regression = asdict(self.plan.regression) if self.plan.regression else None
        return {
            "regression": regression and with_cost_columns({k: v for k, v in regression.items() if k != "script"}),
            "reproduction": [
                with_cost_columns(test.model_dump(mode="json", exclude={"vote"})) for test in self.reproductions
            ],
            "program": self.plan.program.language,
            "chosen": list(self.chosen),
            "checks": {
                i: {"failures": c.failures, "turned": sorted(c.turned), "untried": c.untried}
                for i, c in self.checks.items()
            },
        }


def validation_stages(config: ValidationConfig) -> list[str]:
    """The prompts that are asked with, of what is switched on."""
    switched = {REGRESSION_STAGE: config.regression.enabled, REPRODUCTION_STAGE: config.reproduction.samples > 0}
    return [stage for stage, on in switched.items() if on]


def require_validation(config: ValidationConfig, testbeds: Mapping[str, Testbed]) -> None:
    """Raises InputError if hidden tests can't be kept out of what validation runs."""
    if validation_stages(config):
        check_separable(testbeds)


async def plan_validation(
    model: Model,
    prompts: Prompts,
    config: ValidationConfig,
    bench: Bench,
    snapshot: Snapshot,
    locations: Sequence[Location],
) -> Plan:
    """Ask the model for what the configuration switches on. Raises InfrastructureError if it can't be asked."""

    async def regression() -> Regression | None:
        if not config.regression.enabled:
            return None
        return await find_regression(model, prompts, config.regression, bench, snapshot, locations)

    async def reproductions(program: Program) -> list[ReproductionTest]:
        if not config.reproduction.samples:  # a prompt set needs no prompt for what is switched off
            return []
        return await sample_reproductions(model, prompts, config.reproduction, bench.testbed.instance, program)

    reproduced = config.reproduction.samples > 0
    program = program_for(await asyncio.to_thread(snapshot.paths)) if reproduced else PYTHON
    return Plan(*await asyncio.gather(regression(), reproductions(program)), program)


async def validate(plan: Plan, config: ValidationConfig, bench: Bench, candidates: Sequence[Candidate]) -> Validation:
    """Try every candidate that has a patch on the plan's tests; patches that do the same are tried once."""
    able = {candidate.vote: candidate for candidate in sorted(candidates, key=lambda c: -c.index) if candidate.patch}
    if not able:
        return Validation(plan, plan.reproductions)
    reproductions = await keep_reproducing(bench, plan.reproductions, plan.program)
    chosen = choose_reproductions(reproductions, config.reproduction.tests)
    found = dict(
        zip(able, await asyncio.gather(*(_check(plan, bench, chosen, c.patch) for c in able.values())), strict=True)
    )
    checks = {candidate.index: found[candidate.vote] for candidate in candidates if candidate.patch}
    return Validation(plan, reproductions, tuple(test.index for test in chosen), checks)


async def _check(plan: Plan, bench: Bench, chosen: Sequence[ReproductionTest], patch: str) -> Check:
    tests = plan.regression if plan.regression and plan.regression.tests else None
    failures = await count_failures(bench, tests, patch) if tests else None
    turned = await asyncio.gather(*(shows_resolved(bench, test, patch, plan.program) for test in chosen))
    return Check(
        failures,
        frozenset(test.index for test, good in zip(chosen, turned, strict=True) if good),
        untried=turned.count(None) + (tests is not None and failures is None),
    )
