"""How much verdicts on the same patches differ between repeats."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from harness.core.verdict import Outcome, Verdict


@dataclass(frozen=True)
class Spread:
    """Resolve rates of repeats over the same predictions, and the instances that did not end alike."""

    rates: tuple[float, ...]  # of each repeat, infrastructure failures counted as failures
    rates_ungraded_resolved: tuple[float, ...]  # the same with every infrastructure failure counted as resolved
    mean: float
    standard_deviation: float  # of a sample; 0 for a single repeat
    unstable: dict[str, tuple[Outcome, ...]]  # instance id -> how each repeat ended


def spread(runs: Sequence[Sequence[Verdict]]) -> Spread:
    """The spread of at least one run; each has the verdicts on the same predictions (at least one), in one order."""
    rates = tuple(fmean(verdict.resolved for verdict in run) for run in runs)
    together = [tuple(verdicts) for verdicts in zip(*runs, strict=True)]
    return Spread(
        rates=rates,
        rates_ungraded_resolved=tuple(
            fmean(verdict.resolved or verdict.outcome is Outcome.INFRASTRUCTURE for verdict in run) for run in runs
        ),
        mean=fmean(rates),
        standard_deviation=stdev(rates) if len(rates) > 1 else 0.0,
        unstable={
            verdicts[0].instance_id: tuple(verdict.outcome for verdict in verdicts)
            for verdicts in together
            if len({verdict.outcome for verdict in verdicts}) > 1
        },
    )
