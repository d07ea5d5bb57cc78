"""Places that a model names in files: elements and lines, read from its answer and resolved against the snapshot."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from harness.core.location import Interval, Location, merge_intervals, resolve_path
from harness.model.answers import without_thinking
from harness.reading import place_lists as reading
from harness.reading.place_kinds import LINE, Named
from harness.repo.symbols import Element, resolve_element


@dataclass(frozen=True)
class Resolved:
    """What of the named places is there."""

    locations: tuple[Location, ...]  # in the order of the files that were shown
    names: tuple[str, ...]  # what was found, as ``path: name``
    unresolved: tuple[str, ...]  # what is not there, or could be several things


def read_places(text: str) -> tuple[Named, ...]:
    """The places that an answer names, in order, each once: under a file's path, or behind it."""
    return reading.read_places(without_thinking(text))


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
    if place.kind != LINE:
        return [(element.first, element.last) for element in resolve_element(place.name, elements)]
    first, _, last = place.name.partition("-")
    begin, end = int(first), min(int(last or first), length)
    return [(begin, end)] if 1 <= begin <= end else []
