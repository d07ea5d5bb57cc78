"""Differences of shares as the cells of a table show them."""

from harness.report.format import NONE
from harness.statistics.share import Interval


def points(difference: float) -> str:
    """A difference of shares in points of percent, with its sign."""
    return f"{100 * difference:+.1f}"


def bounds(interval: Interval) -> str:
    """A difference's interval in points of percent."""
    return f"[{points(interval.low)}, {points(interval.high)}]"


def probability(p: float | None) -> str:
    """A p value with three decimals."""
    if p is None:
        return NONE
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"
