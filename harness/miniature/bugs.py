"""Kinds of bug: which mutations a split may have, and how they come together."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from random import Random
from typing import Literal

from harness.miniature.cases import showing_cases
from harness.miniature.families import Family, Mutation, draw_function, families
from harness.miniature.split import Split, is_transfer

BugKind = Literal["line", "two-lines", "two-files"]
SHOWN_BY = 5  # functions tried before two faults count as hiding one another


@dataclass(frozen=True)
class Cell:
    """One mutation of one family, the kind that a single fault is of."""

    family: Family
    mutation: Mutation
    transfer: bool  # kept for the split of this name


Bug = tuple[Cell, ...]  # the faults that a package has at once


@cache
def cells() -> Sequence[Cell]:
    """Every mutation of every family."""
    pairs = [(family, mutation) for family in families() for mutation in family.mutations]
    return [Cell(*pair, is_transfer(place)) for place, pair in enumerate(pairs)]


def draw_bugs(random: Random, split: Split, kind: BugKind, chosen: Sequence[Family]) -> list[Bug]:
    """Bugs of a kind in the chosen families, in any order: each cell (two lines: each pair of a family's cells) once.

    Cells kept for transfer come only there, and there no bug comes without one; in a bug of two lines the other cell
    may be any.
    """
    names = {family.name for family in chosen}
    own = [cell for cell in cells() if cell.family.name in names and cell.transfer == (split == "transfer")]
    drawn: list[Bug] = [(cell,) for cell in own]
    if kind == "two-lines":
        drawn = [
            pair
            for pair in _pairs()
            if pair[0].family.name in names and any(cell.transfer for cell in pair) == (split == "transfer")
        ]
    elif kind == "two-files":
        others = {cell.family.name: [other for other in own if other.family is not cell.family] for cell in own}
        drawn = [(cell, random.choice(others[cell.family.name])) for cell in own if others[cell.family.name]]
    random.shuffle(drawn)
    return drawn


@cache
def _pairs() -> Sequence[Bug]:
    """Two cells of one family in different lines, neither of which hides the other from every call."""
    pairs = [
        (one, other)
        for one, other in combinations(cells(), 2)
        if one.family is other.family and one.family.line_of(one.mutation) != one.family.line_of(other.mutation)
    ]
    return [pair for pair in pairs if can_be_shown(pair)]


def can_be_shown(bug: Bug) -> bool:
    """Whether calls of a function with the bug's faults, all in one family, show each of them, in any split."""
    mutations = [cell.mutation for cell in bug]

    def shown(split: Split) -> bool:
        random = Random(0)
        functions = (draw_function(random, bug[0].family, "f", split) for _ in range(SHOWN_BY))
        return any(showing_cases(random, function, mutations) for function in functions)

    return shown("train") and shown("held-out")
