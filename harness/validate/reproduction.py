"""Reproduction tests: scripts of the model's that show the issue on the base state, and that a fix must turn.

A script tells what it saw by printing one of three lines. What the model writes is run in the sandbox only.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from harness.config.schema import ReproductionConfig
from harness.core.instance import Instance
from harness.core.interfaces import NO_COST, Cost, Drawing, Model
from harness.errors import InfrastructureError
from harness.model.answers import without_thinking
from harness.model.ask import Reply, ask
from harness.model.prompts import Prompts
from harness.validate.programs import PYTHON, Program
from harness.validate.runner import Bench
from harness.validate.suite import marked_region, program_script

STAGE = "reproduction"
REPRODUCED, RESOLVED, OTHER = "Issue reproduced", "Issue resolved", "Other issues"

_BLOCK = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n(.*?)^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)


class ScriptReason(StrEnum):
    """Why a sampled reproduction test is not used."""

    CONTEXT_OVERFLOW = "context-overflow"
    TRUNCATED = "truncated"  # the answer was cut, and nothing before that is whole
    NOT_RECORDED = "not-recorded"  # the recording holds no such answer
    ONLY_REASONING = "only-reasoning"  # the server set all of the answer apart as thinking
    NO_SCRIPT = "no-script"  # the answer holds no fenced script
    SYNTAX_ERROR = "syntax-error"
    NO_LINES = "no-lines"  # the script can't say both that the issue is there and that it is gone
    NOT_REPRODUCED = "not-reproduced"  # it does not show the issue on the base state
    INFRASTRUCTURE = "infrastructure"  # the machine failed: says nothing of the test


class ReproductionTest(BaseModel):
    """Sample ``index`` of one instance's reproduction tests."""

    model_config = ConfigDict(frozen=True)

    index: int
    source: str = ""
    reason: ScriptReason | None = None
    detail: str = ""  # the reason in one line
    vote: str = ""  # equal for scripts that differ in comments, docstrings and formatting only
    cost: Cost = NO_COST
    notes: tuple[str, ...] = ()  # "read-before-cut": the answer was cut behind this script


async def sample_reproductions(
    model: Model, prompts: Prompts, config: ReproductionConfig, instance: Instance, program: Program = PYTHON
) -> list[ReproductionTest]:
    """``config.samples`` scripts from one prompt, the first greedy if so configured; each runs or has a reason.

    Raises InfrastructureError if the model can't be asked.
    """
    lines = {"reproduced": REPRODUCED, "resolved": RESOLVED, "other": OTHER}
    prompt = prompts.render(STAGE, issue=instance.problem_statement, program=program, **lines)
    drawing = Drawing(config.sampling, config.samples, config.greedy)

    async def draw(index: int) -> ReproductionTest:
        return read_reproduction(await ask(model, drawing.of(index), prompt, index), index, program)

    return list(await asyncio.gather(*(draw(index) for index in range(config.samples))))


def read_reproduction(reply: Reply, index: int, program: Program = PYTHON) -> ReproductionTest:
    """The script in an answer, or why there is none; the last fenced block counts, as models draft first."""
    reason, detail, source, vote = None, "", "", ""
    blocks = [found[2] for found in _BLOCK.finditer(without_thinking(reply.text))]
    if reply.reason and not blocks:
        reason, detail = ScriptReason(reply.reason.value), reply.detail
    elif not blocks:
        reason, detail = ScriptReason.NO_SCRIPT, "the answer holds no fenced script"
    else:
        source = blocks[-1]
        reason, detail, vote = _judge(source, program)
    return ReproductionTest(
        index=index,
        source=source,
        reason=reason,
        detail=detail,
        vote=vote,
        cost=reply.cost,
        notes=reply.notes if source else (),
    )


def _judge(source: str, program: Program) -> tuple[ScriptReason | None, str, str]:
    """Why a script can't be used, in one word and in one line, and else its key in the vote."""
    missing = [line for line in (REPRODUCED, RESOLVED) if line not in source]
    if problem := program.problem(source):
        return ScriptReason.SYNTAX_ERROR, problem, ""
    if missing:
        return ScriptReason.NO_LINES, f"it never prints {missing[0]!r}", ""
    return None, "", program.meaning(source)


async def keep_reproducing(
    bench: Bench, tests: Sequence[ReproductionTest], program: Program = PYTHON
) -> list[ReproductionTest]:
    """The tests with a reason for each that does not show the issue on the base; equal scripts are run once."""
    usable = {test.vote: test for test in reversed(tests) if test.reason is None}
    ends = dict(
        zip(usable, await asyncio.gather(*(_end(bench, test, "", program) for test in usable.values())), strict=True)
    )
    return [
        test if test.reason or ends[test.vote] == {REPRODUCED} else test.model_copy(update=_refused(ends[test.vote]))
        for test in tests
    ]


def _refused(said: set[str] | None) -> dict[str, object]:
    if said is None:
        return {"reason": ScriptReason.INFRASTRUCTURE, "detail": "the machine failed"}
    return {
        "reason": ScriptReason.NOT_REPRODUCED,
        "detail": f"on the base it says: {', '.join(sorted(said)) or 'nothing'}",
    }


def choose_reproductions(tests: Sequence[ReproductionTest], limit: int) -> list[ReproductionTest]:
    """At most ``limit`` distinct tests that show the issue, those sampled most often first, of equals the earliest."""
    usable = sorted((test for test in tests if test.reason is None), key=lambda test: test.index)
    votes = Counter(test.vote for test in usable)
    distinct = {test.vote: test for test in reversed(usable)}.values()
    return sorted(distinct, key=lambda test: (-votes[test.vote], test.index))[:limit]


async def shows_resolved(bench: Bench, test: ReproductionTest, patch: str, program: Program = PYTHON) -> bool | None:
    """Whether the script says, with the patch in, that the issue is gone and nothing else; None: the machine failed."""
    said = await _end(bench, test, patch, program)
    return None if said is None else said == {RESOLVED}


async def _end(bench: Bench, test: ReproductionTest, patch: str, program: Program) -> set[str] | None:
    """Which of the three lines the script printed."""
    script = program_script(bench.testbed, program.command, {program.path: test.source})
    try:
        run = await bench.run(script, patch)
    except InfrastructureError:
        return None
    printed = {line.strip() for line in (marked_region(run.output) or "").splitlines()}
    return printed & {REPRODUCED, RESOLVED, OTHER}
