"""Places that a model names in files: elements and lines, read from its answer and resolved against the snapshot."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from harness.core.location import Interval, Location, merge_intervals, resolve_path
from harness.model.answers import proper
from harness.reading import place_lists as reading
from harness.reading.place_kinds import LINE, NAME, Named
from harness.repo.symbols import Element, resolve_element


@dataclass(frozen=True)
class Resolved:
    """What of the named places is there."""

    locations: tuple[Location, ...]  # in the order of the files that were shown
    names: tuple[str, ...]  # what was found, as ``path: name``
    unresolved: tuple[str, ...]  # what is not there, or could be several things


def read_places(text: str) -> tuple[Named, ...]:
    """The places that an answer names, in order, each once: under a file's path, or behind it."""
    return reading.read_places(proper(text))


def resolve_places(
    places: Iterable[Named], lengths: dict[str, int], elements: Callable[[str], Sequence[Element]]
) -> Resolved:
    """The lines that the places stand for; ``lengths`` has the number of lines of each file that was shown."""
    spans: dict[str, list[Interval]] = {path: [] for path in lengths}
    names, unresolved = [], []
    above = Named("", "", "")  # the class that was named last
    for place in (_in_module(one, lengths) for one in places):
        path = resolve_path(place.path, lengths)
        found = _spans(place, lengths[path], elements(path)) if path else []
        if path and not found and above.path == place.path and place.kind in ("method", "function", NAME):
            found = _spans(replace(place, name=f"{above.name}.{place.name}"), lengths[path], elements(path))
        above = place if found and place.kind in ("class", NAME) else above
        if path and found:
            spans[path] += found
            names.append(f"{path}: {place.name}")
        else:
            unresolved.append(f"{place.path}: {place.name}")
    located = (Location(path, merge_intervals(intervals)) for path, intervals in spans.items() if intervals)
    return Resolved(tuple(located), tuple(names), tuple(unresolved))


def _in_module(place: Named, paths: Collection[str]) -> Named:
    """A place whose path is a module's name with an element's behind it, with the element as part of its own name."""
    parts = place.path.split(".")
    for count in range(len(parts) - 1, 1, -1):
        module = ".".join(parts[:count])
        if "/" not in place.path and not resolve_path(place.path, paths) and resolve_path(module, paths):
            return replace(place, path=module, name=".".join([*parts[count:], place.name]))
    return place


def _unqualified(place: Named) -> Iterator[str]:
    """The name without its module, if it begins with that or with the end of it."""
    module = place.path.rsplit(".", 1)[0].split("/")
    for start in range(len(module)):
        prefix = ".".join(module[start:]) + "."
        if place.name.startswith(prefix):
            yield place.name.removeprefix(prefix)


def _spans(place: Named, length: int, elements: Sequence[Element]) -> list[Interval]:
    if place.kind != LINE:
        names = (place.name, *_unqualified(place))
        found = next(filter(None, (resolve_element(name, elements) for name in names)), ())
        return [(element.first, element.last) for element in found]
    first, _, last = place.name.partition("-")
    begin, end = int(first), min(int(last or first), length)
    return [(begin, end)] if 1 <= begin <= end else []
