import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from harness.errors import InputError
from harness.packing.cli import pack
from harness.packing.defaults import COMPARED
from lab.arms import STRATEGIES

app = typer.Typer()
app.command()(pack)


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=True)


def test_the_table_shows_every_strategy_side_by_side(corpus_file, tokenizer_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    metrics, figure = tmp_path / "m.json", tmp_path / "f.png"
    ended = run(corpus_file, "-L", 8192, "-t", tokenizer_folder, "--metrics", metrics, "--figure", figure)
    assert ended.exit_code == 0, ended.output
    for name in ("concat-then-split", "restart-last-document", "pad-last-document", "best-fit+drop"):
        rows = [line.split() for line in ended.output.splitlines() if line.startswith(f"{name} ")]
        assert [len(row) for row in rows] == [7, 7], "nothing is folded on a terminal of 80 columns"
    assert "best-fit is left out" in ended.output
    assert set(json.loads(metrics.read_text())["strategies"]) >= {"concat-then-split", "best-fit+slide"}
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_what_is_compared_by_default_is_told_and_serves_every_packing_of_the_laboratory():
    assert set(STRATEGIES) < set(COMPARED)
    shown = run("--help").output
    assert all(name in shown for name in COMPARED)
    page = (Path(__file__).parents[2] / "docs" / "packing.md").read_text(encoding="utf-8")
    told = page.split("these are compared:")[1].split("The other")[0]
    assert re.findall("`([a-z+-]+)`", told) == list(COMPARED)


def test_output_is_written_for_the_strategies_named(corpus_file, tokenizer_folder, tmp_path):
    out = tmp_path / "out"
    strategies = ("-s", "best-fit+split,best-fit+drop", "-s", "pad-last-document")
    ended = run(corpus_file, "-L", 8192, "-t", tokenizer_folder, *strategies, "--output", out)
    assert ended.exit_code == 0, ended.output
    assert f"written: {out}" in ended.output.replace("\n", "")
    folders = {path.name for path in out.iterdir() if path.is_dir()}
    assert folders == {"best-fit+split", "best-fit+drop", "pad-last-document"}


def test_bad_input_reaches_the_command_line_as_one_error(corpus_file, tmp_path):
    ended = run(corpus_file, "-L", 8192, "-s", "best-fit+spilt", "--output", tmp_path / "out")
    assert isinstance(ended.exception, InputError)
    assert "did you mean best-fit+split" in str(ended.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module", ["numpy", "numba", "datasets", "pyarrow", "matplotlib", "tokenizers"])
def test_offering_the_command_imports_nothing_heavy(module):
    code = f"import sys, harness.packing.cli; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
