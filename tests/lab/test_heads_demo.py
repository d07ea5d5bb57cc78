"""The demo of lost heads: its table, and how its checkpoints come to the project."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from harness.core.verdict import Outcome

pytest.importorskip("torch")

from lab import CARD, LabError
from lab.heads.heads_arms import arms_of_kind
from lab.heads.heads_corpus import HeadsRecipe
from lab.heads.heads_demo import STRATEGIES, heads_table, shipped_heads
from lab.heads.heads_study import Attempt
from lab.heads.workshop import HeadsWorkshop
from lab.ship import ship_heads


def test_the_table_counts_attempts_by_strategy_and_way_of_asking():
    made = [
        Attempt("concat-then-split", 0, "rare", "a", True, False, Outcome.EMPTY_PATCH),
        Attempt("concat-then-split", 0, "rare", "b", True, False, Outcome.EMPTY_PATCH),
        Attempt("best-fit+split", 0, "rare", "a", False, True, Outcome.RESOLVED),
        Attempt("best-fit+split", 0, "rare", "b", False, True, Outcome.UNRESOLVED),
        Attempt("concat-then-split", 0, "canonical", "a", False, True, Outcome.RESOLVED),
        Attempt("best-fit+split", 0, "canonical", "a", False, False, Outcome.EMPTY_PATCH),
    ]
    console = Console(width=80, record=True)
    console.print(heads_table(made))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert [line for line in lines if " of " in line and line.startswith(STRATEGIES)][:4] == [
        "concat-then-split rare words 2 of 2 0 of 2 0 of 2",
        "best-fit+split rare words 0 of 2 2 of 2 1 of 2",
        "concat-then-split common words 0 of 1 1 of 1 1 of 1",
        "best-fit+split common words 0 of 1 0 of 1 0 of 1",
    ]


def test_checkpoints_are_shipped_without_what_was_left_on_the_way(tmp_path):
    workshop = HeadsWorkshop(tmp_path / "heads", "fitting", HeadsRecipe())
    with pytest.raises(LabError, match="not trained yet; `python -m lab heads --train-only` trains it"):
        ship_heads(workshop, tmp_path / "shipped")
    for arm in arms_of_kind("fitting", STRATEGIES):
        folder = workshop.checkpoint(arm, 0)
        (folder / "part-1-of-5").mkdir(parents=True)
        for name in (CARD, "log.jsonl", "curve.jsonl", "part-1-of-5/model.safetensors"):
            (folder / name).write_text("{}")
    ship_heads(workshop, tmp_path / "shipped")
    shipped = {str(path.relative_to(tmp_path / "shipped")) for path in (tmp_path / "shipped").rglob("*.*")}
    assert shipped == {f"{name}/{CARD}" for name in STRATEGIES}


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_shipped_ones_are_of_the_full_size_and_small(name):
    folder: Path = shipped_heads() / name
    card = json.loads((folder / CARD).read_text())
    assert card["tokens_asked"] == HeadsRecipe().tokens
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
