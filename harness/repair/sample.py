"""Sampling repairs: the located source is shown, several answers are drawn, each becomes a candidate."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.common.loop_threads import READERS
from harness.core.candidate import Candidate, Reason
from harness.core.instance import Instance
from harness.core.interfaces import Drawing, Model, Snapshot
from harness.core.location import Location
from harness.model.answers import read_edits
from harness.model.ask import Reply, ask
from harness.model.fit_prompt import Fitted, fit_prompt
from harness.model.prompts import Prompts
from harness.reading.formats import Format
from harness.repair.edits import apply_edits
from harness.repair.match import EditRefused
from harness.repair.patch import make_patch, normalise, read_effect, syntax_problem
from harness.repair.source import LocatedSource

STAGE = "repair"


async def repair(
    model: Model,
    prompts: Prompts,
    drawing: Drawing,
    instance: Instance,
    snapshot: Snapshot,
    location_sets: Sequence[Sequence[Location]],
) -> list[Candidate]:
    """``drawing.samples`` candidates for each set of locations, all asked for at once (Agentless: 1 + 9 for 4 sets).

    Each has a patch that applies, or a reason. A set's prompt shows as much of its source as leaves
    ``sampling.max_tokens`` of the model's context, the most relevant first. No set at all counts as one that
    locates nothing. Raises InfrastructureError if the model can't be asked.
    """
    sets = location_sets or ((),)
    work = _Repair(model, prompts, drawing, instance, snapshot)
    drawn = await asyncio.gather(*(work.candidates(number, locations) for number, locations in enumerate(sets)))
    return mark_duplicates([candidate for candidates in drawn for candidate in candidates])


def mark_duplicates(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same candidates; each that votes as an earlier one does names the earliest of these."""
    first: dict[str, int] = {}
    marked = []
    for candidate in candidates:
        earliest = first.setdefault(candidate.vote, candidate.index) if candidate.vote else candidate.index
        same = earliest == candidate.index
        marked.append(candidate if same else candidate.model_copy(update={"duplicate_of": earliest}))
    return marked


@dataclass(frozen=True)
class _Repair:
    """What all sets of locations of one instance share."""

    model: Model
    prompts: Prompts
    drawing: Drawing
    instance: Instance
    snapshot: Snapshot

    async def candidates(self, number: int, locations: Sequence[Location]) -> list[Candidate]:
        """The candidates of set ``number``."""
        source = await asyncio.to_thread(LocatedSource, self.instance.problem_statement, self.snapshot, locations)
        if not source.ranked:
            detail = "the located files hold no text to show" if locations else "nothing was localized"
            return self._unasked(number, Reason.NO_LOCATION, detail)
        fitted = await self._fit(source)
        if fitted is None or not fitted.parts:
            return self._unasked(number, Reason.CONTEXT_OVERFLOW, "the issue leaves no room for source and an answer")
        shown, left_out = source.ranked.shown(fitted.parts), source.left_out(fitted.parts)
        samples = range(self.drawing.samples)
        drawn = await asyncio.gather(*(self._draw(number, sample, fitted.prompt, shown) for sample in samples))
        return [_with(candidate, left_out=left_out) for candidate in drawn]

    async def _fit(self, source: LocatedSource) -> Fitted | None:
        issue = self.instance.problem_statement

        def render(count: int) -> str:
            return self.prompts.render(STAGE, issue=issue, files=source.files(count))

        return await fit_prompt(self.model, self.drawing.sampling, render, len(source.ranked))

    async def _draw(self, number: int, sample: int, prompt: str, shown: Sequence[Location]) -> Candidate:
        candidate = self._blank(number, sample)
        asked = self.prompts.settings.answer
        reply = await ask(self.model, self.drawing.of(sample), prompt, candidate.index)
        return _with(candidate, cost=reply.cost, **await read_answer(reply, self.snapshot, shown, asked))

    def _blank(self, number: int, sample: int) -> Candidate:
        # one index over all sets: two sets may show the same lines, and must still be sampled apart
        index = number * self.drawing.samples + sample
        return Candidate(index=index, location_set=number, greedy=self.drawing.is_greedy(sample))

    def _unasked(self, number: int, reason: Reason, detail: str) -> list[Candidate]:
        blank = (self._blank(number, sample) for sample in range(self.drawing.samples))
        return [_with(candidate, reason=reason, detail=detail) for candidate in blank]


def _with(candidate: Candidate, **fields: Any) -> Candidate:
    return candidate.model_copy(update=fields)


async def read_answer(
    reply: Reply, snapshot: Snapshot, shown: Sequence[Location], asked: Format = Format.SEARCH_REPLACE
) -> dict[str, Any]:
    """A candidate's fields that follow from the answer's text: its patch, or the reason that it makes none.

    The work is done in a thread: meanwhile other answers come in.
    """
    return await asyncio.get_running_loop().run_in_executor(READERS, _read, reply, snapshot, shown, asked)


def _read(reply: Reply, snapshot: Snapshot, shown: Sequence[Location], asked: Format) -> dict[str, Any]:
    reading = read_edits(reply.text, reply.cut, asked)
    if reply.reason and not reading.edits:
        return {"reason": Reason(reply.reason.value), "detail": reply.detail}
    fields: dict[str, Any] = {"edits": reading.edits, "notes": reply.notes}
    try:
        if reading.problems:
            raise EditRefused(Reason.PARSE_FAILURE, reading.problems[0])
        if not reading.edits:
            raise EditRefused(Reason.NO_EDITS, "the answer holds no edit in any format")
        applied = apply_edits(reading.edits, snapshot, shown)
        if problem := syntax_problem(applied.changes):
            raise EditRefused(Reason.SYNTAX_ERROR, problem)
        patch = make_patch(applied.changes)
        if problem := snapshot.check_applies(patch):
            raise EditRefused(Reason.DOES_NOT_APPLY, " ".join(problem.split()))
    except EditRefused as refused:
        return fields | {"reason": refused.reason, "detail": refused.detail}
    facts = {"grades": applied.grades, "vote": normalise(applied.changes), "effect": read_effect(applied.changes)}
    return fields | {"patch": patch, **facts}
