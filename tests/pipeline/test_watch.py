"""Watching a training: which checkpoints are whole, whose turn it is, and what a restart goes on from."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "compare"))
from finished_runs import among, write_ablation_run

from harness.errors import InfrastructureError, InputError
from harness.pipeline import watch as module
from harness.pipeline.watch import Watching, run_file_of, watch
from harness.pipeline.watch_queue import Entry, State, Whole, next_of, read_queue, updated, write_queue

MARKED = Whole("done", 0)
# What a training does: a checkpoint's files come one after another, the marker last.
TRAINING = """
import sys, time
from pathlib import Path
for step in (100, 200):
    folder = Path(sys.argv[1]) / "seed1" / f"step-{step}"
    folder.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "model.safetensors", "done"):
        (folder / name).write_text("{}")
        time.sleep(0.3)
"""


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A watch whose runs are written by a function in the place of the pipeline."""
    runs, output = tmp_path / "runs", tmp_path / "out"
    document = {
        "dataset": {"path": "hub/rows"},
        "checkpoints": [{"path": str(runs / "seed{seed}" / "step-{step}"), "strategy": "best-fit"}],
        "conditions": ["gt-file"],
        "output": str(output),
    }
    run_file = tmp_path / "watch.yaml"
    run_file.write_text(json.dumps(document))
    asked: list[str] = []

    def pipeline(config):
        [checkpoint] = config.checkpoints
        asked.append(checkpoint.name)
        held = sorted(path.name for path in checkpoint.path.iterdir())
        assert held == ["config.json", "done", "model.safetensors", "tokenizer.json"]
        entry = {"name": checkpoint.name, "strategy": "best-fit", "seed": checkpoint.seed, "step": checkpoint.step}
        ending = lambda entry, condition, number: among(*range(entry["step"] // 20))(number)  # noqa: E731
        write_ablation_run(config.output, [entry], ending, 20, conditions=("gt-file",))
        return []

    monkeypatch.setattr(module, "run_pipeline", pipeline)

    def watching(whole=MARKED, newest_first=False):
        return watch(Watching(watching.run_file, (), whole, newest_first, 0.05, once=True), told.append)

    told: list[str] = []
    watching.runs, watching.output, watching.asked, watching.told, watching.run_file = (
        runs,
        output,
        asked,
        told,
        run_file,
    )
    return watching


def checkpoint(folder: Path, age: float = 0.0) -> Path:
    folder.mkdir(parents=True)
    for name in ("config.json", "done", "model.safetensors", "tokenizer.json"):
        (folder / name).write_text("{}")
        os.utime(folder / name, (time.time() - age,) * 2)
    return folder


def test_checkpoints_are_evaluated_as_a_training_writes_them_and_never_before_they_are_whole(make) -> None:
    with subprocess.Popen([sys.executable, "-c", TRAINING, str(make.runs)]) as training:
        deadline = time.monotonic() + 60
        while len(make.asked) < 2:
            assert time.monotonic() < deadline
            make()
        training.wait()
    assert make.asked == ["seed1.step-100", "seed1.step-200"]
    text = (make.output / "ablation.md").read_text()
    assert "Resolved % over the training" in text
    assert text.index("step 100") < text.index("step 200")
    assert (make.output / "series.png").read_bytes().startswith(b"\x89PNG")
    make()
    assert len(make.asked) == 2
    assert [line for line in make.told if "step-200" in line][-2:] == [
        "seed1.step-200: running",
        "seed1.step-200: done",
    ]


def test_references_are_tested_once_and_prices_of_checkpoints_to_come_are_no_mistake(make, monkeypatch) -> None:
    for step in (100, 200):
        checkpoint(make.runs / "seed1" / f"step-{step}", age=1000 - step)
    document = json.loads(make.run_file.read_text())
    prices = {"currency": "EUR", "tokens": {f"seed1.step-{n}": {"input": 1, "output": n} for n in (100, 200, 300)}}
    make.run_file.write_text(json.dumps({**document, "references": ["gold"], "prices": prices}))
    ran = []

    def pipeline(config):
        ran.append((config.output.name, [*config.references], [*(config.prices.tokens if config.prices else ())]))
        config.output.mkdir(parents=True)
        (config.output / "table.csv").write_text("checkpoint,condition\n")
        return []

    monkeypatch.setattr(module, "run_pipeline", pipeline)
    monkeypatch.setattr(module._Queue, "write_tables", lambda _: None)
    assert {entry.state for entry in make()} == {State.DONE}
    assert ran == [("references", ["gold"], [])] + [(name, [], [name]) for name in ("seed1.step-100", "seed1.step-200")]


def test_the_newest_or_the_oldest_comes_first(make) -> None:
    for step, age in ((100, 300), (200, 100), (300, 200)):
        checkpoint(make.runs / "seed1" / f"step-{step}", age)
    make(newest_first=True)
    assert make.asked == [f"seed1.step-{step}" for step in (200, 300, 100)]
    entries = [Entry("a", "", State.QUEUED, 1.0), Entry("b", "", State.QUEUED, 2.0), Entry("c", "", State.DONE, 3.0)]
    assert next_of(entries, newest_first=True).name == "b"
    assert next_of(entries, newest_first=False).name == "a"
    assert next_of([], newest_first=True) is None


def test_without_a_marker_a_quiet_time_says_that_it_is_whole(make) -> None:
    """Since its files came here: a copy under way keeps the times of what it is made from."""
    folder = checkpoint(make.runs / "seed1" / "step-100", age=5000)
    make(Whole(None, 600))
    assert make.asked == []
    known, whole = read_queue(make.output), Whole(None, 600)
    [entry] = updated(known, {"seed1.step-100": str(folder)}, whole, time.time() + 601).values()
    assert entry.state is State.QUEUED
    make(Whole(None, 0))
    assert make.asked == ["seed1.step-100"]


def test_a_watch_that_was_killed_takes_its_checkpoint_up_again(make) -> None:
    folder = checkpoint(make.runs / "seed1" / "step-100")
    make.output.mkdir()
    write_queue(make.output, [Entry("seed1.step-100", str(folder), State.RUNNING)])
    make()
    assert make.asked == ["seed1.step-100"]
    assert read_queue(make.output)["seed1.step-100"].state is State.DONE


def test_weights_that_training_removed_keep_their_results_and_new_ones_are_evaluated_again(make) -> None:
    folder = checkpoint(make.runs / "seed1" / "step-100")
    make()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    make()
    assert read_queue(make.output)["seed1.step-100"].state is State.DONE
    checkpoint(folder)
    (folder / "model.safetensors").write_text("other weights")
    make()
    assert make.asked == ["seed1.step-100"] * 2


def test_weights_of_the_same_size_are_evaluated_again(make) -> None:
    folder = checkpoint(make.runs / "seed1" / "step-100")
    make()
    (folder / "model.safetensors").write_text("[]")
    os.utime(folder / "model.safetensors", (time.time() + 5,) * 2)
    make()
    assert make.asked == ["seed1.step-100"] * 2


def test_a_marker_that_is_written_after_it_is_there_by_name_changes_nothing(make) -> None:
    folder = checkpoint(make.runs / "seed1" / "step-100", age=60)
    make()
    (folder / "done").write_text("step 100 is whole")
    make()
    assert make.asked == ["seed1.step-100"]


def test_one_that_is_back_as_it_was_gets_its_turn(make) -> None:
    """As after a mount that was missing for a while."""
    folder = checkpoint(make.runs / "seed1" / "step-100")
    make(Whole("not written", 0))
    folder.rename(make.runs / "elsewhere")
    make()
    assert read_queue(make.output)["seed1.step-100"].state is State.GONE
    (make.runs / "elsewhere").rename(folder)
    make()
    assert make.asked == ["seed1.step-100"]


def test_a_watch_goes_on_from_another_working_folder(make, monkeypatch) -> None:
    checkpoint(make.runs / "seed1" / "step-100")
    document = json.loads(make.run_file.read_text())
    pattern = {**document["checkpoints"][0], "path": "runs/seed{seed}/step-{step}"}
    make.run_file.write_text(json.dumps({**document, "checkpoints": [pattern]}))
    monkeypatch.chdir(make.runs)
    make.run_file = Path("..") / make.run_file.name
    make(Whole("not written", 0))
    monkeypatch.chdir(make.runs.parent)
    make.run_file = Path(make.run_file.name)
    make()
    assert make.asked == ["seed1.step-100"]


def test_a_machine_that_fails_is_tried_again_behind_the_others_and_bad_input_is_not(make, monkeypatch) -> None:
    for step in (100, 200):
        checkpoint(make.runs / "seed1" / f"step-{step}", age=1000 - step)
    errors = {"seed1.step-100": InfrastructureError("no server"), "seed1.step-200": InputError("no weights")}
    tried = []

    def pipeline(config):
        tried.append(config.checkpoints[0].name)
        raise errors[config.checkpoints[0].name]

    monkeypatch.setattr(module, "run_pipeline", pipeline)
    entries = {entry.name: entry for entry in make()}
    assert tried == ["seed1.step-100", "seed1.step-200", "seed1.step-100", "seed1.step-100"]
    assert {entry.state for entry in entries.values()} == {State.FAILED}
    assert entries["seed1.step-100"].why == "no server"
    tried.clear()
    make()
    assert tried[:2] == ["seed1.step-100", "seed1.step-200"], "whoever starts it again may have mended that"


def test_one_that_goes_before_its_turn_is_gone(tmp_path) -> None:
    known = {"a": Entry("a", str(tmp_path / "none"), State.QUEUED, 1.0, "4 files, 8 bytes")}
    assert updated(known, {}, Whole("done", 0), 0.0)["a"].state is State.GONE


def test_what_can_not_be_watched_is_one_line(make, tmp_path) -> None:
    with pytest.raises(InputError, match="takes a run file whose checkpoints have a pattern"):
        run_file_of(tmp_path / "none.yaml")
    assert run_file_of(tmp_path) == make.run_file
    document = json.loads(make.run_file.read_text())
    make.run_file.write_text(json.dumps({**document, "checkpoints": [{"name": "a", "path": "runs/a"}]}))
    with pytest.raises(InputError, match="a checkpoint to watch for has a pattern"):
        make()
    [pattern] = document["checkpoints"]
    wrong = {**document, "sampling": {"smaples": 1}, "checkpoints": [{**pattern, "server_arg": []}]}
    make.run_file.write_text(json.dumps(wrong))
    with pytest.raises(
        InputError, match=r"unknown key checkpoints\.0\.server_arg.*unknown key sampling\.smaples"
    ) as told:
        make()
    assert "path" not in str(told.value), "before a training has written anything"
    make.run_file.write_text(json.dumps(document))
    make.output.mkdir()
    (make.output / "watch.json").write_text("{")
    with pytest.raises(InputError, match=r"watch\.json: can't be read"):
        make()
