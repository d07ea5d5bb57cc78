"""Where to look: a file with the line intervals that matter in it. What localization returns and repair takes."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

Interval = tuple[int, int]  # first and last line, counted from 1, both included

_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_LEADING = re.compile(r"(?:\./+)+")


@dataclass(frozen=True)
class Location:
    """A file of the snapshot and what of it is meant."""

    path: str
    intervals: tuple[Interval, ...] = ()  # in order and apart from each other; empty: the whole file


def merge_intervals(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same lines as intervals in order, those that overlap or touch joined."""
    merged: list[Interval] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def resolve_path(name: str, paths: Collection[str]) -> str | None:
    """The one path that ``name`` stands for, or None if there is none or more than one.

    In this order: the path itself; the only path that ends with the name; the longest ending of the name,
    of at least two parts, that is itself a path (a name with foreign folders in front); the same in another case;
    the file of a module of Python by its name with dots.
    """
    name = _LEADING.sub("", name.strip(), count=1) if name.strip().startswith("./") else name.strip()
    if not name:
        return None
    if found := _ending(name, paths):
        return found
    if _MODULE.fullmatch(name) and (found := _ending(name.replace(".", "/") + ".py", paths)):
        return found
    folded: dict[str, list[str]] = {}
    for path in paths:
        folded.setdefault(path.lower(), []).append(path)
    alike = folded.get(_ending(name.lower(), folded) or "", [])
    return alike[0] if len(alike) == 1 else None


def _ending(name: str, paths: Collection[str]) -> str | None:
    if name in paths:
        return name
    endings = [path for path in paths if path.endswith(f"/{name}")]
    if endings:
        return endings[0] if len(endings) == 1 else None
    parts = name.split("/")
    tails = ("/".join(parts[start:]) for start in range(1, len(parts) - 1))
    return next((tail for tail in tails if tail in paths), None)


def widened(locations: Iterable[Location], lengths: dict[str, int], lines: int) -> tuple[Location, ...]:
    """The same locations with so many lines around each interval."""
    return tuple(
        Location(
            place.path,
            merge_intervals((max(1, a - lines), min(lengths[place.path], b + lines)) for a, b in place.intervals),
        )
        for place in locations
    )


def union(sets: Iterable[Sequence[Location]]) -> tuple[Location, ...]:
    """All that any of the sets locates; a file that one of them means as a whole is meant as a whole."""
    joined: dict[str, list[Interval] | None] = {}
    for place in (place for locations in sets for place in locations):
        intervals = joined.setdefault(place.path, [])
        if not place.intervals or intervals is None:
            joined[place.path] = None
        else:
            intervals += place.intervals
    return tuple(Location(path, merge_intervals(intervals or ())) for path, intervals in joined.items())
