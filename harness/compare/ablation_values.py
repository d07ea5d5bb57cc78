"""The ablation table's values: groups of finished runs, their scores, and how each differs from every other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from statistics import fmean, median
from typing import Any

import numpy as np

from harness.compare.finished import Arm
from harness.compare.group_costs import Costs, group_costs
from harness.compare.groups_of_run import FinishedGroup, FinishedRun, merged, named_conditions
from harness.compare.run_changes import require_one_dataset, settings_changes
from harness.compare.scores import cell_bounds, paired
from harness.core.conditions import Condition
from harness.core.groups import Group
from harness.errors import InputError
from harness.packing.strategies import STRATEGIES
from harness.report.stage_scores import StageRow, summarise_stages
from harness.statistics.compare import Comparison, compare
from harness.statistics.many import holm
from harness.statistics.power import detectable
from harness.statistics.rate import Rate, rate
from harness.statistics.requirement import LESS_IS_BETTER, Metric
from harness.statistics.share import CONFIDENCE

METRICS: tuple[Metric, ...] = ("resolve_rate", "similarity", "empty_rate")
BASELINE = "concat-then-split"  # strategy of the group that others are held against, if there is one

View = tuple[Condition | None, Metric]  # None: the mean over all conditions


@dataclass(frozen=True)
class AblationRow:
    """One group."""

    group: Group
    packing_metrics: Mapping[str, float]
    rates: Mapping[View, Rate]
    stages: Mapping[str, StageRow]  # by condition
    costs: Costs

    def of(self, metric: Metric, condition: Condition | None = None) -> Rate | None:
        """A score under a condition, or its mean over all; None if the records do not have it."""
        return self.rates.get((condition, metric))


@dataclass(frozen=True)
class Held:
    """A group held against another, in one view."""

    first: str
    second: str
    comparison: Comparison
    adjusted: float | None  # p by Holm over all pairs of the view

    @property
    def distinguishable(self) -> bool:
        """Whether the two differ, all pairs of the table considered."""
        return self.comparison.distinguishable and self.adjusted is not None and self.adjusted < 1 - CONFIDENCE


@dataclass(frozen=True)
class Ablation:
    """The whole table."""

    rows: tuple[AblationRow, ...]
    conditions: tuple[Condition | None, ...]
    references: Mapping[str, tuple[int, int]]  # resolved, instances
    constants: Mapping[str, str]  # what is the same in all rows
    baseline: str  # name of a group
    held: Mapping[View, tuple[Held, ...]] = field(default_factory=dict)
    apart: tuple[str, ...] = ()  # why groups can't be held against each other
    repeatable: tuple[str, ...] = ()  # groups whose answers depend on nothing that was asked beside them

    @property
    def views(self) -> tuple[View, ...]:
        """The mean over all conditions first, then each condition if there are several."""
        several = self.conditions if len(self.conditions) > 1 else ()
        return tuple((condition, metric) for condition in (None, *several) for metric in METRICS)

    def best(self, view: View) -> str | None:
        """The group whose score is best and distinguishable from that of every other; None if there is none."""
        scored = {row.group.name: row.rates[view].value for row in self.rows if view in row.rates}
        if len(scored) < 2 or len(scored) < len(self.rows):
            return None
        name = (min if view[1] in LESS_IS_BETTER else max)(scored, key=scored.__getitem__)
        own = [held for held in self.held.get(view, ()) if name in (held.first, held.second)]
        return name if len(own) == len(scored) - 1 and all(held.distinguishable for held in own) else None

    def against_baseline(self, view: View) -> list[Held]:
        """What each other group is ahead of the baseline by, or behind."""
        own = [held for held in self.held.get(view, ()) if self.baseline in (held.first, held.second)]
        return [held if held.first == self.baseline else _turned(held) for held in own]

    def smallest(self, view: View) -> "Smallest | None":
        """The least differences that these numbers of instances and seeds can show; None for a single group."""
        found = [held.comparison for held in self.held.get(view, ())]
        if not found:
            return None
        alone = [detectable(one.error, one.freedom, (1 + CONFIDENCE) / 2) for one in found]
        least = (1 - CONFIDENCE) / len(found)
        together = [detectable(one.error, one.freedom, 1 - least / 2) for one in found]
        return Smallest(median(alone), median(together), len(found))


@dataclass(frozen=True)
class Smallest:
    """Differences that are found in four of five such studies: the median over the pairs, as parts of 1."""

    alone: float  # by a comparison that stands alone
    together: float  # by the hardest step of Holm's correction for all pairs
    pairs: int


def ablation(runs: Sequence[FinishedRun], baseline: str | None = None) -> Ablation:
    """The table of all groups of these runs, in the order of the report's Table 13 (arXiv 2603.00729).

    ``baseline`` names a group; by default it is the one of concat-then-split, or the first. Raises InputError if there
    is no checkpoint, two runs have a group of one name, or there is no such group.
    """
    groups = sorted(merged(found for run in runs for found in run.groups), key=_place)
    names = [found.group.name for found in groups]
    if not groups:
        raise InputError("the folders hold no checkpoint; name the output folder of a run with checkpoints")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{twice[0]}: several of the runs have a group of this name; give the checkpoints labels")
    if baseline is not None and baseline not in names:
        raise InputError(f"no group {baseline!r}; name one of {', '.join(names)}")
    usual = next((f.group.name for f in groups if f.group.first.strategy == BASELINE), names[0])
    conditions = named_conditions(tuple(groups))
    found = Ablation(
        rows=tuple(_row(group, conditions) for group in groups),
        conditions=conditions,
        references=_references(runs),
        constants=_constants(groups, conditions),
        baseline=baseline or usual,
    )
    held, apart = _all_held([group.arm for group in groups], found.views)
    repeatable = tuple(found.group.name for found in groups if _is_repeatable(found.arm))
    return replace(found, held=held, apart=apart, repeatable=repeatable)


def _is_repeatable(arm: Arm) -> bool:
    return set(arm.checkpoints) <= set(arm.frozen.get("batch_invariant") or ())


def _place(found: FinishedGroup) -> tuple[int, float]:
    strategy = found.group.first.strategy
    place = STRATEGIES.index(strategy) if strategy in STRATEGIES else len(STRATEGIES)
    return place, found.group.first.place or 0.0


def _row(found: FinishedGroup, conditions: Sequence[Condition | None]) -> AblationRow:
    arm = found.arm
    several = conditions if len(conditions) > 1 else ()
    rates: dict[View, Rate] = {}
    for condition in (None, *several):
        parts = [arm.parts[c] for c in (conditions if condition is None else [condition])]
        for metric in METRICS:
            try:
                bounds = cell_bounds(parts, metric, arm.gold or {}).values()
            except InputError:
                if metric != "similarity":  # which folders from before, without gold patches, do not have
                    raise
                continue
            failed, resolved = (np.array(values, dtype=np.float64) for values in zip(*bounds, strict=True))
            rates[condition, metric] = rate(failed, resolved)
    scores = [(c, one.scores.stages) for c, seeds in arm.parts.items() for part in seeds for one in part.values()]
    stages = summarise_stages((found.group.name, c or "", one) for c, one in scores if one is not None)
    return AblationRow(
        group=found.group,
        packing_metrics=found.packing_metrics,
        rates=rates,
        stages={row.condition: row for row in stages},
        costs=group_costs(found),
    )


def _references(runs: Sequence[FinishedRun]) -> dict[str, tuple[int, int]]:
    found = {kind: part for run in runs for kind, part in run.references.items()}
    return {kind: (sum(one.verdict.resolved for one in part.values()), len(part)) for kind, part in found.items()}


def _constants(groups: Sequence[FinishedGroup], conditions: Sequence[Condition | None]) -> dict[str, str]:
    """What every row shares, in words: said once above the table."""
    sizes = {len(seeds[0]) for found in groups for seeds in found.arm.parts.values()}
    seeds = {len(found.group.members) for found in groups}
    shared = {
        "instances": " or ".join(str(size) for size in sorted(sizes)),
        "conditions": ", ".join(c or "given predictions" for c in conditions),
        "seeds of each group": " or ".join(str(count) for count in sorted(seeds)),
    }
    configurations = [found.arm.frozen.get("configuration") or {} for found in groups]
    for name, path in (
        ("data set", ("dataset", "path")),
        ("preset", ("preset",)),
        ("prompts", ("prompts",)),
        ("samples", ("sampling", "samples")),
        ("temperature of repair", ("sampling", "repair", "temperature")),
    ):
        values = {str(_at(configuration, path)) for configuration in configurations}
        if len(values) == 1 and values != {"None"}:
            shared[name] = values.pop()
    return shared


def _at(value: Any, path: Sequence[str]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _all_held(arms: Sequence[Arm], views: Sequence[View]) -> tuple[dict[View, tuple[Held, ...]], tuple[str, ...]]:
    """Every pair that can be compared, in every view; and why others can't."""
    pairs, reasons = [], dict[str, None]()
    for first, second in combinations(arms, 2):
        try:
            require_one_dataset(first, second)
            if changes := settings_changes(first, second):
                raise InputError(f"{first.name} and {second.name}: {changes[0].place} differs")
            paired(first, second, "empty_rate")
            pairs.append((first, second))
        except InputError as error:
            reasons[str(error)] = None
    return {view: _family(pairs, view) for view in views}, tuple(reasons)


def _family(pairs: Sequence[tuple[Arm, Arm]], view: View) -> tuple[Held, ...]:
    condition, metric = view
    found = []
    for first, second in pairs:
        try:
            outcomes = paired(first, second, metric, condition)
        except InputError:  # a similarity that the records do not have
            continue
        if outcomes.comparable:
            found.append(Held(first.name, second.name, compare(outcomes), None))
    adjusted = holm([1.0 if held.comparison.p is None else held.comparison.p for held in found])
    return tuple(replace(held, adjusted=p) for held, p in zip(found, adjusted, strict=True))


def _turned(held: Held) -> Held:
    return replace(held, first=held.second, second=held.first, comparison=held.comparison.reversed())


def mean_of(rows: Sequence[StageRow], draws: int) -> float | None:
    """pass@``draws``, averaged over the conditions; None unless all of them have it."""
    found = [row.pass_at[draws] for row in rows if draws in row.pass_at]
    return fmean(found) if found and len(found) == len(rows) else None
