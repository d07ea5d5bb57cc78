"""What the tables show, in each of their three forms."""

import csv
import io
from dataclasses import replace

import pytest
from rich.console import Console

from harness.core.conditions import Condition
from harness.core.control import ControlState
from harness.core.whole_suite import SuiteState
from harness.report import result_tables
from harness.report.checkpoint_cost import CheckpointCost
from harness.report.summary import SummaryRow
from harness.statistics.share import wilson

CONDITIONS: tuple[Condition, ...] = ("model", "gt-location", "gt-file")


def row(checkpoint: str = "concat", condition: Condition | None = "model", **changes: object) -> SummaryRow:
    base = SummaryRow(
        checkpoint=checkpoint,
        strategy="restart-last-document",
        packing_metrics={"fragmentation_rate": 0.178, "padding_rate": 0.0},
        condition=condition,
        instances=300,
        resolved=21,
        infrastructure=0,
        interval=wilson(21, 300),
        applied=240,
        empty=45,
        similarity=0.234,
        similarity_instances=300,
        prompt_tokens=1_234_567,
        completion_tokens=98_765,
        model_seconds=4000.0,
        test_seconds=125.0,
        outcomes={"unresolved": 234, "empty-patch": 45, "resolved": 21},
        reasons={"no-match": 80, "truncated": 7},
    )
    return replace(base, **changes)


GOLD = row("gold", None, strategy=None, packing_metrics={}, resolved=300, interval=wilson(300, 300), prompt_tokens=0)
ROWS = [*(row(condition=condition) for condition in CONDITIONS), GOLD]


