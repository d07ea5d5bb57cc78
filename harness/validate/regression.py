"""Regression tests: tests of the base state that pass there, must go on passing, and distinguish candidates.

They come from test files of the snapshot, picked by their names' relevance, never from the row's test patch. The model
strikes out the tests that a right fix must change (Agentless 1.5; its own test files were the benchmark's).
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from harness.config.schema import RegressionConfig
from harness.core.interfaces import NO_COST, Cost, Model, Snapshot
from harness.core.location import Location
from harness.errors import InfrastructureError
from harness.grading.log_grading import read_statuses
from harness.grading.scripts import CommandRun, Script
from harness.grading.test_command import Suite, read_suite
from harness.model.answers import without_thinking
from harness.model.ask import ask
from harness.model.fit_prompt import fit_prompt
from harness.model.prompts import Prompts
from harness.repo.search import relevance
from harness.validate.runner import Bench
from harness.validate.suite import suite_script

STAGE = "regression"
HOLDING = ("PASSED", "XFAIL")  # the statuses that the benchmark's grading takes for a pass

_BULLET = re.compile(r"(?:[-*+]|\d+[.)])[ \t]+")


class RegressionReason(StrEnum):
    """Why an instance has no regression tests."""

    NO_TEST_FILES = "no-test-files"  # the base state has none that its test command can be given
    NO_PASSING_TESTS = "no-passing-tests"
    ALL_STRUCK = "all-struck"  # the model struck out every one
    INFRASTRUCTURE = "infrastructure"  # the machine failed: says nothing of the instance


@dataclass(frozen=True)
class Regression:
    """The regression tests of one instance, and what it took to have them."""

    tests: tuple[
        str, ...
    ] = ()  # ids as the benchmark's log parser reports them; empty if and only if there is a reason
    reason: RegressionReason | None = None
    detail: str = ""  # the reason in one line
    files: tuple[str, ...] = ()  # test files that were run
    struck: tuple[str, ...] = ()  # tests that pass on the base and that the model struck out
    unread: str = ""  # why the model's answer struck out nothing, if it could not be used
    script: Script = field(default=Script("", {}))
    cost: Cost = NO_COST
    notes: tuple[str, ...] = ()  # "read-before-cut": the model's answer was cut, and its whole lines were read


async def find_regression(
    model: Model,
    prompts: Prompts,
    config: RegressionConfig,
    bench: Bench,
    snapshot: Snapshot,
    locations: Sequence[Location],
) -> Regression:
    """The tests that pass on the base state and that the model does not strike out.

    Raises InputError if the row's hidden tests can't be kept out, InfrastructureError if the model can't be
    asked; a machine that can't run the tests is a reason.
    """
    command = read_suite(bench.testbed)
    eligible = command.eligible(await asyncio.to_thread(snapshot.paths)) if command.end else []
    files = pick_test_files(bench, locations, eligible, config.files)
    if command.end and not files:
        return Regression(reason=RegressionReason.NO_TEST_FILES, detail="no test file that its command can be given")
    base = await _run_base(bench, command, files)
    return await _strike(model, prompts, config, bench.testbed.instance.problem_statement, base) if base.tests else base


async def _run_base(bench: Bench, command: Suite, files: Sequence[str]) -> Regression:
    """The tests of these files that pass on the base state, or why there are none."""
    problem = ""
    # one file that can't be collected may end the run of all; then the most relevant one stands alone
    for ran in dict.fromkeys((tuple(files), tuple(files[:1]))):
        script = suite_script(bench.testbed, command, ran)
        try:
            statuses, problem = await _statuses(bench, await bench.run(script, ""))
        except InfrastructureError as error:
            return Regression(reason=RegressionReason.INFRASTRUCTURE, detail=str(error), files=ran)
        passing = sorted(test for test, status in statuses.items() if status in HOLDING)
        if passing:
            return Regression(tuple(passing), files=ran, script=script)
    detail = problem or "no test of the base state passes"
    return Regression(reason=RegressionReason.NO_PASSING_TESTS, detail=detail, files=tuple(files))


def pick_test_files(bench: Bench, locations: Sequence[Location], paths: Sequence[str], limit: int) -> list[str]:
    """At most ``limit`` test files, those whose names share most with the localized files' names and the issue.

    A word of a localized file's name weighs as much as one of the issue, and counts in both.
    """
    places = relevance(" ".join(location.path for location in locations), paths)
    issue = relevance(bench.testbed.instance.problem_statement, paths)
    order = sorted(range(len(paths)), key=lambda i: (-places[i] - issue[i], paths[i].count("/"), paths[i]))
    return [paths[i] for i in order[:limit]]


async def count_failures(bench: Bench, regression: Regression, patch: str) -> int | None:
    """How many of the regression tests do not pass with the patch; None if the machine failed.

    All of them if the patch does not go in, or the tests end without results.
    """
    try:
        run = await bench.run(regression.script, patch)
    except InfrastructureError:
        return None
    statuses = (await _statuses(bench, run))[0] if run.applied else {}
    return sum(statuses.get(test) not in HOLDING for test in regression.tests)


async def _statuses(bench: Bench, run: CommandRun) -> tuple[dict[str, str], str]:
    bed = bench.testbed
    return await asyncio.to_thread(read_statuses, bed.instance, bed.specification, run.output, run.exit_status)


async def _strike(model: Model, prompts: Prompts, config: RegressionConfig, issue: str, base: Regression) -> Regression:
    """The tests that the model leaves of those that pass on the base state."""

    def render(count: int) -> str:
        return prompts.render(STAGE, issue=issue, tests=base.tests[:count])

    fitted = await fit_prompt(model, config.strike, render, len(base.tests))
    if fitted is None or not fitted.parts:
        return replace(base, unread="the issue leaves no room for the tests and an answer")
    reply = await ask(model, config.strike, fitted.prompt)
    struck = read_test_names(reply.whole_lines, base.tests)
    if reply.reason and not struck:
        return replace(base, unread=reply.detail, cost=reply.cost)
    tests = tuple(test for test in base.tests if test not in struck)
    return replace(
        base,
        tests=tests,
        reason=None if tests else RegressionReason.ALL_STRUCK,
        detail="" if tests else f"the model struck out all {len(struck)} tests",
        struck=struck,
        notes=reply.notes,
        cost=reply.cost,
    )


def read_test_names(text: str, tests: Sequence[str]) -> tuple[str, ...]:
    """The tests that an answer names, one a line, in the order given; whatever else it says is passed over."""
    lines = (_BULLET.sub("", line.strip(), count=1) for line in without_thinking(text).split("\n"))
    named = {line.strip().strip("`\"'") for line in lines}
    return tuple(test for test in tests if test in named)
