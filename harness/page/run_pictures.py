"""Which pictures a run has, and what each shows."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.common.inert import one_line
from harness.compare.ablation_values import Ablation
from harness.compare.series import AllSeries, series_of
from harness.core.conditions import REFERENCES
from harness.core.verdict import Outcome
from harness.page.attempt_facts import AttemptFacts, Part, funnel
from harness.page.pictures import (
    FORMS,
    Draw,
    Picture,
    Point,
    Rate,
    forest_picture,
    funnel_picture,
    grid_picture,
    pass_picture,
    rates_picture,
    render,
    series_picture,
)
from harness.page.run_records import RunRecords
from harness.statistics.share import Interval

StageTable = Mapping[tuple[str, str], Mapping[str, float]]  # (checkpoint, condition) -> score -> value


@dataclass(frozen=True)
class Shown:
    """A picture with the words beside it."""

    title: str
    about: str
    draw: Draw
    size: tuple[float, float]


def read_stages(folder: Path) -> StageTable:
    """``stages.csv`` of a run; empty if it has none."""
    path = folder / "stages.csv"
    found: dict[tuple[str, str], dict[str, float]] = {}
    if path.is_file():
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            found.setdefault((row["checkpoint"], row["condition"]), {})[row["score"]] = float(row["value"])
    return found


def run_pictures(
    records: RunRecords, table: Ablation | None, stages: StageTable, against: Mapping[str, Mapping[str, Any]]
) -> dict[str, Shown]:
    """The run's pictures by name; a run without attempts has none.

    ``table`` is that of a finished run. ``against`` holds comparison data with one baseline, by its name.
    """
    own = {part: facts for part, facts in records.parts.items() if part.checkpoint not in REFERENCES} or records.parts
    if not own:
        return {}
    rates = _group_rates(table) if table else _rates(records)
    found = {"rates": _shown("Resolve rates", "Rate and 95% interval of each.", rates_picture(rates))}
    if table and (series := series_of(table)):
        about = "Mean over the conditions with its 95% interval, for each strategy."
        found["series"] = _shown("Over the training", about, series_picture(_points(series), series.unit))
    for baseline, comparisons in against.items():
        picture = forest_picture(_differences(comparisons), one_line(baseline))
        found["differences"] = _shown("Differences", f"Each against {one_line(baseline)}.", picture)
    curves = {
        (one_line(checkpoint), condition): {
            int(name.removeprefix("pass@")): value for name, value in scores.items() if name.startswith("pass@")
        }
        for (checkpoint, condition), scores in stages.items()
    }
    if curves := {name: curve for name, curve in curves.items() if curve}:
        found["pass"] = _shown("pass@k", "Chance that one of k candidates resolves.", pass_picture(curves))
    funnels = {_named(part): funnel(facts.values()) for part, facts in own.items()}
    about = "How many instances reach each step, and why others do not."
    found["funnel"] = _shown(
        "From instance to resolved", about, funnel_picture(funnels, len({part.condition for part in own}))
    )
    found["grid"] = _shown(
        "Instances and checkpoints", "Who resolves what; the most often resolved first.", _grid(own, records.ids())
    )
    return found


def _shown(title: str, about: str, picture: Picture) -> Shown:
    return Shown(title, about, *picture)


def _named(part: Part) -> str:
    return one_line(f"{part.checkpoint} {part.condition}")


def _rates(records: RunRecords) -> list[Rate]:
    rows = [row for row in records.table if row["checkpoint"] not in REFERENCES] or records.table
    return [
        (
            one_line(row["checkpoint"]),
            row["condition"],
            float(row["resolve_rate"]),
            Interval(float(row["resolve_rate_low"]), float(row["resolve_rate_high"])),
        )
        for row in rows
    ]


def _group_rates(table: Ablation) -> list[Rate]:
    views = [(c or "predictions", c) for c in table.conditions] if len(table.conditions) > 1 else [("all", None)]
    return [
        (one_line(row.group.name), name, score.value, score.interval)
        for row in table.rows
        for name, condition in views
        if (score := row.of("resolve_rate", condition))
    ]


def series_files(found: AllSeries | None) -> dict[str, bytes]:
    """The picture over the training in every form, by the names of its files; none without a series."""
    if found is None:
        return {}
    draw, size = series_picture(_points(found), found.unit)
    return {f"series.{form}": render(draw, size, form) for form in FORMS}


def _points(found: AllSeries) -> dict[str, list[Point]]:
    return {
        one_line(one.name): [(place, rate.value, rate.interval) for place, rate in one.points] for one in found.series
    }


def _grid(parts: Mapping[Part, Mapping[str, AttemptFacts]], ids: Sequence[str]) -> Picture:
    cells = [[_cell(facts.get(name)) for facts in parts.values()] for name in ids]
    return grid_picture(cells, [_named(part) for part in parts])


def _cell(facts: AttemptFacts | None) -> int:
    if facts is None:
        return 3
    if facts.verdict.outcome is Outcome.INFRASTRUCTURE:
        return 2
    return 0 if facts.verdict.resolved else 1


def _differences(comparisons: Mapping[str, Mapping[str, Any]]) -> list[Rate]:
    return [
        (one_line(name), scope["name"], scope["estimate"], Interval(*scope["interval"]))
        for name, data in comparisons.items()
        if "problem" not in data
        for scope in (data["overall"], *data["conditions"])
    ]
