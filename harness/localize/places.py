"""Places that a model names in files: elements and lines, read from its answer and resolved against the snapshot."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.core.location import Interval, Location, merge_intervals, resolve_path
from harness.model.answers import read_file_names, without_thinking
from harness.repo.symbols import Element, resolve_element

_PLACE = re.compile(r"[ \t>*-]*(class|function|method|variable|lines?)[ \t]*:[ \t]*(.+)", re.IGNORECASE)
_LINES = re.compile(r"(\d{1,7})(?:[ \t]*(?:-|–|to|,)[ \t]*(\d{1,7}))?\b.*")  # noqa: RUF001 - a dash that models write


@dataclass(frozen=True)
class Named:
    """A place as the model wrote it."""

    path: str
    kind: str  # "class", "function", "method", "variable", "line"
    name: str


@dataclass(frozen=True)
class Resolved:
    """What of the named places is there."""

    locations: tuple[Location, ...]  # in the order of the files that were shown
    names: tuple[str, ...]  # what was found, as ``path: name``
    unresolved: tuple[str, ...]  # what is not there, or could be several things


def read_places(text: str) -> tuple[Named, ...]:
    """The places that an answer names, in order, each once: under a file's path, one ``kind: name`` a line."""
    places, path = [], ""
    for line in without_thinking(text).split("\n"):
        if found := _PLACE.fullmatch(line.rstrip()):
            kind = found[1].lower()
            places.append(Named(path, "line" if kind == "lines" else kind, found[2].strip(" \t`*'\"")))
        elif paths := read_file_names(line):
            path = paths[0]
    return tuple(dict.fromkeys(places))


def resolve_places(
    places: Iterable[Named], lengths: dict[str, int], elements: Callable[[str], Sequence[Element]]
) -> Resolved:
    """The lines that the places stand for; ``lengths`` has the number of lines of each file that was shown."""
    spans: dict[str, list[Interval]] = {path: [] for path in lengths}
    names, unresolved = [], []
    for place in places:
        path = resolve_path(place.path, lengths)
        found = _spans(place, lengths[path], elements(path)) if path else []
        if path and found:
            spans[path] += found
            names.append(f"{path}: {place.name}")
        else:
            unresolved.append(f"{place.path}: {place.name}")
    located = (Location(path, merge_intervals(intervals)) for path, intervals in spans.items() if intervals)
    return Resolved(tuple(located), tuple(names), tuple(unresolved))


def _spans(place: Named, length: int, elements: Sequence[Element]) -> list[Interval]:
    if place.kind != "line":
        return [(element.first, element.last) for element in resolve_element(place.name, elements)]
    numbers = _LINES.fullmatch(place.name)
    if not numbers:
        return []
    first, last = int(numbers[1]), int(numbers[2] or numbers[1])
    return [(first, min(last, length))] if 1 <= first <= min(last, length) else []
