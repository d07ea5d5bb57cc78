"""The one comparison of two arms, which every table, page and gate reads: values in, values out.

A difference is always the second arm's mean less the first's. Two claims are never mixed: "checkpoint" speaks of other
instances of these repositories and of other samples; "table" of what a full run on these very instances shows.
"""

from dataclasses import dataclass, replace
from math import inf
from typing import Literal

import numpy as np

from harness.errors import InputError
from harness.statistics.cluster import Clustered, other_clusters
from harness.statistics.fit import REASONS, Fit, Method, binary, choose, fit, instance_means, variances
from harness.statistics.outcomes import Grid, PairedOutcomes
from harness.statistics.paired import Values, exact_mcnemar
from harness.statistics.power import detectable
from harness.statistics.share import CONFIDENCE, Interval

Claim = Literal["checkpoint", "table"]

WHOLE_TABLE = "every instance of the table was run: the difference is known, but for what was not graded"
THESE_ALONE = "with fewer than three seeds of each arm it speaks of these checkpoints only"


@dataclass(frozen=True)
class Counts:
    """Instances by who resolved them; with several samples, the number expected of one random sample of each arm."""

    only_first: float
    only_second: float
    both: float
    neither: float


@dataclass(frozen=True)
class Seen:
    """What a comparison rests on; the rates and counts are over the graded instances."""

    instances: int  # of which both arms have a grade
    total: int  # all instances
    ungraded: int  # outcomes without a grade, of both arms together
    first_rate: float
    second_rate: float
    counts: Counts | None  # None for scores between 0 and 1


@dataclass(frozen=True)
class Comparison:
    """What is known of a difference of shares, as parts of 1."""

    claim: Claim
    method: Method | Literal["whole-table"]
    why: str  # this method
    trainings: bool  # whether it speaks of other trainings (seeds), and not of these checkpoints alone
    confidence: float  # of each one-sided bound, and of the two-sided interval
    seen: Seen
    estimate: float
    bounds: Interval  # two one-sided ones; at a confidence of 95% they are a 90% interval
    interval: Interval  # two-sided
    bounds_ungraded: Interval  # as `bounds`: the lower with all ungraded against the second arm, the upper for it
    interval_ungraded: Interval  # as `interval`, likewise
    error: float = 0.0  # standard error of the estimate; 0 for the table's claim
    freedom: float = inf  # degrees of freedom of Student's t on it
    p: float | None = None  # two-sided, of no difference; None for the table's claim
    p_exact: float | None = None  # McNemar's exact one, for reference; for one sample of each arm
    detectable: float | None = None  # the least difference found in four of five such comparisons; None if above 1
    variances: tuple[float, float] | None = None  # within instances and between them, see `fit.variances`
    repositories: Clustered | None = None  # the claim about other repositories; None for too few

    @property
    def distinguishable(self) -> bool:
        """Whether the interval excludes no difference, and nothing that was not graded could turn that."""
        low, high = self.interval
        return (low > 0 and self.interval_ungraded.low > 0) or (high < 0 and self.interval_ungraded.high < 0)

    def reversed(self) -> "Comparison":
        """The same comparison with its arms exchanged."""
        seen, counts = self.seen, self.seen.counts
        turned = counts and replace(counts, only_first=counts.only_second, only_second=counts.only_first)
        over = self.repositories
        return replace(
            self,
            seen=replace(seen, first_rate=seen.second_rate, second_rate=seen.first_rate, counts=turned),
            estimate=-self.estimate,
            bounds=self.bounds.negated,
            interval=self.interval.negated,
            bounds_ungraded=self.bounds_ungraded.negated,
            interval_ungraded=self.interval_ungraded.negated,
            repositories=over and replace(over, interval=over.interval.negated),
        )


def compare(outcomes: PairedOutcomes, claim: Claim = "checkpoint", confidence: float = CONFIDENCE) -> Comparison:
    """Compare two arms by the method that their design asks for.

    Instances that one of the arms has no grade on are left out of the estimate; `Comparison.bounds_ungraded` says how
    far they could move the bounds. Raises InputError if no instance is graded under both arms.
    """
    first, second = outcomes.first, outcomes.second
    method = choose(first, second)
    if method == "tango" and not all(map(binary, outcomes.held_against(second=True))):
        method = "paired-t"  # a score of which a part was not graded can come out between 0 and 1
    graded = ~np.isnan(instance_means(first)) & ~np.isnan(instance_means(second))
    if not graded.any():
        raise InputError("no instance was graded under both; run again what the machine failed on")
    found = fit(method, first[graded], second[graded])
    seen = _seen(outcomes, first[graded], second[graded])
    against, for_it = _extremes(method, outcomes) if seen.ungraded else (found, found)
    if claim == "table":
        known = Interval(against.estimate, for_it.estimate)
        return Comparison(
            claim, "whole-table", WHOLE_TABLE, False, confidence, seen, found.estimate, known, known, known, known
        )
    two_sided = (1 + confidence) / 2
    return Comparison(
        claim=claim,
        method=method,
        why=REASONS[method] if method == "min-f" else f"{REASONS[method]}; {THESE_ALONE}",
        trainings=method == "min-f",
        confidence=confidence,
        seen=seen,
        estimate=found.estimate,
        bounds=found.bounds(confidence),
        interval=found.bounds(two_sided),
        bounds_ungraded=Interval(against.bounds(confidence).low, for_it.bounds(confidence).high),
        interval_ungraded=Interval(against.bounds(two_sided).low, for_it.bounds(two_sided).high),
        error=found.error,
        freedom=found.freedom,
        p=found.p(),
        p_exact=exact_mcnemar(found.discordance) if found.discordance else None,
        detectable=_detectable(found, confidence),
        variances=variances(first[graded], second[graded]),
        repositories=_over_repositories(outcomes, graded.tolist(), confidence),
    )


def _seen(outcomes: PairedOutcomes, first: Grid, second: Grid) -> Seen:
    means = instance_means(first), instance_means(second)
    return Seen(
        instances=len(first),
        total=len(outcomes.pairs),
        ungraded=outcomes.ungraded,
        first_rate=float(means[0].mean()),
        second_rate=float(means[1].mean()),
        counts=_counts(*means) if binary(first) and binary(second) else None,
    )


def _counts(first: Values, second: Values) -> Counts:
    def expected(one: Values, other: Values) -> float:
        return round(float((one * other).sum()), 9)

    return Counts(
        only_first=expected(first, 1 - second),
        only_second=expected(1 - first, second),
        both=expected(first, second),
        neither=expected(1 - first, 1 - second),
    )


def _extremes(method: Method, outcomes: PairedOutcomes) -> tuple[Fit, Fit]:
    """All instances, with what was not graded held against the second arm, then in its favour."""
    return fit(method, *outcomes.held_against(second=True)), fit(method, *outcomes.held_against(second=False))


def _detectable(found: Fit, confidence: float) -> float | None:
    least = detectable(found.error, found.freedom, (1 + confidence) / 2)
    return least if least <= 1 else None


def _over_repositories(outcomes: PairedOutcomes, graded: list[bool], confidence: float) -> Clustered | None:
    differences = (instance_means(outcomes.second) - instance_means(outcomes.first))[graded]
    names = [name for name, kept in zip(outcomes.repositories, graded, strict=True) if kept]
    return other_clusters(differences, names, confidence)
