"""`make lab` on a small scale: the packed rows of `harness pack` in, checkpoints with their records out."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import InputError
from lab import LabError
from lab.__main__ import main
from lab.arms import ARMS, COMPENSATED, arms_named
from lab.corpus.make_corpus import CorpusRecipe
from lab.laboratory import Laboratory
from lab.ship import ship
from lab.training.recipe import Recipe

SMALL = Recipe(width=128, layers=3, feed_forward=64, step_tokens=2048, warmup=2, threads=1, compile=False)
TOKENS = 30_000


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return Laboratory(tmp_path, CorpusRecipe(tokens=TOKENS, tokenizer_documents=30, held_out=2), SMALL)


def test_checkpoints_for_arms_and_seeds(laboratory):
    said: list[str] = []
    arms = arms_named(("best-fit+drop", COMPENSATED))
    laboratory.make(arms, range(2), 2, said.append)
    cards = {
        folder.name: json.loads((folder / "lab.json").read_text())
        for folder in (laboratory.folder / "checkpoints").iterdir()
    }
    assert sorted(cards) == [f"{arm.name}.seed{seed}" for arm in arms for seed in range(2)]
    padded = cards[f"{COMPENSATED}.seed0"]
    assert padded["packing"]["strategy"] == "pad-last-document"
    assert padded["tokens_asked"] == round(TOKENS / (1 - padded["packing"]["padding_rate"])) > TOKENS
    assert cards["best-fit+drop.seed0"]["tokens_asked"] == TOKENS
    assert cards["best-fit+drop.seed0"]["loss"] != cards["best-fit+drop.seed1"]["loss"]
    weights = laboratory.folder / "checkpoints" / "best-fit+drop.seed0" / "model.safetensors"
    made = weights.stat().st_mtime_ns
    laboratory.make(arms, range(2), 1, said.append)
    assert weights.stat().st_mtime_ns == made


def test_a_killed_plan_leaves_no_training_behind(laboratory):
    plan = laboratory.prepare(arms_named(("concat-then-split", "best-fit+drop")), range(20), str)
    command = [sys.executable, "-m", "lab.training.jobs", str(plan), "--at-once", "2"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list((laboratory.folder / "checkpoints").glob("*.partial")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.kill()
    process.wait()
    while subprocess.run(["pgrep", "--session", str(process.pid)], capture_output=True, check=False).stdout:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_another_corpus_is_packed_anew(laboratory, tmp_path):
    arms = arms_named(("concat-then-split",))
    first = json.loads(laboratory.prepare(arms, [0], print).read_text())
    other = Laboratory(tmp_path, CorpusRecipe(seed=1, tokens=TOKENS, tokenizer_documents=30, held_out=2), SMALL)
    second = json.loads(other.prepare(arms, [0], print).read_text())
    assert first["jobs"][0]["data"] != second["jobs"][0]["data"]
    assert (tmp_path / second["jobs"][0]["data"]).is_dir()


def test_arms_by_name():
    assert arms_named(()) == ARMS
    with pytest.raises(InputError, match="unknown arm 'best'; known: concat-then-split"):
        arms_named(("best",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nowhere", "nowhere", "out"], "lab: nowhere: no tokenizer.json there"),
        (["make", "--arm", "best"], "lab: unknown arm 'best'"),
        (["tokenizer", "nothing.jsonl", "out"], "lab: nothing.jsonl"),
    ],
)
def test_bad_input_is_one_line(tmp_path, arguments, message):
    command = [sys.executable, "-m", "lab", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tokenizer", "text.jsonl", "file"], "file: can't be the tokenizer's folder (it is a file); name another"),
        (["make", "file", "--plan-only"], "file: can't be the laboratory's folder (it is a file); name another"),
        (["make", "file/x"], "file/x: can't be the laboratory's folder (file is a file); name another"),
        (["ship", "file"], "file: can't be the laboratory's folder (it is a file); name another"),
        (["ablation", "file"], "file: can't be the laboratory's folder (it is a file); name another"),
        (["ablation", "new", "--output", "file"], "file: can't be the study's folder (it is a file); name another"),
    ],
)
def test_a_file_where_a_folder_belongs_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    (tmp_path / "file").write_text("")
    (tmp_path / "text.jsonl").write_text('{"text": "words"}\n')
    assert status_of(arguments, tmp_path, monkeypatch) == 2
    assert capsys.readouterr().err == f"lab: {message}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "text.jsonl"]


def status_of(arguments, folder, monkeypatch):
    """The exit status of the command line in that folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["lab", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_what_the_system_refuses_is_one_line(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Laboratory, "prepare", full)
    assert status_of(["make", "new", "--plan-only"], tmp_path, monkeypatch) == 1
    assert capsys.readouterr().err == "lab: the disk is full; free some space on it\n"


@pytest.mark.parametrize("seed", ["-1", str(1 << 63)])
def test_a_seed_that_torch_does_not_take_is_refused(tmp_path, monkeypatch, capsys, seed):
    assert status_of(["train", "data", "tokenizer", "out", "--seed", seed], tmp_path, monkeypatch) == 2
    assert "--seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [([], "Train tiny models"), (["make"], COMPENSATED), (["study"], "ARM.seedN"), (["study"], "gold and empty")],
)
def test_help_is_for_users(tmp_path, monkeypatch, capsys, arguments, wanted):
    assert status_of([*arguments, "--help"], tmp_path, monkeypatch) == 0
    shown = capsys.readouterr().out
    assert wanted in " ".join(shown.replace("│", " ").split())
    assert "the one function that does the work" not in shown


def test_the_first_checkpoint_of_each_strategy_is_shipped_with_its_score(laboratory, tmp_path, monkeypatch):
    arms = arms_named(("best-fit+drop", COMPENSATED))
    monkeypatch.setattr("lab.ship.ARMS", arms)
    said: list[str] = []
    with pytest.raises(LabError, match=r"best-fit\+drop\.seed0: not trained yet; `make lab` trains it"):
        ship(laboratory, tmp_path / "shipped", 1, said.append)
    laboratory.make(arms, [0], 2, said.append)
    ship(laboratory, tmp_path / "shipped", 1, said.append)
    assert sorted(path.name for path in (tmp_path / "shipped").iterdir()) == ["best-fit+drop", "metrics.json"]
    card = json.loads((tmp_path / "shipped" / "best-fit+drop" / "lab.json").read_text())
    made = json.loads((laboratory.checkpoint(arms[0], 0) / "lab.json").read_text())
    assert {name: value for name, value in card.items() if name != "score"} == made
    assert card["score"]["repair, gt-file"]["questions"] == 1
    assert 0 <= card["score"]["localize_files"]["greedy"] <= 1
    monkeypatch.setattr("lab.ship.MOST_BYTES", 1000)
    with pytest.raises(LabError, match="more than the 1000 of a shipped checkpoint"):
        ship(laboratory, tmp_path / "shipped", 1, said.append)
