"""Scores of the single stages, beside the one score of the whole: values in, values out.

Localization is held against the gold patch, candidates and their selection against the tests.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import fmean

from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.core.location import Location
from harness.core.verdict import Outcome, Verdict
from harness.errors import InputError
from harness.repo.diff import split_lines
from harness.repo.gold_locations import gold_locations
from harness.repo.symbols import language_of, parse_elements
from harness.statistics.share import pass_at_k

CUTOFFS = (1, 3, 5)  # located files that recall and precision look at
DRAWS = (1, 2, 4, 8, 10, 16, 20, 32, 40, 64, 100)  # of pass@k, as far as there are candidates


@dataclass(frozen=True)
class Hits:
    """What was localized of one kind of thing, held against what the gold patch touches."""

    found: int  # of those meant by both
    meant: int  # by the gold patch, at least one
    named: int  # by the localization

    @property
    def recall(self) -> float:
        """Share of what the gold patch touches that was localized."""
        return self.found / self.meant

    @property
    def precision(self) -> float:
        """Share of what was localized that the gold patch touches; 0 if nothing was."""
        return self.found / self.named if self.named else 0.0


@dataclass(frozen=True)
class StageScores:
    """One attempt, stage by stage."""

    localized: Mapping[tuple[str, int], Hits] = field(default_factory=dict)  # (kind, k) -> hits among the first k files
    unresolved: Mapping[str, int] = field(default_factory=dict)  # stage of localization -> names that stand for nothing
    candidates: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)  # why candidates made no patch -> how many of them
    pool: str = ""  # what the candidates voted on had passed
    selected: bool | None = None  # whether the selected patch resolves; None if the machine failed on it
    graded: int = 0  # candidates with a verdict of the tests, those without a patch included
    resolving: int = 0  # of these


@dataclass(frozen=True)
class StageRow:
    """All attempts of one checkpoint under one condition. Means are over the instances that have the score."""

    checkpoint: str
    condition: str
    instances: int
    recall: Mapping[tuple[str, int], float]
    precision: Mapping[tuple[str, int], float]
    unresolved: Mapping[str, int]  # names in all instances together, by the stage of localization
    candidates: int
    reasons: Mapping[str, int]
    pools: Mapping[str, int]
    graded_instances: int  # of which every candidate has a verdict; the scores below are over these
    pass_at: Mapping[int, float]
    selected_rate: float | None
    oracle_rate: float | None


def localization_hits(
    instance: Instance, snapshot: Snapshot, locations: Sequence[Location]
) -> dict[tuple[str, int], Hits]:
    """Files, elements and lines of the first k located files, held against the gold patch, for each k of `CUTOFFS`.

    Lines that are only put in count as the lines on either side; a location without intervals means its whole file.
    An element is meant if it is the innermost one around a line that is. Empty if the gold patch is no diff or
    touches nothing that is there.
    """
    try:
        gold = _lines(gold_locations(instance, snapshot, 0), snapshot)
    except InputError:
        return {}
    if not gold:
        return {}
    things = {"element": _elements(gold, snapshot), "line": {(p, line) for p in gold for line in gold[p]}}
    ordered = list(dict.fromkeys(location.path for location in locations))
    hits = {}
    for k in CUTOFFS:
        first = set(ordered[:k])
        named = _lines([location for location in locations if location.path in first], snapshot)
        hits["file", k] = Hits(len(gold.keys() & first), len(gold), len(first))
        located = {"element": _elements(named, snapshot), "line": {(p, line) for p in named for line in named[p]}}
        for kind, meant in things.items():
            if meant:
                hits[kind, k] = Hits(len(meant & located[kind]), len(meant), len(located[kind]))
    return hits


def _lines(locations: Iterable[Location], snapshot: Snapshot) -> dict[str, set[int]]:
    lines: dict[str, set[int]] = {}
    for location in locations:
        whole = ((1, len(split_lines(snapshot.read(location.path)))),)
        for first, last in location.intervals or whole:
            lines.setdefault(location.path, set()).update(range(first, last + 1))
    return lines


def _elements(lines: Mapping[str, set[int]], snapshot: Snapshot) -> set[tuple[str, int]]:
    """The innermost elements around the lines, each as its path and its place in the file."""
    found: set[tuple[str, int]] = set()
    for path, numbers in lines.items():
        innermost: dict[int, int] = {}
        # an element comes after those around it, so the last one to take a line keeps it
        for place, (first, last) in enumerate(_ranges(path, snapshot.read(path))):
            innermost.update(dict.fromkeys(range(first, last + 1), place))
        found |= {(path, innermost[number]) for number in numbers if number in innermost}
    return found


@lru_cache(maxsize=256)
def _ranges(path: str, data: bytes) -> tuple[tuple[int, int], ...]:
    """First and last lines of a file's elements, the outer ones first; none for a language without grammar."""
    language = language_of(path)
    elements = parse_elements(data, language) if language else ()
    return tuple((element.first, element.last) for element in elements)


def count_resolving(candidates: int, verdicts: Mapping[int, Verdict]) -> tuple[int, int]:
    """Candidates with a verdict, and of these the resolving ones; one without a patch counts as not resolving."""
    failed = sum(verdict.outcome is Outcome.INFRASTRUCTURE for verdict in verdicts.values())
    return candidates - failed, sum(verdict.resolved for verdict in verdicts.values())


def summarise_stages(attempts: Iterable[tuple[str, str, StageScores]]) -> list[StageRow]:
    """One row for each checkpoint and condition, in the order in which they first come."""
    groups: dict[tuple[str, str], list[StageScores]] = {}
    for checkpoint, condition, scores in attempts:
        groups.setdefault((checkpoint, condition), []).append(scores)
    return [_summarise(*names, scores) for names, scores in groups.items()]


def _summarise(checkpoint: str, condition: str, group: Sequence[StageScores]) -> StageRow:
    kinds = list(dict.fromkeys(key for scores in group for key in scores.localized))
    hits = {key: [scores.localized[key] for scores in group if key in scores.localized] for key in kinds}
    reasons: Counter[str] = Counter()
    unresolved: Counter[str] = Counter()
    for scores in group:
        reasons.update(scores.reasons)
        unresolved.update(scores.unresolved)
    whole = [s for s in group if s.candidates and s.graded == s.candidates and s.selected is not None]
    draws = [k for k in DRAWS if whole and k <= min(scores.graded for scores in whole)]
    return StageRow(
        checkpoint=checkpoint,
        condition=condition,
        instances=len(group),
        recall={key: fmean(hit.recall for hit in found) for key, found in hits.items()},
        precision={key: fmean(hit.precision for hit in found) for key, found in hits.items()},
        unresolved=dict(unresolved),
        candidates=sum(scores.candidates for scores in group),
        reasons=dict(reasons.most_common()),
        pools=dict(Counter(scores.pool for scores in group if scores.pool).most_common()),
        graded_instances=len(whole),
        pass_at={k: fmean(pass_at_k(scores.graded, scores.resolving, k) for scores in whole) for k in draws},
        selected_rate=fmean(bool(scores.selected) for scores in whole) if whole else None,
        oracle_rate=fmean(scores.resolving > 0 for scores in whole) if whole else None,
    )
