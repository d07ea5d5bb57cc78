"""Edit locations: the model names lines and elements to change from numbered source, in several samples."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.instance import Instance
from harness.core.interfaces import NO_COST, Cost, Drawing, Model, Snapshot
from harness.core.location import Location, widened
from harness.localize.places import read_places, resolve_places
from harness.localize.question import PlaceReason, Question, fit_question
from harness.model.ask import ask
from harness.model.prompts import Prompts
from harness.repo.located_source import RankedPieces
from harness.repo.outline import Outlines, text_lines

STAGE = "localize_lines"
PIECE_LINES = 40  # source is shown or left out in pieces of at most so many lines


@dataclass(frozen=True)
class LineSample:
    """What one sample named."""

    locations: tuple[Location, ...]  # empty if and only if there is a reason
    reason: PlaceReason | None = None
    unresolved: tuple[str, ...] = ()
    cost: Cost = NO_COST
    notes: tuple[str, ...] = ()  # "read-before-cut": the answer was cut, and its whole lines were read


@dataclass(frozen=True)
class LineLocalization:
    """The samples' edit locations."""

    samples: tuple[LineSample, ...]
    left_out: tuple[Location, ...] = ()  # located lines that the prompt had no room for


@dataclass(frozen=True)
class NumberedPiece:
    """Lines of a file as the prompt shows them, each with its number."""

    path: str
    text: str


async def localize_lines(
    model: Model,
    prompts: Prompts,
    drawing: Drawing,
    instance: Instance,
    snapshot: Snapshot,
    outlines: Outlines,
    located: Sequence[Location],
    context_lines: int,
) -> LineLocalization:
    """``drawing.samples`` samples, all from one prompt with ``context_lines`` around what is ``located``.

    The same number of lines is around each location that a sample names. Raises InfrastructureError if the model
    can't be asked.
    """
    issue = instance.problem_statement
    source = await asyncio.to_thread(NumberedSource, issue, snapshot, located, context_lines)

    def render(count: int) -> str:
        return prompts.render(STAGE, issue=issue, pieces=source.pieces(count))

    question = await fit_question(model, drawing.sampling, render, len(source.ranked))
    if not isinstance(question, Question):
        return LineLocalization((LineSample((), question),) * drawing.samples, source.ranked.left_out(0))

    async def draw(index: int) -> LineSample:
        reply = await ask(model, drawing.of(index), question.prompt, index)
        places = read_places(reply.whole_lines)
        if reply.reason and not places:
            return LineSample((), PlaceReason(reply.reason.value), cost=reply.cost)
        found = await asyncio.to_thread(
            resolve_places, places, source.lengths, lambda path: outlines.elements(snapshot, path)
        )
        reason = None if found.locations else PlaceReason.UNRESOLVED if places else PlaceReason.NO_NAMES
        located = widened(found.locations, source.lengths, context_lines)
        return LineSample(located, reason, found.unresolved, reply.cost, () if reason else reply.notes)

    samples = await asyncio.gather(*(draw(index) for index in range(drawing.samples)))
    return LineLocalization(tuple(samples), source.ranked.left_out(question.shown))


class NumberedSource:
    """The source at some locations, each line behind its number, the most relevant to an issue first."""

    def __init__(self, issue: str, snapshot: Snapshot, located: Sequence[Location], context_lines: int) -> None:
        self._texts = {place.path: text_lines(snapshot.read(place.path)) for place in located}
        self.lengths = {path: len(lines) for path, lines in self._texts.items()}
        whole = [Location(p.path, p.intervals or ((1, max(1, self.lengths[p.path])),)) for p in located]
        self.ranked = RankedPieces(issue, self._texts, widened(whole, self.lengths, context_lines), PIECE_LINES)

    def pieces(self, count: int) -> list[NumberedPiece]:
        """The ``count`` most relevant pieces as a prompt shows them."""
        return [
            NumberedPiece(place.path, "\n".join(f"{n}|{self._texts[place.path][n - 1]}" for n in range(a, b + 1)))
            for place in self.ranked.shown(count)
            for a, b in place.intervals
        ]
