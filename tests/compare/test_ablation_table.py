"""The ablation table of finished runs: its order, its bold values, its forms, and that it never contradicts a gate."""

import io
import json
import re
from statistics import fmean

import pandas as pd
import pytest
from finished_runs import among, write_ablation_run, write_run
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from harness.cli import app
from harness.compare.ablation_data import document, records, write_ablation
from harness.compare.ablation_forms import as_latex, as_markdown, latex, on_terminal
from harness.compare.ablation_tables import printed
from harness.compare.ablation_values import ablation
from harness.compare.compare_command import gate_results
from harness.compare.finished import read_arm
from harness.compare.groups_of_run import read_run
from harness.compare.printed_table import WIDEST
from harness.compare.run_comparison import compare_runs
from harness.compare.table_command import read_ablation
from harness.core.verdict import Outcome
from harness.errors import InputError
from harness.statistics.order import FEWEST
from harness.statistics.requirement import Decision

SKILL = {"best-fit+drop": 1, "concat-then-split": 4, "best-fit": 3}  # one of so many is resolved
CHECKPOINTS = [
    {"name": f"{strategy}.seed{seed}", "path": "/w", "strategy": strategy, "seed": seed}
    for strategy in SKILL
    for seed in range(3)
]


def by_skill(checkpoint, condition, number):
    lucky = (number + checkpoint["seed"]) % SKILL[checkpoint["strategy"]] == 0
    return Outcome.RESOLVED if lucky else (Outcome.EMPTY_PATCH if number % 2 else Outcome.UNRESOLVED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_ablation_run(tmp_path_factory.mktemp("ablation") / "run", CHECKPOINTS, by_skill)


@pytest.fixture(scope="module")
def found(folder):
    return read_ablation([folder])


def test_seeds_are_one_row_in_the_order_of_the_reports_table(found):
    assert [(row.group.name, len(row.group.members)) for row in found.rows] == [
        ("concat-then-split", 3), ("best-fit", 3), ("best-fit+drop", 3),
    ]  # fmt: skip
    assert found.baseline == "concat-then-split"
    concat = found.rows[0].of("resolve_rate")
    assert (concat.value, concat.seeds, concat.method) == (0.25, (0.25, 0.25, 0.25), "seeds-t")
    assert found.rows[2].of("empty_rate", "gt-file").value == 0.0
    assert found.rows[0].stages["model"].pass_at[1] == pytest.approx(0.25 * 0.5)
    assert found.references == {"gold": (60, 60)}


def test_bold_is_what_is_best_and_distinguishable(found, tmp_path):
    assert found.best((None, "resolve_rate")) == "best-fit+drop"
    assert found.best((None, "empty_rate")) == "best-fit+drop"
    assert found.best((None, "similarity")) is None  # all alike
    pair = write_run(tmp_path / "pair", {"one": among(*range(30)), "two": among(*range(32))})
    assert read_ablation([pair]).best((None, "resolve_rate")) is None
    assert "**" not in as_markdown(printed(read_ablation([pair])))


def test_printed_tables_are_narrow_and_name_what_is_constant_once(found):
    shown = printed(found)
    assert max(len(table.columns) for table in shown.tables) <= WIDEST
    text = as_markdown(shown)
    assert text.count("samples: 4") == text.count("instances: 60") == 1
    head = "| group | tokens (B) | fragments % | padding % | resolved % | similarity % | empty % | seeds' range |"
    assert head in text
    assert "| best-fit+drop | 73 | 30.2 | 0.01 | **100.0 [96.6, 100.0]** | 25.0 | **0.0** | 100.0-100.0 (3) |" in text
    [least] = [note for note in shown.beneath if note.startswith("The smallest difference")]
    assert re.search(r"60 instances and 3 seeds .*: [\d.]+ points of the resolve rate .* among all 3 pairs", least)


@pytest.mark.parametrize("width", [80, 100])
def test_a_terminal_of_80_columns_cuts_nothing(found, width):
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(on_terminal(printed(found)))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for piece in ("concat-then-split", "100.0", "[96.6, 100.0]", "gt-location", "best-fit+drop"):
        assert piece in text


def test_latex_has_rows_of_one_width_and_takes_any_text():
    assert latex("a_b & 50% {x} \\ $ # ~ ^ < é\x1b") == (
        r"a\_b \& 50\% \{x\} \textbackslash{} \$ \# \textasciitilde{} \textasciicircum{} $<$ ?\textbackslash{}x1b"
    )


def test_the_forms_are_written_whole_and_say_the_same(found, tmp_path):
    paths = write_ablation(found, tmp_path)
    assert sorted(path.name for path in paths) == [f"ablation.{end}" for end in ("csv", "json", "md", "parquet", "tex")]
    told = pd.DataFrame(records(found)).dropna(axis=1, how="all")
    for read in (pd.read_parquet(tmp_path / "ablation.parquet"), pd.read_csv(tmp_path / "ablation.csv")):
        pd.testing.assert_frame_equal(read.dropna(axis=1, how="all"), told, check_dtype=False)
    loaded = json.loads((tmp_path / "ablation.json").read_text())
    assert loaded == json.loads(json.dumps(document(found)))
    [held] = [
        one for one in loaded["comparisons"]
        if (one["first"], one["second"], one["condition"], one["metric"])
        == ("concat-then-split", "best-fit+drop", "average", "resolve_rate")
    ]  # fmt: skip
    assert (held["estimate"], held["method"], held["distinguishable"]) == (0.75, "min-f", True)
    text = (tmp_path / "ablation.tex").read_text()
    assert (
        text.count(r"\toprule")
        == text.count(r"\bottomrule")
        == text.count(r"\end{tabular}")
        == len(printed(found).tables)
    )
    for body in re.findall(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}\n(.*?)\\bottomrule", text, re.DOTALL):
        rows = [line for line in body[1].splitlines() if line.endswith(r" \\")]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(body[0])}
    assert as_latex(printed(found)) == text