def shown(rows: list[SummaryRow], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(result_tables.terminal_table(rows))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 100, 120])
def test_terminal_cuts_nothing_and_stays_within_its_width(width: int) -> None:
    text = shown(ROWS, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for piece in ("concat", "restart-last-", "gt-location", "21/300", "7.0 [4.6, 10.5]", "240", "45", "0.234", "1.2M"):
        assert piece in text
    for piece in ("99k", "1h 06m", "2m 05s", "reference", "300/300", "Wilson", "difflib"):
        assert piece in text


def test_terminal_names_packing_once_even_for_a_single_condition() -> None:
    assert shown([row()], 100).count("restart-last-document") == 1


def test_terminal_names_a_checkpoint_once_that_is_called_like_its_packing() -> None:
    rows = [row("pad-last-document", condition, strategy="pad-last-document") for condition in ("model", "gt-file")]
    scores, costs = shown(rows, 100).split("Costs")
    assert scores.count("pad-last-document") == costs.count("pad-last-document") == 1


def test_terminal_takes_names_as_they_are() -> None:
    assert "[red]mine[/red]" in shown([row(strategy="[red]mine[/red]")], 100)


def test_infrastructure_failures_are_shown_only_when_there_are_any() -> None:
    failed = row(infrastructure=100)
    assert "infra" not in shown([row()], 100).replace("infrastructure failures included", "")
    assert "failed in 100 of 300 evaluations" in " ".join(shown([failed], 100).split())
    assert "infrastructure failures |" not in result_tables.markdown([row()])
    text = result_tables.markdown([failed])
    assert "| infrastructure failures | rate % without them |" in text
    assert "| 100 | 10.5 (21 / 200) |" in text


def test_bounds_stand_beside_the_rates_only_if_something_is_ungraded() -> None:
    rows = [row(condition=condition, infrastructure=30 * (condition == "model")) for condition in CONDITIONS]
    main = next(part for part in result_tables.markdown(rows).split("\n\n") if part.startswith("|"))
    assert "| 7.0-17.0 |" in main
    assert "| 7.0-7.0 |" in main
    assert "all ungraded failed" in result_tables.markdown(rows)
    assert "ungraded" not in result_tables.markdown(ROWS)
    assert "ungraded" not in shown(ROWS, 100)


@pytest.mark.parametrize("width", [80, 120])
def test_terminal_keeps_the_bounds_whole(width: int) -> None:
    rows = [row(condition=condition, infrastructure=30) for condition in CONDITIONS]
    rows.append(replace(GOLD, resolved=270, infrastructure=30, interval=wilson(270, 300)))
    text = shown(rows, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for piece in ("7.0 [4.6, 10.5]", "7.0-17.0", "90.0-100.0", "gt-location", "0.234"):
        assert piece in text


def test_markdown_is_rectangular_and_carries_counts() -> None:
    text = result_tables.markdown(ROWS)
    main, costs, endings = (part for part in text.split("\n\n") if part.startswith("|"))
    for part in (main, costs, endings.rstrip("\n")):
        assert {line.count("|") for line in part.splitlines()} <= {part.splitlines()[0].count("|")}
        assert part.splitlines()[0].count("|") <= 9  # eight columns
    assert len(main.splitlines()) == 2 + len(ROWS)
    for cell in ("21 / 300", "7.0 [4.6, 10.5]", "240 (80.0%)", "45 (15.0%)", "0.234"):
        assert f"| {cell} |" in main
    assert "| concat | model | 1,234,567 / 98,765 | 1h 06m | 2m 05s |" in costs
    assert "Wilson" in text
    assert "SWE-RL" in text


def test_markdown_leaves_out_columns_that_nobody_fills() -> None:
    text = result_tables.markdown([row("gold", None, infrastructure=0)])
    assert "infrastructure failures |" not in text
    assert "infrastructure failures |" in result_tables.markdown([row(infrastructure=1)])


def test_markdown_escapes_bars() -> None:
    assert r"a\|b" in result_tables.markdown([row("a|b")])


def test_markdown_says_over_how_many_instances_similarity_is_a_mean() -> None:
    assert "| 0.234 (of 120) |" in result_tables.markdown([row(similarity_instances=120)])


def test_endings_are_named_with_counts() -> None:
    *_, endings = result_tables.markdown([row(), GOLD]).split("\n\n")
    lines = endings.splitlines()
    assert lines[2] == (
        "| concat | model | 300 | unresolved 234, empty-patch 45, resolved 21 | no-match 80, truncated 7 | - |"
    )
    assert lines[3].startswith("| gold | reference | 300 |")


def test_csv_holds_raw_numbers_that_read_back() -> None:
    first, *_, last = csv.DictReader(io.StringIO(result_tables.csv(ROWS)))
    assert first["checkpoint"] == "concat"
    assert first["packing_fragmentation_rate"] == "0.178"
    assert float(first["resolve_rate"]) == 21 / 300
    assert float(first["resolve_rate_low"]) == wilson(21, 300).low
    assert float(first["resolve_rate_ungraded_failed"]) == float(first["resolve_rate_ungraded_resolved"]) == 21 / 300
    [failed] = csv.DictReader(io.StringIO(result_tables.csv([row(infrastructure=30)])))
    assert float(failed["resolve_rate_ungraded_resolved"]) == 51 / 300
    assert (first["instances"], first["empty"], first["prompt_tokens"]) == ("300", "45", "1234567")
    assert last["condition"] == "reference"
    assert last["packing_fragmentation_rate"] == ""


def test_cut_prompts_have_a_column_and_are_reported_if_there_are_any() -> None:
    rows = [row(cut_prompts=7), GOLD]
    assert [line["cut_prompts"] for line in csv.DictReader(io.StringIO(result_tables.csv(rows)))] == ["7", "0"]
    assert "no room for all located source in 7 evaluations" in result_tables.markdown(rows)
    assert "no room" not in result_tables.markdown(ROWS)


def test_answers_that_were_read_before_their_cut_stand_beside_the_reasons_by_stage() -> None:
    rows = [row(read_before_cut={"files": 2, "repair": 9}), GOLD]
    assert [line["read_before_cut"] for line in csv.DictReader(io.StringIO(result_tables.csv(rows)))] == ["11", "0"]
    *_, endings = result_tables.markdown(rows).split("\n\n")
    assert endings.splitlines()[2].endswith("| no-match 80, truncated 7 | files 2, repair 9 |")


def test_the_cost_of_a_checkpoint_counts_shared_questions_once() -> None:
    cost = CheckpointCost(5, 1_234_567, 4321, 90.0, 60.0)
    rows = [*(row("base", condition, checkpoint_cost=cost) for condition in CONDITIONS), GOLD]
    text = result_tables.markdown(rows)
    assert text.count("| base | 5 | 1,234,567 / 4,321 | 1m 30s | 1m 00s |") == 1
    lines = list(csv.DictReader(io.StringIO(result_tables.csv(rows))))
    assert [line["checkpoint_wall_seconds"] for line in lines] == ["60.0"] * 3 + [""]
    assert [line["checkpoint_answers"] for line in lines] == ["5"] * 3 + [""]
    for width in (80, 120):
        printed = shown(rows, width)
        assert printed.count("all, once each") == 1
        assert max(map(len, printed.splitlines())) <= width
        assert "…" not in printed
    assert "once" not in shown(ROWS, 80)


def test_a_checkpoint_that_was_asked_without_a_chat_template_is_named() -> None:
    rows = [row("base", "model", route="completions"), row("chatty", "model", route="chat"), GOLD]
    assert "Asked by /completions, without a chat template: base." in result_tables.markdown(rows)
    assert [line["route"] for line in csv.DictReader(io.StringIO(result_tables.csv(rows)))] == [
        "completions",
        "chat",
        "",
    ]


def test_a_table_says_who_was_asked_without_a_seed() -> None:
    rows = [row("far", "model", route="chat without a seed"), row("chatty", "model", route="chat"), GOLD]
    assert "Asked without a seed, which the server refuses: far." in result_tables.markdown(rows)
    assert "Asked without a seed" not in result_tables.markdown(rows[1:])


def test_counter_evaluations_have_columns_and_a_note_that_names_rows_with_failed_ones() -> None:
    rows = [row(controls={ControlState.PASSED: 19, ControlState.FAILED: 2}, control_seconds=90.0), GOLD]
    first, second = csv.DictReader(io.StringIO(result_tables.csv(rows)))
    columns = [first[f"controls_{state}"] for state in ("passed", "failed", "none_drawn", "undone")]
    assert columns == ["19", "2", "0", "0"]
    assert (first["control_seconds"], second["controls_passed"]) == ("90.0", "0")
    text = result_tables.markdown(rows)
    assert "Counter-evaluations of resolved patches: passed 19, failed 2; time 1m 30s." in text
    assert "flagged control-failed and counted as resolved: concat model." in text
    assert "Counter-evaluations" not in result_tables.markdown(ROWS)


def test_a_counter_evaluation_that_was_stopped_is_neither_passed_nor_failed() -> None:
    rows = [row(controls={ControlState.PASSED: 1, ControlState.STOPPED: 1}, control_seconds=90.0), GOLD]
    first = next(csv.DictReader(io.StringIO(result_tables.csv(rows))))
    assert [first[f"controls_{state}"] for state in ("passed", "failed", "stopped")] == ["1", "0", "1"]
    text = result_tables.markdown(rows)
    assert "passed 1, stopped 1; time" in text
    assert "Neither passed nor failed, flagged control-stopped and counted as resolved: concat model." in text
    assert "may be forged" not in text


def test_whole_suites_stand_beside_the_official_number() -> None:
    suites = {SuiteState.COMPARED: 20, SuiteState.NOT_RUN: 1}
    rows = [row(resolved=21, suites=suites, clean=18, breaking=2, suite_seconds=90.0), GOLD]
    first, second = csv.DictReader(io.StringIO(result_tables.csv(rows)))
    names = ("resolved_and_breaks_nothing", "breaks_something", "whole_suites_compared", "whole_suites_not_run")
    assert [first[name] for name in names] == ["18", "2", "20", "1"]
    assert [second[name] for name in names] == ["", "", "0", "0"]
    text = result_tables.markdown(rows)
    assert "| resolved and breaks nothing |" in text
    assert f"| 18 / {rows[0].instances} (" in text
    assert "%, 1 unknown)" in text
    assert "compared 20, not-run 1; 2 break tests that pass with the gold patch" in text
    assert "breaks nothing" not in result_tables.markdown(ROWS)
    console = Console(width=100, file=io.StringIO())
    console.print(result_tables.terminal_table(rows))
    assert f"18/{rows[0].instances}" in console.file.getvalue()


def test_every_table_says_whose_answers_are_not_repeatable() -> None:
    note = "not bitwise repeatable, not even greedy ones"
    plain, invariant = row("plain"), row("invariant", batch_invariant=True)
    assert f"{note}: they depend" in result_tables.markdown([plain, GOLD])
    assert f"{note} (plain): they depend" in result_tables.markdown([plain, invariant, GOLD])
    assert note in " ".join(shown([plain], 80).split())
    for rows in ([invariant, GOLD], [GOLD]):
        assert "repeatable" not in result_tables.markdown(rows)
