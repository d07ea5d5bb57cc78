"""The resolve rate over the training, a series for each training: values in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.compare.ablation_values import Ablation
from harness.core.groups import short_count
from harness.statistics.rate import Rate

Unit = Literal["tokens", "steps"]


@dataclass(frozen=True)
class Series:
    """The rates of one training, its first checkpoint first."""

    name: str  # its strategy and labels
    points: tuple[tuple[float, Rate], ...]  # place in the training, mean over the conditions


@dataclass(frozen=True)
class AllSeries:
    """Every training of a table that has checkpoints with a place."""

    unit: Unit
    series: tuple[Series, ...]

    @property
    def places(self) -> list[float]:
        """Where any training has a checkpoint, in order."""
        return sorted({place for one in self.series for place, _ in one.points})

    def label(self, place: float) -> str:
        """A place as a reader knows it: ``1.2B tokens``, ``step 500``."""
        return f"{short_count(place)} tokens" if self.unit == "tokens" else f"step {place:.0f}"


def series_of(found: Ablation) -> AllSeries | None:
    """By training, the rate over tokens, or over steps if a checkpoint does not say its tokens.

    None if no training has two checkpoints with a place.
    """
    placed = [row for row in found.rows if row.group.first.place is not None]
    unit: Unit = "tokens" if placed and all(row.group.first.tokens is not None for row in placed) else "steps"
    trainings: dict[str, list[tuple[float, Rate]]] = {}
    for row in placed:
        first, score = row.group.first, row.of("resolve_rate")
        place = first.tokens if unit == "tokens" else first.step
        if place is not None and score is not None:
            name = " ".join(filter(None, (first.strategy, *first.labels.values()))) or "training"
            trainings.setdefault(name, []).append((float(place), score))
    if not any(len({place for place, _ in points}) > 1 for points in trainings.values()):
        return None
    return AllSeries(unit, tuple(Series(name, _ordered(points)) for name, points in trainings.items()))


def _ordered(points: Sequence[tuple[float, Rate]]) -> tuple[tuple[float, Rate], ...]:
    return tuple(sorted(points, key=lambda point: point[0]))
