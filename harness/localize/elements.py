"""Related elements: the model names classes, functions and variables from the skeletons of the located files."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.core.instance import Instance
from harness.core.interfaces import NO_COST, Cost, Model, Sampling, Snapshot
from harness.core.location import Location
from harness.localize.places import read_places, resolve_places
from harness.localize.question import PlaceReason, Question, fit_question
from harness.model.ask import ask
from harness.model.prompts import Prompts
from harness.repo.outline import Outlines, skeleton, text_lines
from harness.repo.symbols import Element

STAGE = "localize_elements"


@dataclass(frozen=True)
class ElementLocalization:
    """The elements that the model named, and what that cost."""

    locations: tuple[Location, ...]  # empty if and only if there is a reason
    reason: PlaceReason | None = None
    names: tuple[str, ...] = ()  # what was found, as ``path: name``
    unresolved: tuple[str, ...] = ()  # names that stand for no element that was shown, or for several
    left_out: tuple[str, ...] = ()  # files that the prompt had no room for, the last ones first
    cost: Cost = NO_COST
    notes: tuple[str, ...] = ()  # "read-before-cut": the answer was cut, and its whole lines were read


@dataclass(frozen=True)
class SkeletonFile:
    """A file as the prompt shows it."""

    path: str
    text: str


async def localize_elements(
    model: Model,
    prompts: Prompts,
    sampling: Sampling,
    instance: Instance,
    snapshot: Snapshot,
    outlines: Outlines,
    files: Sequence[str],
) -> ElementLocalization:
    """The elements of ``files`` (the likeliest first) that the model relates to the issue; only these are parsed.

    Raises InfrastructureError if the model can't be asked.
    """
    lengths, elements, shown = await asyncio.to_thread(_skeletons, snapshot, outlines, files)
    known = [file.path for file in shown]
    question = await fit_question(
        model,
        sampling,
        lambda count: prompts.render(STAGE, issue=instance.problem_statement, files=shown[:count]),
        len(shown),
    )
    if not isinstance(question, Question):
        return ElementLocalization((), question, left_out=tuple(known))
    left_out = tuple(known[question.shown :])
    reply = await ask(model, sampling, question.prompt)
    places = [place for place in read_places(reply.whole_lines) if place.kind != "line"]
    if reply.reason and not places:
        return ElementLocalization((), PlaceReason(reply.reason.value), left_out=left_out, cost=reply.cost)
    found = resolve_places(places, {path: lengths[path] for path in known[: question.shown]}, elements.__getitem__)
    reason = None if found.locations else PlaceReason.UNRESOLVED if places else PlaceReason.NO_NAMES
    notes = () if reason else reply.notes
    return ElementLocalization(found.locations, reason, found.names, found.unresolved, left_out, reply.cost, notes)


def _skeletons(
    snapshot: Snapshot, outlines: Outlines, files: Sequence[str]
) -> tuple[Mapping[str, int], Mapping[str, tuple[Element, ...]], list[SkeletonFile]]:
    """The files' lengths in lines, their elements, and those that have any as the prompt shows them."""
    texts = {path: text_lines(snapshot.read(path)) for path in files}
    elements = {path: outlines.elements(snapshot, path) for path in files}
    shown = [SkeletonFile(path, skeleton(texts[path], elements[path])) for path in files if elements[path]]
    return {path: len(lines) for path, lines in texts.items()}, elements, shown
