"""What goes out to other tools: the results of one checkpoint under one condition, with the rows they are about."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.compare.finished import (
    Part,
    checkpoints_of,
    conditions_of,
    folder_name,
    read_frozen,
    read_part,
    variants_of,
)
from harness.compare.frames import json_lines
from harness.core.conditions import Condition
from harness.core.groups import Variant
from harness.errors import InputError
from harness.statistics.share import Interval, ungraded_bounds, wilson

OWN: Condition = "model"  # the condition that is a result of the benchmark


@dataclass(frozen=True)
class Outgoing:
    """One checkpoint under one condition."""

    variant: Variant
    condition: Condition | None
    part: Part
    rows: Mapping[str, Mapping[str, Any]]  # by instance id
    frozen: Mapping[str, Any]
    place: Path  # of its records

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self.variant.name

    @property
    def title(self) -> str:
        """The checkpoint's name with its condition, fit for a file."""
        name = folder_name(self.name)
        return f"{name}.{self.condition}" if self.condition else name

    @property
    def resolved(self) -> int:
        """Instances whose patch resolves them."""
        return sum(one.verdict.resolved for one in self.part.values())

    @property
    def ungraded(self) -> tuple[str, ...]:
        """Instances on which the machine failed."""
        return tuple(name for name, one in self.part.items() if not one.graded)

    @property
    def total(self) -> int:
        """Instances that count: the rows of the run, or what has a verdict if the run kept no rows."""
        return len(self.rows) or len(self.part)

    @property
    def rate(self) -> float:
        """The resolve rate; what was not graded counts as not resolved."""
        return self.resolved / self.total

    @property
    def interval(self) -> Interval:
        """Its 95% Wilson score interval."""
        return wilson(self.resolved, self.total)

    @property
    def numbers(self) -> dict[str, float]:
        """Scores and costs under the names that `table.csv` has."""
        low, high = self.interval
        failed, resolved = ungraded_bounds(self.resolved, len(self.ungraded), self.total)
        found = {
            "instances": self.total,
            "resolved": self.resolved,
            "resolve_rate": self.rate,
            "resolve_rate_low": low,
            "resolve_rate_high": high,
            "resolve_rate_ungraded_failed": failed,
            "resolve_rate_ungraded_resolved": resolved,
            "empty": sum(one.scores.empty for one in self.part.values()),
            "infrastructure_failures": len(self.ungraded),
        }
        alike = [one.scores.similarity for one in self.part.values() if one.scores.similarity is not None]
        if alike:
            found["similarity"] = sum(alike) / len(alike)
        for name in ("prompt_tokens", "completion_tokens", "model_seconds"):
            known = [value for one in self.part.values() if (value := getattr(one.scores, name)) is not None]
            found |= {name: sum(known)} if known else {}
        return {name: float(value) for name, value in found.items()}

    @property
    def settings(self) -> dict[str, Any]:
        """What distinguishes the run, flat: data set, preset, prompts, versions, what varies between checkpoints."""
        said = self.frozen.get("configuration") or {}
        facts = {
            "dataset": (said.get("dataset") or {}).get("path"),
            "dataset_key": self.frozen.get("dataset"),
            "preset": said.get("preset"),
            "prompts": said.get("prompts"),
            "sampling": json.dumps(said["sampling"], sort_keys=True) if said.get("sampling") else None,
            "condition": self.condition,
            "strategy": self.variant.strategy,
            "seed": self.variant.seed,
            "step": self.variant.step,
            "tokens": self.variant.tokens,
            **{f"label_{name}": value for name, value in self.variant.labels.items()},
            **{f"version_{name}": value for name, value in (self.frozen.get("versions") or {}).items()},
        }
        return {name: value for name, value in facts.items() if value is not None}


def outgoing(folder: Path, checkpoint: str | None = None, condition: str | None = None) -> list[Outgoing]:
    """All results of a finished run, or those of one checkpoint or condition.

    Raises InputError for a folder without results, and for a name that it does not hold.
    """
    names, frozen = checkpoints_of(folder), read_frozen(folder / "frozen.yaml")
    variants = {folder_name(variant.name): variant for variant in variants_of(frozen, names)}
    if checkpoint is not None and folder_name(checkpoint) not in names:
        raise InputError(f"{folder}: no checkpoint {checkpoint!r}; there are {', '.join(names)}")
    rows = {str(row.get("instance_id")): row for row in json_lines(folder / "instances.jsonl")}
    found = []
    for name in names if checkpoint is None else [folder_name(checkpoint)]:
        for c in conditions_of(folder / "checkpoints" / name):
            if condition in (None, c):
                place = folder / "checkpoints" / name / (c or "")
                found.append(Outgoing(variants[name], c, read_part(place, None), rows, frozen, place))
    if not found:
        raise InputError(f"{folder}: nothing was run under {condition}; leave --condition out to see what was")
    return found


def only_own(results: list[Outgoing]) -> list[Outgoing]:
    """Those that are results of the benchmark: under the model's own locations, or patches that were given.

    Raises InputError if there is none.
    """
    own = [one for one in results if one.condition in (OWN, None)]
    if not own:
        raise InputError(f"{results[0].name} was run with the gold patch's locations only, which is no such result")
    return own
