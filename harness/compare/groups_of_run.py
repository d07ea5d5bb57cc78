"""The groups of a finished run's checkpoints, each as one side of a comparison."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from harness.compare.finished import (
    Arm,
    Part,
    checkpoints_of,
    conditions_of,
    folder_name,
    gold_patches,
    read_frozen,
    read_part,
    variants_of,
)
from harness.compare.run_changes import settings_changes
from harness.compare.run_table import Totals, read_table
from harness.core.conditions import Condition, Reference
from harness.core.groups import Group, grouped


@dataclass(frozen=True)
class FinishedGroup:
    """A group with all that a run left of it."""

    group: Group
    arm: Arm
    packing_metrics: Mapping[str, float]  # means over the seeds
    totals: tuple[Totals, ...] = ()  # of each seed, all conditions together


@dataclass(frozen=True)
class FinishedRun:
    """What a run's folder holds, group by group."""

    folder: Path
    groups: tuple[FinishedGroup, ...]
    references: Mapping[str, Part]
    frozen: Mapping[str, Any]


def read_run(folder: Path) -> FinishedRun:
    """All groups and references of a finished run, or of one under way as far as it is done.

    Raises InputError for a folder without results, and for files that are damaged.
    """
    names, frozen, gold = checkpoints_of(folder), read_frozen(folder / "frozen.yaml"), gold_patches(folder)
    places = {name: folder / "checkpoints" / name for name in names if name not in get_args(Reference)}
    parts = {
        name: {c: read_part(place / (c or ""), gold) for c in conditions_of(place)} for name, place in places.items()
    }
    ours = any(condition for conditions in parts.values() for condition in conditions)  # not predictions alone
    rows = read_table(folder) if ours and (folder / "table.csv").is_file() else {}
    firsts = {name: next(iter(conditions.values())) for name, conditions in rows.items()}
    groups = []
    for group in grouped([variant for variant in variants_of(frozen, parts) if folder_name(variant.name) in parts]):
        found = [folder_name(member.name) for member in group.members]
        shared = [c for c in parts[found[0]] if all(c in parts[name] for name in found)]
        arm = Arm(
            name=group.name,
            checkpoints=tuple(found),
            parts={c: tuple(parts[name][c] for name in found) for c in shared},
            gold=gold,
            frozen=frozen,
            folder=folder,
        )
        own = [firsts.get(member.name) for member in group.members]
        metrics = _means([row.packing_metrics if row else {} for row in own])
        groups.append(FinishedGroup(group, arm, metrics, tuple(row.totals if row else Totals() for row in own)))
    kinds = [kind for kind in get_args(Reference) if (folder / "checkpoints" / kind / "verdicts.jsonl").is_file()]
    references = {kind: read_part(folder / "checkpoints" / kind, gold) for kind in kinds}
    return FinishedRun(folder, tuple(groups), references, frozen)


def merged(groups: Iterable[FinishedGroup]) -> list[FinishedGroup]:
    """Groups of several runs, of which those that differ in their seeds alone become one.

    Runs of other rows or other settings stay apart, and so do groups that share a seed.
    """
    found: list[FinishedGroup] = []
    for group in groups:
        place = next((n for n, known in enumerate(found) if _belong_together(known, group)), None)
        if place is None:
            found.append(group)
        else:
            found[place] = _together(found[place], group)
    return found


def _belong_together(one: FinishedGroup, other: FinishedGroup) -> bool:
    first, second = one.group.first, other.group.first
    seeds = [member.seed for found in (one, other) for member in found.group.members]
    return (
        (first.training, first.step, first.tokens) == (second.training, second.step, second.tokens)
        and one.group.name == other.group.name
        and None not in seeds
        and len(set(seeds)) == len(seeds)
        and one.arm.parts.keys() == other.arm.parts.keys()
        and one.arm.frozen.get("dataset") == other.arm.frozen.get("dataset")
        and not settings_changes(one.arm, other.arm)
    )


def _together(one: FinishedGroup, other: FinishedGroup) -> FinishedGroup:
    metrics = [found.packing_metrics for found in (one, other) for _ in found.group.members]
    return FinishedGroup(
        group=replace(one.group, members=one.group.members + other.group.members),
        arm=replace(
            one.arm,
            checkpoints=one.arm.checkpoints + other.arm.checkpoints,
            parts={condition: seeds + other.arm.parts[condition] for condition, seeds in one.arm.parts.items()},
            gold=one.arm.gold or other.arm.gold,
            folder=None,
        ),
        packing_metrics=_means(metrics),
        totals=one.totals + other.totals,
    )


def _means(metrics: list[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for found in metrics for name in found)
    values = {name: [found[name] for found in metrics if name in found] for name in names}
    return {name: sum(found) / len(found) for name, found in values.items()}


def named_conditions(groups: tuple[FinishedGroup, ...]) -> tuple[Condition | None, ...]:
    """The conditions that all groups were run under, in their order; None alone for given predictions."""
    shared = [set(found.arm.parts) for found in groups]
    everywhere = set.intersection(*shared) if shared else set()
    return tuple(c for c in (*get_args(Condition), None) if c in everywhere)
