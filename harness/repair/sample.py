"""Sampling repairs: the located source is shown, several answers are drawn, each becomes a candidate."""

import asyncio
from collections.abc import Sequence
from typing import Any

from harness.candidate import Candidate, Reason
from harness.instance import Instance
from harness.location import Location
from harness.model.answers import read_edits
from harness.model.context import fit_prompt
from harness.model.prompts import Prompts
from harness.repair.edits import apply_edits
from harness.repair.match import EditRefused
from harness.repair.patch import make_patch, normalise, syntax_problem
from harness.repair.source import LocatedSource
from harness.seams import Answer, ContextOverflow, Model, Sampling, Snapshot

STAGE = "repair"


async def repair(
    model: Model,
    prompts: Prompts,
    sampling: Sampling,
    samples: int,
    instance: Instance,
    snapshot: Snapshot,
    locations: Sequence[Location],
) -> list[Candidate]:
    """``samples`` candidates from one prompt, asked for at once; each has a patch that applies, or a reason.

    The prompt shows as much of the located source as leaves ``sampling.max_tokens`` of the model's context, the
    most relevant first. Raises InfrastructureError where the model can't be asked.
    """
    source = LocatedSource(instance.problem_statement, snapshot, locations)
    if not source.blocks:
        detail = "the located files hold no text to show" if locations else "nothing was localized"
        return _without_asking(samples, Reason.NO_LOCATION, detail)

    def render(count: int) -> str:
        return prompts.render(STAGE, issue=instance.problem_statement, files=source.files(count))

    fitted = await fit_prompt(model, sampling, render, len(source.blocks))
    if fitted is None or not fitted.parts:
        return _without_asking(samples, Reason.CONTEXT_OVERFLOW, "the issue leaves no room for source and an answer")
    shown, left_out = source.shown(fitted.parts), source.left_out(fitted.parts)

    async def draw(index: int) -> Candidate:
        try:
            answer = await model.answer(fitted.prompt, sampling, index)
        except ContextOverflow as overflow:
            return Candidate(index=index, reason=Reason.CONTEXT_OVERFLOW, detail=str(overflow), left_out=left_out)
        return Candidate(
            index=index,
            left_out=left_out,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            seconds=answer.seconds,
            **await _outcome(answer, snapshot, shown),
        )

    return list(await asyncio.gather(*(draw(index) for index in range(samples))))


def _without_asking(samples: int, reason: Reason, detail: str) -> list[Candidate]:
    return [Candidate(index=index, reason=reason, detail=detail) for index in range(samples)]


async def _outcome(answer: Answer, snapshot: Snapshot, shown: Sequence[Location]) -> dict[str, Any]:
    """A candidate's fields that follow from the answer's text."""
    if answer.finish_reason == "length":
        return {"reason": Reason.TRUNCATED, "detail": f"cut after {answer.completion_tokens} tokens"}
    reading = read_edits(answer.text)
    fields: dict[str, Any] = {"edits": reading.edits}
    try:
        if reading.problems:
            raise EditRefused(Reason.PARSE_FAILURE, reading.problems[0])
        if not reading.edits:
            raise EditRefused(Reason.NO_EDITS, "the answer holds no search/replace block")
        applied = apply_edits(reading.edits, snapshot, shown)
        if problem := syntax_problem(applied.changes):
            raise EditRefused(Reason.SYNTAX_ERROR, problem)
        patch = make_patch(applied.changes)
        # git runs in its own process meanwhile; answers of other instances are read
        if problem := await asyncio.to_thread(snapshot.check_applies, patch):
            raise EditRefused(Reason.DOES_NOT_APPLY, " ".join(problem.split()))
    except EditRefused as refused:
        return fields | {"reason": refused.reason, "detail": refused.detail}
    return fields | {"patch": patch, "grades": applied.grades, "vote": normalise(applied.changes)}
