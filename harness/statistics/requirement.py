"""What a gate requires of a candidate, read from text such as ``resolve_rate >= -5pp @ 95%``: values in, values out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, cast, get_args

from harness.common.suggest import nearest
from harness.core.conditions import Condition
from harness.errors import InputError
from harness.statistics.share import Interval

Metric = Literal["resolve_rate", "similarity", "empty_rate"]

LESS_IS_BETTER: frozenset[Metric] = frozenset({"empty_rate"})
EXAMPLE = "resolve_rate >= -5pp @ 95%"

_ROUNDING = 1e-12  # of differences of shares
_FORM = re.compile(
    r"\s*(?P<metric>\w+)\s*(?:\[\s*(?P<condition>[^\]]*?)\s*\])?\s*(?P<sign>[<>]=)\s*"
    r"(?P<margin>[+-]?\d+(?:\.\d+)?)\s*pp\s*@\s*(?P<level>\d+(?:\.\d+)?)\s*%\s*"
)
# What word processors and chats make of these signs.
_PLAIN = str.maketrans(
    {
        "\N{GREATER-THAN OR EQUAL TO}": ">=",
        "\N{LESS-THAN OR EQUAL TO}": "<=",
        "\N{MINUS SIGN}": "-",
        "\N{EN DASH}": "-",
        "\N{NON-BREAKING HYPHEN}": "-",
    }
)


class Decision(StrEnum):
    """What bounds say of a requirement; whatever is not decided is no pass."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_DECIDED = "not-decided"


@dataclass(frozen=True)
class Requirement:
    """A bound on the candidate's mean less the baseline's."""

    text: str  # as it was written
    metric: Metric
    condition: Condition | None  # None: of all conditions together
    margin: float  # as a part of 1
    confidence: float  # each wrong decision has at most the rest as its chance

    @property
    def at_least(self) -> bool:
        """Whether the difference has to reach the margin, rather than to stay below it."""
        return self.metric not in LESS_IS_BETTER

    def decide(self, bounds: Interval) -> Decision:
        """Decide by two one-sided bounds of the difference, each with `confidence`. Raises InputError for nan."""
        low, high = bounds if self.at_least else Interval(-bounds.high, -bounds.low)
        margin = self.margin if self.at_least else -self.margin
        if not low <= high:
            raise InputError(f"{self.text}: the bounds {low} and {high} are none; grade the runs again")
        if low >= margin - _ROUNDING:
            return Decision.HOLDS
        return Decision.BROKEN if high < margin - _ROUNDING else Decision.NOT_DECIDED


def parse_requirement(text: str) -> Requirement:
    """Read ``METRIC >= MARGINpp @ LEVEL%``, or ``METRIC[CONDITION] ...`` for a single condition.

    A rate that should be low, as ``empty_rate``, takes ``<=``. Raises InputError for anything else.
    """
    found = _FORM.fullmatch(text.translate(_PLAIN))
    if found is None:
        raise InputError(f"{text!r} is no requirement; write one like {EXAMPLE!r}")
    metric = _metric(text, found["metric"])
    if (sign := "<=" if metric in LESS_IS_BETTER else ">=") != found["sign"]:
        raise InputError(f"{text!r}: {metric} takes {sign}, not {found['sign']}")
    margin, level = float(found["margin"]), float(found["level"])
    if abs(margin) >= 100:
        raise InputError(f"{text!r}: a margin of {margin:g} points is always or never met; name one below 100")
    if not 50 < level < 100:
        raise InputError(f"{text!r}: the level of {level:g}% has to be above 50% and below 100%")
    return Requirement(text.strip(), metric, _condition(text, found["condition"]), margin / 100, level / 100)


def _metric(text: str, name: str) -> Metric:
    if name not in get_args(Metric):
        raise _unknown(text, "metric", name, get_args(Metric))
    return cast(Metric, name)


def _condition(text: str, name: str | None) -> Condition | None:
    if name is not None and name not in get_args(Condition):
        raise _unknown(text, "condition", name, get_args(Condition))
    return cast(Condition | None, name)


def _unknown(text: str, kind: str, name: str, known: Sequence[str]) -> InputError:
    close = nearest(name, known, count=1) or f"; name one of {', '.join(known)}"
    return InputError(f"{text!r}: there is no {kind} {name!r}{close}")