def test_steps_of_one_training_are_groups_in_their_order(tmp_path):
    checkpoints = [
        {"name": f"s{step}", "path": "/w", "strategy": "best-fit", "seed": 0, "step": step} for step in (200, 30, 1000)
    ]
    folder = write_ablation_run(tmp_path / "run", checkpoints, lambda *_: Outcome.RESOLVED, count=8)
    assert [row.group.name for row in read_ablation([folder]).rows] == [
        "best-fit, step 30", "best-fit, step 200", "best-fit, step 1000",
    ]  # fmt: skip


def test_what_can_not_be_one_table_is_refused_and_what_can_not_be_compared_is_named(folder, tmp_path):
    with pytest.raises(InputError, match="several of the runs have a group of this name; give the checkpoints labels"):
        read_ablation([folder, folder])
    with pytest.raises(InputError, match="no group 'best'; name one of concat-then-split, "):
        read_ablation([folder], "best")
    other = write_ablation_run(
        tmp_path / "other", [{"name": "o", "path": "/w"}], lambda *_: Outcome.RESOLVED, sampling={"samples": 9}
    )
    both = read_ablation([folder, other])
    assert "concat-then-split and o: sampling.samples differs" in both.apart
    assert both.best((None, "resolve_rate")) is None
    assert "samples" not in both.constants


def test_machine_failures_widen_and_take_the_bold(tmp_path):
    def ending(failed):
        return lambda n: Outcome.INFRASTRUCTURE if n < failed else (among(*range(60))(n))

    for failed, best in ((0, "two"), (45, None)):
        run = write_run(tmp_path / str(failed), {"one": among(*range(30)), "two": ending(failed)})
        assert read_ablation([run]).best((None, "resolve_rate")) == best
    assert any("The machine failed on some instances" in note for note in printed(read_ablation([run])).beneath)


def test_the_average_is_that_of_its_conditions_where_the_machine_failed_under_one_of_them(tmp_path):
    def ending(checkpoint, condition, number):
        if number == 0 and condition == "model":
            return Outcome.INFRASTRUCTURE
        return Outcome.RESOLVED if number < 20 else Outcome.UNRESOLVED

    run = write_ablation_run(tmp_path / "run", [{"name": "one", "path": "/w"}], ending)
    [row] = read_ablation([run]).rows
    average, *parts = (row.of("resolve_rate", c) for c in (None, "model", "gt-location", "gt-file"))
    assert average.value == pytest.approx(fmean(part.value for part in parts)) == pytest.approx(59 / 180)
    assert average.bounds == pytest.approx((59 / 180, 60 / 180))


