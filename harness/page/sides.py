"""What a page compares with what: groups of seeds, and single checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.compare.ablation_values import Ablation, ablation
from harness.compare.finished import Arm, folder_name
from harness.compare.groups_of_run import FinishedRun, read_run
from harness.core.conditions import REFERENCES
from harness.page.run_records import RunRecords

MOST = 12  # sides of which each is compared with each; of more, each with the baseline


@dataclass(frozen=True)
class Side:
    """One side of the page's comparisons."""

    arm: Arm
    group: int  # which group it is, or is a seed of
    seed: int | None = None  # which of the group's seeds; None for the whole group

    @property
    def name(self) -> str:
        """As readers choose it."""
        return self.arm.name


@dataclass(frozen=True)
class Sides:
    """All sides of a run, and the table that they are the rows of."""

    sides: tuple[Side, ...]
    pairs: tuple[tuple[int, int], ...]  # of sides that are compared: the first, and the second against it
    baseline: int | None  # a side; None if there is nothing to compare
    table: Ablation | None  # of a finished run

    def position(self, name: str) -> int | None:
        """The side of that name."""
        return next((number for number, side in enumerate(self.sides) if side.name == name), None)


def finished_sides(records: RunRecords, baseline: str | None) -> Sides:
    """Groups of a finished run, and the seeds of those that have several.

    ``baseline`` names a group; see `ablation`. Raises InputError for a name that the run does not hold.
    """
    run = read_run(records.folder)
    if not run.groups:
        return Sides((), (), None, None)
    table = ablation([run], baseline)
    sides = _finished(run)
    number = next(n for n, side in enumerate(sides) if side.seed is None and side.name == table.baseline)
    return Sides(sides, _pairs(sides, sides[number].group), number, table)


def live_sides(records: RunRecords) -> Sides:
    """The checkpoints of a run under way that are done."""
    names = dict.fromkeys(part.checkpoint for part in records.parts if part.checkpoint not in REFERENCES)
    arms = whole_arms([records.arm(name) for name in names])
    sides = tuple(Side(arm, number) for number, arm in enumerate(arms))
    return Sides(sides, _pairs(sides, 0), 0 if sides else None, None)


def _finished(run: FinishedRun) -> tuple[Side, ...]:
    groups = [Side(found.arm, number) for number, found in enumerate(run.groups)]
    seeds = [
        Side(_of_seed(found.arm, member.name, seed), number, seed)
        for number, found in enumerate(run.groups)
        for seed, member in enumerate(found.group.members)
        if len(found.group.members) > 1
    ]
    return (*groups, *seeds)


def _of_seed(arm: Arm, name: str, seed: int) -> Arm:
    parts = {condition: (seeds[seed],) for condition, seeds in arm.parts.items()}
    return replace(arm, name=name, checkpoints=(folder_name(name),), parts=parts)


def _pairs(sides: Sequence[Side], baseline: int) -> tuple[tuple[int, int], ...]:
    """Groups with groups, and seeds with the same seed of other groups."""
    several = len({side.group for side in sides}) > MOST
    return tuple(
        (first, second)
        for first, one in enumerate(sides)
        for second, other in enumerate(sides)
        if one.group != other.group
        and one.seed == other.seed
        and one.arm.parts.keys() == other.arm.parts.keys()
        and (not several or baseline in (one.group, other.group))
    )


def whole_arms(arms: Sequence[Arm]) -> list[Arm]:
    """Those that have every instance under every condition of the fullest: others of a run under way are not done."""
    sizes = {arm.name: (len(arm.parts), min(len(part) for [part] in arm.parts.values())) for arm in arms if arm.parts}
    fullest = max(sizes.values(), default=(0, 0))
    return [arm for arm in arms if sizes.get(arm.name) == fullest]
