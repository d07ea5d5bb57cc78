"""Two checkpoints of finished runs, held against each other instance by instance: values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from harness.compare.finished import Arm, Attempted
from harness.compare.run_changes import Change, other_changes, require_one_dataset, settings_changes
from harness.compare.scores import paired
from harness.core.conditions import Condition
from harness.statistics.compare import Comparison, compare
from harness.statistics.many import holm
from harness.statistics.outcomes import Pair, PairedOutcomes

Kind = Literal["broken", "fixed", "not graded", "other reason"]  # as they are listed


@dataclass(frozen=True)
class Scope:
    """The resolve rates of one part of what was compared."""

    name: str  # "all conditions", a condition or a repository
    comparison: Comparison
    adjusted: float | None  # p by Holm over the parts of its kind; None if there is one


@dataclass(frozen=True)
class Flip:
    """An instance that did not end alike in the two."""

    instance_id: str
    condition: Condition | None
    kind: Kind
    first: str  # outcome, and its reason if it has one
    second: str


@dataclass(frozen=True)
class RunComparison:
    """All that two finished runs say of each other; differences are the second's less the first's."""

    first: Arm
    second: Arm
    overall: Scope
    conditions: tuple[Scope, ...]  # none if there is but one
    repositories: tuple[Scope, ...]  # over all conditions
    flips: tuple[Flip, ...]  # none for groups of several seeds
    settings: tuple[Change, ...]  # which determine results
    others: tuple[Change, ...]  # versions, images, how the checkpoint was served


def compare_runs(first: Arm, second: Arm) -> RunComparison:
    """Compare two checkpoints, or groups of seeds.

    Raises InputError for runs that can't be compared: of other instances, rows or conditions.
    """
    require_one_dataset(first, second)
    everything = paired(first, second, "resolve_rate")
    parts = {str(c): paired(first, second, "resolve_rate", c) for c in first.parts if c and len(first.parts) > 1}
    return RunComparison(
        first,
        second,
        Scope("all conditions" if parts else "all instances", compare(everything), None),
        _scopes(parts),
        _scopes(_by_repository(everything)),
        tuple(_flips(first, second)) if len(first.checkpoints) == len(second.checkpoints) == 1 else (),
        tuple(settings_changes(first, second)),
        tuple(other_changes(first, second)),
    )


def _by_repository(outcomes: PairedOutcomes) -> Mapping[str, PairedOutcomes]:
    groups: dict[str, list[Pair]] = {}
    for pair in outcomes.pairs:
        groups.setdefault(pair.repository, []).append(pair)
    graded = {name: PairedOutcomes(tuple(pairs)) for name, pairs in sorted(groups.items())}
    return {name: found for name, found in graded.items() if found.comparable} if len(graded) > 1 else {}


def _scopes(parts: Mapping[str, PairedOutcomes]) -> tuple[Scope, ...]:
    found = [Scope(name, compare(outcomes), None) for name, outcomes in parts.items()]
    adjusted = holm([1.0 if scope.comparison.p is None else scope.comparison.p for scope in found])
    return tuple(replace(scope, adjusted=p) for scope, p in zip(found, adjusted, strict=True))


def _flips(first: Arm, second: Arm) -> Sequence[Flip]:
    flips = []
    for condition, [part] in first.parts.items():
        [others] = second.parts[condition]
        for instance_id, one in part.items():
            other = others[instance_id]
            if kind := _kind(one, other):
                flips.append(Flip(instance_id, condition, kind, _ending(one), _ending(other)))
    return sorted(flips, key=lambda flip: get_args(Kind).index(flip.kind))


def _kind(one: Attempted, other: Attempted) -> Kind | None:
    if one.verdict.outcome is other.verdict.outcome:
        return None
    if not (one.graded and other.graded):
        return "not graded"
    if one.verdict.resolved == other.verdict.resolved:
        return "other reason"
    return "fixed" if other.verdict.resolved else "broken"


def _ending(attempted: Attempted) -> str:
    detail = " ".join(attempted.verdict.detail.split())
    return f"{attempted.verdict.outcome.value}: {detail}" if detail else attempted.verdict.outcome.value
