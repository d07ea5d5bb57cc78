"""Outcomes of two arms on the same instances, distinguished by seed and by sample: values in, values out.

An arm is what is compared: one checkpoint, or a group of checkpoints that differ in their training's seed alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError

Score = float | None  # between 0 and 1, 1 for a resolved instance; None for what was not graded
Cells = tuple[tuple[Score, ...], ...]  # of one arm on one instance: by seed, then by sample of that seed's weights
Bounds = Mapping[str, tuple[Cells, Cells]]  # by instance id
Grid = NDArray[np.float64]  # (instances, seeds, samples); nan for what was not graded


@dataclass(frozen=True)
class Pair:
    """One instance under both arms."""

    instance_id: str
    repository: str
    first: Cells
    second: Cells
    # scores that are means of which a part was not graded: with this part failed, and with it resolved
    first_bounds: tuple[Cells, Cells] | None = None
    second_bounds: tuple[Cells, Cells] | None = None


@dataclass(frozen=True)
class PairedOutcomes:
    """All instances of a comparison; under an arm they have equally many seeds, and these equally many samples.

    Raises InputError for no instance, for one that comes twice, and for scores that are no numbers between 0 and 1.
    """

    pairs: tuple[Pair, ...]

    def __post_init__(self) -> None:
        if not self.pairs:
            raise InputError("there is no instance to compare; name runs that share instances")
        counts = Counter(pair.instance_id for pair in self.pairs)
        if twice := [instance_id for instance_id, count in counts.items() if count > 1]:
            raise InputError(f"{twice[0]} comes twice; a comparison needs one line for each instance")
        for arm in ([pair.first for pair in self.pairs], [pair.second for pair in self.pairs]):
            _check_shape(arm)
        for pair in self.pairs:
            for score in (score for cells in (pair.first, pair.second) for samples in cells for score in samples):
                if score is not None and not 0 <= score <= 1:  # nan fails this, too
                    raise InputError(f"{pair.instance_id}: {score} is no score; one lies between 0 and 1")

    @cached_property
    def first(self) -> Grid:
        """The first arm's scores."""
        return np.array([pair.first for pair in self.pairs], dtype=np.float64)

    @cached_property
    def second(self) -> Grid:
        """The second arm's scores."""
        return np.array([pair.second for pair in self.pairs], dtype=np.float64)

    @property
    def ungraded(self) -> int:
        """Outcomes without a grade, of both arms together."""
        return int(np.isnan(self.first).sum() + np.isnan(self.second).sum())

    @property
    def comparable(self) -> bool:
        """Whether an instance has a grade under both arms."""
        first, second = (~np.isnan(grid).all(axis=(1, 2)) for grid in (self.first, self.second))
        return bool((first & second).any())

    @property
    def repositories(self) -> tuple[str, ...]:
        """Of each instance, in their order."""
        return tuple(pair.repository for pair in self.pairs)

    def held_against(self, second: bool) -> tuple[Grid, Grid]:
        """Both arms' scores with all that was not graded held against the second arm, or else in its favour."""
        first = [_filled(pair.first, pair.first_bounds, second) for pair in self.pairs]
        other = [_filled(pair.second, pair.second_bounds, not second) for pair in self.pairs]
        return np.array(first, dtype=np.float64), np.array(other, dtype=np.float64)


def _filled(cells: Cells, bounds: tuple[Cells, Cells] | None, resolved: bool) -> Cells:
    if bounds is not None:
        return bounds[resolved]
    return tuple(tuple(float(resolved) if score is None else score for score in samples) for samples in cells)


def pair_up(
    first: Mapping[str, Cells],
    second: Mapping[str, Cells],
    repositories: Mapping[str, str],
    bounds: tuple[Bounds, Bounds] = ({}, {}),
) -> PairedOutcomes:
    """Both arms' cells by instance id, in the order of the first arm; ``bounds`` of each arm as in `Pair`.

    Raises InputError if the arms were not run on the same instances.
    """
    if odd := sorted(first.keys() ^ second.keys()):
        shown = ", ".join(odd[:3]) + (", ..." if len(odd) > 3 else "")
        raise InputError(
            f"{len(odd)} instances were run under one of the two only ({shown}); name runs on the same instances"
        )
    return PairedOutcomes(
        tuple(
            Pair(name, repositories[name], cells, second[name], *(arm.get(name) for arm in bounds))
            for name, cells in first.items()
        )
    )


def _check_shape(arm: Sequence[Cells]) -> None:
    shapes = {tuple(map(len, cells)) for cells in arm}
    lengths = {length for shape in shapes for length in shape}
    if len(shapes) > 1 or len(lengths) != 1 or 0 in lengths:
        raise InputError(
            "an arm needs equally many seeds on every instance, and equally many samples of each; "
            "what was not graded is one of them"
        )
