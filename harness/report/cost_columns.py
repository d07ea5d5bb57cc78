"""What the result tables say of a checkpoint's cost, all of its conditions together."""

from collections.abc import Iterable, Sequence

from harness.report.checkpoint_cost import CheckpointCost
from harness.report.format import NONE, span
from harness.report.money import Money, amount, each_resolved
from harness.report.summary import SummaryRow

COUNTS = ("answers", "prompt_tokens", "completion_tokens")
SECONDS = ("model_seconds", "wall_seconds", "server_seconds", "gpu_seconds", "container_seconds")
PARTS = ("tokens", "gpus", "containers")


def cost_columns(cost: CheckpointCost | None) -> dict[str, object]:
    """Raw numbers, the same in each row of a checkpoint; empty cells for a reference."""
    known = {name: getattr(cost, name) if cost else None for name in (*COUNTS, *SECONDS, "resolved")}
    money = cost.money if cost else None
    spent = {f"cost_{name}": getattr(money, name) if money else None for name in PARTS}
    return {
        **{f"checkpoint_{name}": value for name, value in known.items()},
        **{f"checkpoint_{name}": value for name, value in spent.items()},
        "checkpoint_cost": money.total if money else None,
        "checkpoint_cost_per_resolved": cost.per_resolved if cost else None,
        "currency": money.currency if money else None,
    }


def cost_records(rows: Sequence[SummaryRow]) -> list[dict[str, str]]:
    """A record for each checkpoint, a question that conditions share counted once."""
    costs = checkpoint_costs(rows)
    priced = any(cost.money for cost in costs.values())
    return [
        {
            "checkpoint": checkpoint,
            "answers": f"{cost.answers:,}",
            "tokens in / out": f"{cost.prompt_tokens:,} / {cost.completion_tokens:,}",
            "model time": span(cost.model_seconds),
            "wall time": span(cost.wall_seconds),
            "server time": span(cost.server_seconds or 0),
            "GPU time": span(cost.gpu_seconds or 0),
            "container time": span(cost.container_seconds or 0),
            **(money_cells(cost.money, cost.resolved) if priced else {}),
        }
        for checkpoint, cost in costs.items()
    ]


def money_cells(money: Money | None, resolved: int) -> dict[str, str]:
    """The whole cost, and that of each resolved instance."""
    if money is None:
        return {"cost": NONE, "per resolved": NONE}
    return {
        "cost": amount(money.total, money.currency),
        "per resolved": each_resolved(money.total, resolved, money.currency),
    }


def money_notes(rows: Sequence[SummaryRow]) -> list[str]:
    """A sentence for each checkpoint that the price list says something of."""
    return [
        f"{checkpoint} cost {_parts(cost.money)}; per resolved instance, "
        f"{each_resolved(cost.money.total, cost.resolved, cost.money.currency)} ({cost.resolved} resolved under all "
        "conditions together)."
        for checkpoint, cost in checkpoint_costs(rows).items()
        if cost.money
    ]


def _parts(money: Money) -> str:
    if money.total is None:
        return "what the price list says nothing of"
    parts = {name: getattr(money, name) for name in PARTS}
    said = [f"{name} {NONE if value is None else amount(value, '').strip()}" for name, value in parts.items()]
    return f"{amount(money.total, money.currency)} ({', '.join(said)})"


def checkpoint_costs(rows: Iterable[SummaryRow]) -> dict[str, CheckpointCost]:
    """The cost of each checkpoint that has one, by its name."""
    return {row.checkpoint: row.checkpoint_cost for row in rows if row.checkpoint_cost}
