"""What a checkpoint cost, by the run file's price list: values in, values out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.config.price_keys import PricesConfig

if TYPE_CHECKING:
    from harness.report.checkpoint_cost import CheckpointCost

MILLION = 1e6
HOUR = 3600.0


@dataclass(frozen=True)
class Money:
    """An amount by what it was spent on; None for what has no price or was not measured."""

    currency: str
    tokens: float | None
    gpus: float | None
    containers: float | None

    @property
    def total(self) -> float | None:
        """All of it; None if nothing has a price."""
        known = [part for part in (self.tokens, self.gpus, self.containers) if part is not None]
        return sum(known) if known else None


def money(used: "CheckpointCost", prices: PricesConfig, checkpoint: str) -> Money:
    """What a checkpoint's use comes to."""
    price = prices.tokens_of(checkpoint)
    spent = None
    if price is not None:
        spent = (used.prompt_tokens * price.input + used.completion_tokens * price.output) / MILLION
    return Money(
        prices.currency, spent, _hours(used.gpu_seconds, prices.gpu_hour),
        _hours(used.container_seconds, prices.container_hour),
    )  # fmt: skip


def _hours(seconds: float | None, price: float | None) -> float | None:
    return None if seconds is None or price is None else seconds / HOUR * price


def amount(value: float | None, currency: str) -> str:
    """An amount as a reader needs it: ``12.34 EUR``, ``0.0071 EUR``; ``-`` for none."""
    if value is None:
        return "-"
    return f"{value:,.2f} {currency}" if value >= 1 or value == 0 else f"{value:.2g} {currency}"


def each_resolved(total: float | None, resolved: int, currency: str) -> str:
    """What each resolved instance cost, in the same words; says so if none resolves."""
    if total is None:
        return "-"
    return amount(total / resolved, currency) if resolved else "none resolved"
