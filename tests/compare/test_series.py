"""Rates over the training: tables and data, of one run and of several whose seeds are one group."""

import pytest
from finished_runs import among, write_ablation_run

from harness.compare.ablation_tables import printed
from harness.compare.printed_table import WIDEST
from harness.compare.series import series_of
from harness.compare.table_command import read_ablation, table_text
from harness.core.verdict import Outcome
from harness.errors import InputError
from harness.page.run_pictures import series_files

COUNT = 40


def better(checkpoint, condition, number):
    return among(*range(checkpoint["step"] // 10))(number)


def checkpoint(strategy, step, **more):
    return {"name": f"{strategy}.{step}", "path": "/w", "strategy": strategy, "step": step, **more}


def tables(found):
    return [table for table in printed(found).tables if table.title == "Resolved % over the training"]


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_each_training_is_a_column_and_each_step_a_row(tmp_path):
    made = [checkpoint("best-fit", 200), checkpoint("best-fit", 100), checkpoint("concat-then-split", 100)]
    found = read_ablation([write_ablation_run(tmp_path / "run", made, better, COUNT)])
    [table] = tables(found)
    assert table.columns == ("steps", "concat-then-split", "best-fit")
    first, second = texts(table)
    assert [cell.split(" [")[0] for cell in first] == ["step 100", "25.0", "25.0"]
    assert [cell.split(" [")[0] for cell in second] == ["step 200", "-", "50.0"]
    rate = next(row for row in found.rows if row.group.name == "best-fit.200").of("resolve_rate")
    low, high = (f"{100 * end:.1f}" for end in rate.interval)
    assert second[2] == f"50.0 [{low}, {high}]"
    assert "Resolved % over the training" in table_text(found, "md")
    files = series_files(series_of(found))
    assert sorted(files) == ["series.dark.svg", "series.png", "series.svg"]


def test_tokens_count_if_every_checkpoint_has_them_and_steps_otherwise(tmp_path):
    made = [checkpoint("best-fit", step, tokens=step * 1e9) for step in (100, 200)]
    found = read_ablation([write_ablation_run(tmp_path / "all", made, better, COUNT)])
    assert [row[0] for row in texts(tables(found)[0])] == ["100B tokens", "200B tokens"]
    del made[0]["tokens"]
    found = read_ablation([write_ablation_run(tmp_path / "some", made, better, COUNT)])
    assert [row[0] for row in texts(tables(found)[0])] == ["step 100", "step 200"]


def test_one_checkpoint_of_a_training_is_no_series(tmp_path):
    made = [checkpoint("best-fit", 100), checkpoint("concat-then-split", 200)]
    found = read_ablation([write_ablation_run(tmp_path / "run", made, better, COUNT)])
    assert series_of(found) is None
    assert tables(found) == []
    assert series_files(None) == {}


def test_many_trainings_take_several_tables(tmp_path):
    made = [checkpoint(f"s{number}", step) for number in range(9) for step in (100, 200)]
    found = read_ablation([write_ablation_run(tmp_path / "run", made, better, 8, conditions=("gt-file",))])
    assert [len(table.columns) for table in tables(found)] == [WIDEST, 3]


def test_runs_of_other_seeds_are_one_group_and_runs_of_other_settings_are_not(tmp_path):
    def run(name, seed, **more):
        made = [checkpoint("best-fit", step, seed=seed) for step in (100, 200)]
        return write_ablation_run(tmp_path / name, made, better, COUNT, **more)

    first, second = run("first", 1), run("second", 2)
    found = read_ablation([first, second])
    assert [(row.group.name, len(row.group.members)) for row in found.rows] == [
        ("best-fit, step 100", 2),
        ("best-fit, step 200", 2),
    ]
    assert found.rows[0].of("resolve_rate").seeds == (0.25, 0.25)
    assert found.rows[0].costs.resolved == 2 * 3 * 10
    again = run("again", 1)
    other = run("other", 3, sampling={"samples": 9})
    for twice in (again, other):
        with pytest.raises(InputError, match="several of the runs have a group of this name"):
            read_ablation([first, twice])


def test_a_place_without_a_grade_is_there_all_the_same(tmp_path):
    made = [checkpoint("best-fit", step) for step in (100, 200)]
    run = write_ablation_run(tmp_path / "run", made, lambda *_: Outcome.INFRASTRUCTURE, 4)
    found = read_ablation([run])
    assert [row[1].split(" [")[0] for row in texts(tables(found)[0])] == ["0.0", "0.0"]
