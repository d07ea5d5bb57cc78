"""Checkpoints that differ in their training's seed alone are one group: values in, values out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
SIZES = {unit: size for size, unit in UNITS}
SEEDS = " seeds"  # ends a group's name that another checkpoint has, too


@dataclass(frozen=True)
class Variant:
    """A checkpoint, with what a run file says that distinguishes it from others."""

    name: str
    strategy: str | None = None  # packing strategy of the training data
    labels: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None  # of the training
    step: int | None = None  # of the training, counted from 0
    tokens: float | None = None  # that it was trained on so far

    @property
    def place(self) -> float | None:
        """How far the training was: tokens, or else steps."""
        return self.tokens if self.tokens is not None else self.step

    @property
    def training(self) -> tuple[object, ...]:
        """What checkpoints of one training, and of its repeats with other seeds, share."""
        return self.strategy, *sorted(self.labels.items())


@dataclass(frozen=True)
class Group:
    """Variants that differ in nothing but their seed."""

    name: str
    members: tuple[Variant, ...]

    @property
    def first(self) -> Variant:
        """The member that stands for what all have in common."""
        return self.members[0]


def grouped(variants: Sequence[Variant]) -> list[Group]:
    """Groups in the order in which they first come, each member by its seed; one without a seed is a group alone."""
    found: dict[tuple[object, ...], list[Variant]] = {}
    for variant in variants:
        key = (variant.name,) if variant.seed is None else (*variant.training, variant.step, variant.tokens)
        found.setdefault(key, []).append(variant)
    groups: list[Group] = []
    for members in found.values():
        name = _name(members)
        taken = any(name == group.name for group in groups) or (
            members[0].seed is not None and any(name == v.name for v in variants if v not in members)
        )
        groups.append(Group(name + SEEDS * taken, tuple(sorted(members, key=lambda member: member.seed or 0))))
    return groups


def repeated_seed(variants: Sequence[Variant]) -> tuple[Variant, Variant] | None:
    """Two variants that nothing distinguishes but their names, though both have a seed; None if there are none."""
    seen: dict[tuple[object, ...], Variant] = {}
    for variant in variants:
        if variant.seed is None:
            continue
        key = (*variant.training, variant.step, variant.tokens, variant.seed)
        if key in seen:
            return seen[key], variant
        seen[key] = variant
    return None


def short_count(count: float) -> str:
    """``950``, ``12k`` or ``3.4B``."""
    for size, unit in UNITS:
        if count >= size:
            return f"{count / size:.4g}{unit}"
    return f"{count:.4g}"


def read_count(text: str) -> float:
    """The number that `short_count` writes. Raises ValueError for anything else."""
    unit = next((unit for unit in SIZES if text.lower().endswith(unit.lower())), "")
    return float(text.removesuffix(text[-1]) if unit else text) * SIZES.get(unit, 1.0)


def _name(members: Sequence[Variant]) -> str:
    first = members[0]
    if first.seed is None:
        return first.name
    parts = [first.strategy] if first.strategy else []
    parts += [f"{key} {value}" for key, value in first.labels.items()]
    if not parts:
        parts = [re.sub(rf"[._+-]*(?:seed)?[._+-]*{first.seed}$", "", first.name) or first.name]
    if first.step is not None:
        parts.append(f"step {first.step}")
    if first.tokens is not None:
        parts.append(f"{short_count(first.tokens)} tokens")
    return ", ".join(parts)
