"""Numbers as the cells of a table show them."""

from collections.abc import Mapping

from harness.common.run_state import duration
from harness.report.summary import SummaryRow

NONE = "-"  # a cell that has nothing to say


def percent(share: float) -> str:
    """A share from 0 to 1 as ``18.6``."""
    return f"{100 * share:.1f}"


def interval(row: SummaryRow) -> str:
    """The resolve rate's interval in percent: ``[10.2, 30.5]``."""
    return f"[{percent(row.interval.low)}, {percent(row.interval.high)}]"


def bounds(row: SummaryRow) -> str:
    """The resolve rate's bounds in percent: ``7.0-40.3``."""
    return f"{percent(row.bounds.low)}-{percent(row.bounds.high)}"


def ratio(value: float | None) -> str:
    """A similarity, with three decimals."""
    return NONE if value is None else f"{value:.3f}"


def similarity(row: SummaryRow) -> str:
    """Mean similarity, and over how many instances if not over all."""
    partial = f" (of {row.similarity_instances})" if 0 < row.similarity_instances < row.instances else ""
    return ratio(row.similarity) + partial


def number(value: float | None) -> str:
    """Any number, with four significant digits."""
    return NONE if value is None else f"{value:.4g}"


def tokens(count: int) -> str:
    """``950``, ``12k`` or ``3.4M``."""
    if count < 1000:
        return str(count or NONE)
    return f"{count / 1000:.0f}k" if count < 999_500 else f"{count / 1e6:.1f}M"


def span(seconds: float) -> str:
    """A time span as a reader needs it."""
    return duration(seconds) if seconds else NONE


def counts(named: Mapping[str, int]) -> str:
    """``resolved 3, timeout 1``."""
    return ", ".join(f"{name} {count}" for name, count in named.items()) or NONE
