"""The arms of the study: the packing strategies under comparison, each with its budget of tokens."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import InputError

BASELINE = "concat-then-split"
COMPENSATED = "pad-last-document-compensated"


@dataclass(frozen=True)
class Arm:
    """One way to train."""

    name: str
    strategy: str  # of `harness pack`
    compensated: bool = False  # the budget grows by what padding takes, as the report does: T / (1 - padding rate)

    def tokens(self, budget: int, metrics: Mapping[str, float]) -> int:
        """Slots that are trained on, padding included, if every arm may use ``budget``."""
        return round(budget / (1 - metrics["padding_rate"])) if self.compensated else budget


STRATEGIES = (
    BASELINE,
    "restart-last-document",
    "pad-last-document",
    "best-fit+truncate",  # the report's plain best-fit takes no over-long documents; here their heads are kept
    "best-fit+split",
    "best-fit+slide",
    "best-fit+drop",
)
ARMS = (*(Arm(strategy, strategy) for strategy in STRATEGIES), Arm(COMPENSATED, "pad-last-document", compensated=True))


def arms_named(names: tuple[str, ...]) -> tuple[Arm, ...]:
    """The arms of these names; all if none is named. Raises InputError for an unknown name."""
    by_name = {arm.name: arm for arm in ARMS}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise InputError(f"unknown arm {unknown[0]!r}; known: {', '.join(by_name)}")
    return tuple(by_name[name] for name in names) or ARMS
