"""What groups cost in the ablation table and in frames: shared questions once, seeds together, one currency."""

from dataclasses import replace

import pytest
from finished_runs import SETTINGS, among, staged

import harness
from harness.common.run_folder import RunFolder, freeze
from harness.compare.ablation_data import document
from harness.compare.table_command import read_ablation, table_text
from harness.core.verdict import Outcome
from harness.grading.exclusions import open_soundness
from harness.page.overview_data import ablation_data
from harness.report.checkpoint_cost import CheckpointCost
from harness.report.money import Money
from harness.report.write import write_results

CONDITIONS = ("gt-location", "gt-file")
COUNT = 20


def write(path, ending, costs, strategies=None):
    """A run of checkpoints by name, each with its cost; what each condition needed adds up to more than that."""
    checkpoints = [{"name": name, "strategy": (strategies or {}).get(name, name), "seed": 0} for name in costs]
    checkpoints = [checkpoint | {"seed": number} for number, checkpoint in enumerate(checkpoints)]
    results = [
        staged(checkpoint, condition, number, ending(number), {}, 0.25)
        for checkpoint in checkpoints
        for condition in CONDITIONS
        for number in range(COUNT)
    ]
    results = [replace(r, attempt=replace(r.attempt, checkpoint_cost=costs[r.attempt.checkpoint])) for r in results]
    with RunFolder(path) as folder:
        settings = {**SETTINGS, "conditions": list(CONDITIONS), "checkpoints": checkpoints, "output": str(path)}
        freeze(path / "frozen.yaml", settings, {"dataset": "rows-1"})
        write_results(folder, results, lambda verdict: path / "none.log", open_soundness(None))
    return path


def cost(total, currency="EUR", **more):
    return CheckpointCost(
        5, 1000, 100, 9.0, 8.0, 20.0, 40.0, 30.0, resolved=10, money=Money(currency, total, None, None), **more
    )


def test_a_question_that_conditions_share_counts_once_in_every_form(tmp_path):
    run = write(tmp_path / "run", among(*range(5)), {"a": cost(30.0)})
    found = read_ablation([run])
    [row] = found.rows
    attempts = harness.load_results(run).attempts
    assert attempts.prompt_tokens.sum() == 100 * 2 * COUNT  # what each condition needed
    assert (row.costs.prompt_tokens, row.costs.completion_tokens, row.costs.model_seconds) == (1000, 100, 9.0)
    assert (row.costs.resolved, row.costs.cost, row.costs.cost_per_resolved) == (10, 30.0, 3.0)
    text = table_text(found, "md")
    assert "| a | 1k | 100 | 40s | 30s | 10 | 30.00 EUR | 3.00 EUR |" in text
    [record, *_] = document(found)["records"]
    assert (record["cost"], record["cost_per_resolved"], record["currency"]) == (30.0, 3.0, "EUR")
    tables = ablation_data(found)["tables"]
    [shown] = [table for table in tables if "per resolved" in table["columns"]]
    assert shown["rows"][0][-1] == ["3.00 EUR", False]
    [line] = harness.load_results(run).checkpoints.to_dict("records")
    wanted = {"checkpoint": "a", "prompt_tokens": 1000, "gpu_seconds": 40.0, "resolved": 10, "cost": 30.0}
    assert {name: line[name] for name in wanted} == wanted
    assert (line["cost_per_resolved"], line["currency"]) == (3.0, "EUR")


def test_the_seeds_of_a_group_are_paid_for_together(tmp_path):
    costs = {"a": cost(30.0), "b": cost(12.0)}
    run = write(tmp_path / "run", among(*range(5)), costs, {"a": "best-fit", "b": "best-fit"})
    [row] = read_ablation([run]).rows
    assert (row.costs.resolved, row.costs.cost, row.costs.cost_per_resolved) == (20, 42.0, 2.1)


def test_two_currencies_have_no_sum(tmp_path):
    costs = {"a": cost(30.0), "b": cost(12.0, "USD")}
    run = write(tmp_path / "run", among(*range(5)), costs, {"a": "best-fit", "b": "best-fit"})
    [row] = read_ablation([run]).rows
    assert (row.costs.cost, row.costs.cost_per_resolved, row.costs.currency) == (None, None, None)


def test_nothing_resolved_is_said_in_words(tmp_path):
    run = write(tmp_path / "run", lambda number: Outcome.UNRESOLVED, {"a": replace(cost(30.0), resolved=0)})
    found = read_ablation([run])
    assert "| 0 | 30.00 EUR | none resolved |" in table_text(found, "md")
    assert found.rows[0].costs.cost_per_resolved is None
    assert harness.load_results(run).checkpoints.cost_per_resolved.isna().all()


@pytest.mark.parametrize("name", ["answers", "gpu_seconds"])
def test_a_run_without_prices_has_the_rest(tmp_path, name):
    run = write(tmp_path / "run", among(1), {"a": replace(cost(1.0), money=None)})
    assert "per resolved" not in table_text(read_ablation([run]), "md")
    [line] = harness.load_results(run).checkpoints.to_dict("records")
    assert line[name] > 0
    assert line["cost"] is None
