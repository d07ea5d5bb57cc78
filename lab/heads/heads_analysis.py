"""Every estimate and comparison that the study shows, computed once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.errors import InputError
from harness.statistics.crossed import Estimate, Resampler, Scores, crossed_difference, estimate
from lab.arms import BASELINE
from lab.heads.dialects import Asking
from lab.heads.heads_arms import KEPT
from lab.heads.heads_study import HeadsStudy
from lab.study.analysis import Comparison, corrected

Measure = Literal["undefined", "applicable", "resolved"]
View = tuple[Asking, Measure]

# The first is what the study was made for, the last three are its negative control.
VIEWS: tuple[View, ...] = (
    ("rare", "undefined"),
    ("rare", "applicable"),
    ("rare", "resolved"),
    ("forgiving", "applicable"),
    ("forgiving", "resolved"),
    ("canonical", "undefined"),
    ("canonical", "applicable"),
    ("canonical", "resolved"),
)
REFERENCES = (BASELINE, KEPT)  # arms that all others are held against


@dataclass(frozen=True)
class HeadsAnalysis:
    """What tables, figure and page are filled from."""

    estimates: Mapping[tuple[str, View], Estimate]  # by arm
    against: Mapping[tuple[str, View], tuple[Comparison, ...]]  # by reference; each a family, corrected by itself


def analyse_heads(study: HeadsStudy) -> HeadsAnalysis:
    """Compute everything; the same study produces the same numbers. Raises InputError if attempts are missing."""
    resampler, numbers = Resampler(len(study.instance_ids)), {arm: n for n, arm in enumerate(study.arms)}
    scores = {view: _scores(study, view) for view in VIEWS}

    def family(reference: str, view: View) -> tuple[Comparison, ...]:
        pairs = [(arm, reference) for arm in study.arms if arm != reference]
        found = [
            crossed_difference(resampler, scores[view][a], scores[view][b], (numbers[a], numbers[b])) for a, b in pairs
        ]
        return corrected(pairs, found)

    return HeadsAnalysis(
        {
            (arm, view): estimate(resampler, found, numbers[arm])
            for view in VIEWS
            for arm, found in scores[view].items()
        },
        {(name, view): family(name, view) for name in REFERENCES if name in numbers for view in VIEWS},
    )


def _scores(study: HeadsStudy, view: View) -> dict[str, Scores]:
    """By arm, a measure of every attempt made in one way of asking."""
    asking, measure = view
    columns = {instance_id: place for place, instance_id in enumerate(study.instance_ids)}
    rows = {arm: {seed: place for place, seed in enumerate(study.seeds(arm))} for arm in study.arms}
    scores = {arm: np.full((len(seeds), len(columns)), np.nan) for arm, seeds in rows.items()}
    for attempt in study.attempts:
        if attempt.asking == asking:
            value = float(getattr(attempt, measure))
            scores[attempt.arm][rows[attempt.arm][attempt.seed], columns[attempt.instance_id]] = value
    for arm, found in scores.items():
        if missing := int(np.isnan(found).sum()):
            raise InputError(f"the study lacks {missing} attempts of {arm}; make it again from its run")
    return scores
