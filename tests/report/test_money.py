"""Costs by a price list: what each part comes to, and that nothing resolved is said in words."""

import csv
import io
from dataclasses import replace

import pytest
from pydantic import ValidationError

from harness.config.price_keys import PricesConfig
from harness.report import result_tables
from harness.report.checkpoint_cost import CheckpointCost
from harness.report.money import Money, amount, each_resolved, money
from harness.report.summary import SummaryRow
from harness.statistics.share import wilson

COST = CheckpointCost(
    answers=9, prompt_tokens=3_000_000, completion_tokens=500_000, model_seconds=60.0, wall_seconds=30.0,
    server_seconds=3600.0, gpu_seconds=7200.0, container_seconds=1800.0, resolved=4,
)  # fmt: skip
PRICES = PricesConfig.model_validate(
    {
        "currency": "EUR",
        "tokens": {"big-*": {"input": 1, "output": 2}, "big-a": {"input": 10, "output": 20}},
        "gpu_hour": 1.5,
        "container_hour": 0.1,
    }
)


def row(cost: CheckpointCost | None, condition: str | None = "model") -> SummaryRow:
    zero = dict.fromkeys(("infrastructure", "applied", "empty", "similarity_instances", "prompt_tokens"), 0)
    return SummaryRow(
        checkpoint="base", strategy=None, packing_metrics={}, condition=condition, instances=10, resolved=2,
        interval=wilson(2, 10), similarity=None, completion_tokens=0, model_seconds=0.0, test_seconds=0.0,
        outcomes={}, reasons={}, checkpoint_cost=cost, **zero,
    )  # fmt: skip


def test_each_part_has_its_price_and_a_name_comes_before_a_pattern() -> None:
    assert money(COST, PRICES, "big-b") == Money("EUR", 4.0, 3.0, 0.05)
    assert money(COST, PRICES, "big-a").tokens == 40.0
    assert money(COST, PRICES, "other") == Money("EUR", None, 3.0, 0.05)
    assert money(COST, PRICES, "big-b").total == pytest.approx(7.05)
    assert money(replace(COST, gpu_seconds=None), PRICES, "other").gpus is None
    only = PricesConfig(currency="EUR", gpu_hour=1)
    assert money(replace(COST, gpu_seconds=None), only, "x").total is None
    free = PricesConfig.model_validate({"currency": "EUR", "tokens": {"x": {"input": 0, "output": 0}}})
    assert money(COST, free, "x").total == 0


def test_amounts_name_their_currency_and_nothing_resolved_is_said() -> None:
    assert [amount(value, "EUR") for value in (1234.5, 0.00712, 0, None)] == [
        "1,234.50 EUR",
        "0.0071 EUR",
        "0.00 EUR",
        "-",
    ]
    assert each_resolved(7.0, 4, "EUR") == "1.75 EUR"
    assert each_resolved(7.0, 0, "EUR") == "none resolved"
    assert each_resolved(None, 0, "EUR") == "-"


def test_the_tables_have_the_cost_of_each_resolved_instance() -> None:
    cost = replace(COST, money=money(COST, PRICES, "big-b"))
    rows = [row(cost), row(cost, "gt-file"), replace(row(None, None), checkpoint="gold")]
    lines = list(csv.DictReader(io.StringIO(result_tables.csv(rows))))
    names = ("checkpoint_gpu_seconds", "checkpoint_cost_gpus", "checkpoint_cost", "checkpoint_resolved", "currency")
    assert [[line[name] for name in names] for line in lines] == [["7200.0", "3.0", "7.05", "4", "EUR"]] * 2 + [
        [""] * 5
    ]
    assert [line["checkpoint_cost_per_resolved"] for line in lines] == ["1.7625", "1.7625", ""]
    text = result_tables.markdown(rows)
    assert "| 1h 00m | 2h 00m | 30m 00s | 7.05 EUR | 1.76 EUR |" in text
    said = "base cost 7.05 EUR (tokens 4.00, gpus 3.00, containers 0.05); per resolved instance, 1.76 EUR (4 resolved"
    assert said in text


def test_without_a_resolved_instance_no_table_divides() -> None:
    cost = replace(COST, resolved=0, money=money(COST, PRICES, "other"))
    [line] = csv.DictReader(io.StringIO(result_tables.csv([row(cost)])))
    assert (line["checkpoint_cost"], line["checkpoint_cost_per_resolved"]) == ("3.05", "")
    text = result_tables.markdown([row(cost)])
    assert "| 3.05 EUR | none resolved |" in text
    assert "tokens -, gpus 3.00" in text


def test_without_a_price_list_no_table_speaks_of_money() -> None:
    assert "per resolved" not in result_tables.markdown([row(COST)])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"currency": "EUR"}, "at least one of tokens, gpu_hour and container_hour"),
        ({"gpu_hour": 1}, "currency"),
        ({"currency": "EUR", "gpu_hour": -1}, "greater than or equal to 0"),
        ({"currency": "EUR", "gpu_hour": float("nan")}, "finite"),
        ({"currency": "EU R", "gpu_hour": 1}, "pattern"),
    ],
)
def test_price_lists_that_say_too_little_are_refused(given, said) -> None:
    with pytest.raises(ValidationError, match=said):
        PricesConfig.model_validate(given)


def test_a_price_that_no_checkpoint_has_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ValueError, match=r"prices\.tokens: no checkpoint is called 'bigb'; did you mean big-b\?"):
        PricesConfig.model_validate({"currency": "EUR", "tokens": {"bigb": {"input": 1, "output": 2}}}).require_known(
            ["big-b", "small"]
        )
    PRICES.require_known(["big-a"])