@given(
    first=st.lists(st.sampled_from("rue"), min_size=50, max_size=60),
    second=st.lists(st.sampled_from("rruefi"), min_size=60, max_size=60),
    seeds=st.sampled_from([1, 3]),
)
@settings(
    max_examples=10, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_table_comparison_and_gate_are_of_one_opinion(tmp_path_factory, first, second, seeds):
    """All three rest on one comparison: same rates, same difference, same bounds, same verdict."""
    endings = {
        "r": Outcome.RESOLVED, "u": Outcome.UNRESOLVED, "e": Outcome.EMPTY_PATCH, "f": Outcome.TIMEOUT,
        "i": Outcome.INFRASTRUCTURE,
    }  # fmt: skip
    checkpoints = [
        {"name": f"{name}.seed{seed}", "path": "/w", "strategy": name, "seed": seed}
        for name in ("a", "b")
        for seed in range(seeds)
    ]

    def ending(checkpoint, condition, number):
        told = first if checkpoint["strategy"] == "a" else second
        return endings[told[(number + checkpoint["seed"]) % len(told)]]

    folder = write_ablation_run(
        tmp_path_factory.mktemp("one") / "run", checkpoints, ending, len(first), conditions=("gt-file",)
    )
    [held] = ablation([read_run(folder)]).against_baseline((None, "resolve_rate"))
    names = f"{folder}:a.seed*", f"{folder}:b.seed*"
    compared = compare_runs(*map(read_arm, names)).overall.comparison
    assert compared == held.comparison
    for text in ("resolve_rate >= 0pp @ 97.5%", "resolve_rate >= -5pp @ 95%"):
        [judged] = gate_results(names[1], names[0], [text]).judged
        assert judged.comparison.estimate == held.comparison.estimate
        assert judged.comparison.seen == held.comparison.seen
        if text.endswith("97.5%") and judged.comparison.seen.instances >= FEWEST:
            ahead = held.comparison.distinguishable and held.comparison.estimate > 0
            assert not ahead or judged.decision is Decision.HOLDS
            behind = held.comparison.distinguishable and held.comparison.estimate < 0
            assert not behind or judged.decision is Decision.BROKEN


def test_the_command_prints_every_form_and_writes_them(folder, tmp_path, found):
    for form, text in (("md", as_markdown(printed(found))), ("tex", as_latex(printed(found)))):
        done = CliRunner().invoke(app, ["table", str(folder), "--format", form])
        assert (done.exit_code, done.stdout) == (0, text)
    done = CliRunner().invoke(app, ["table", str(folder), "--baseline", "best-fit", "--output", str(tmp_path / "out")])
    assert "Resolved, points against best-fit" in done.stdout
    assert json.loads((tmp_path / "out" / "ablation.json").read_text())["baseline"] == "best-fit"
    done = CliRunner().invoke(app, ["table", str(folder), "--format", "json"])
    assert json.loads(done.stdout)["schema"] == 1


def test_the_table_says_whose_answers_are_not_repeatable(tmp_path) -> None:
    run = write_ablation_run(tmp_path / "run", CHECKPOINTS, by_skill)
    note = "not bitwise repeatable, not even greedy ones"
    assert f"{note}: they depend" in as_markdown(printed(read_ablation([run])))
    frozen, names = run / "frozen.yaml", [checkpoint["name"] for checkpoint in CHECKPOINTS]
    before = frozen.read_text()
    frozen.write_text(f"{before}\nbatch_invariant: {json.dumps(names[:-1])}\n")
    assert f"{note} (best-fit): they depend" in as_markdown(printed(read_ablation([run])))
    frozen.write_text(f"{before}\nbatch_invariant: {json.dumps(names)}\n")
    assert "repeatable" not in as_markdown(printed(read_ablation([run])))
