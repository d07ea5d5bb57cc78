"""Results of an earlier configuration: what counts as one, where they go, and that a kill on the way loses nothing."""

import logging
import os
from pathlib import Path

import pytest
import yaml

from harness.common.run_folder import freeze
from harness.config.schema import RunConfig
from harness.pipeline import earlier as module
from harness.pipeline.earlier import EARLIER, RESULTS, UNFINISHED, set_aside

RUN = {
    "dataset": {"path": "hub/rows"},
    "checkpoints": [
        {"name": "a", "endpoint": "http://h/v1", "revision": "1"},
        {"name": "b", "endpoint": "http://h/v1"},
    ],
    "conditions": ["model", "gt-file"],
    "references": ["gold"],
    "output": "/nowhere",
}


def config(**changes) -> RunConfig:
    return RunConfig.model_validate({**RUN, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a run left, with its journal."""
    for name in (*RESULTS, "journal/answers.jsonl", "a.server.log"):
        place = tmp_path / name / "x" if name in ("checkpoints", "page") else tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{name} of the first")
    freeze(tmp_path / "frozen.yaml", config().model_dump(mode="json"), {"dataset": "rows", "weights": {}})
    return tmp_path


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


A, B = RUN["checkpoints"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"checkpoints": [B, A, {"name": "c", "endpoint": "http://h/v1", "revision": "3"}]},
        {"checkpoints": [{**A, "strategy": "best-fit", "step": 5}, {**B, "seed": 3}]},
        {"conditions": ["gt-file", "gt-location", "model"], "references": ["empty", "gold"]},
        {"prices": {"currency": "EUR", "gpu_hour": 1}, "serving": {"startup_seconds": 9}, "evaluation": {"workers": 3}},
    ],
    ids=["the same", "one more checkpoint", "other words", "more conditions", "prices and machine"],
)
def test_what_this_configuration_makes_in_the_same_way_stays(folder, changes) -> None:
    before = files(folder)
    assert set_aside(folder, config(**changes), "rows") is None
    assert files(folder) == before


@pytest.mark.parametrize(
    ("changes", "dataset", "named"),
    [
        ({"sampling": {"samples": 9}}, "rows", "sampling.samples"),
        ({"checkpoints": [B]}, "rows", "checkpoint a"),
        ({"checkpoints": [{**A, "revision": "2"}, B]}, "rows", "checkpoint a"),
        ({"conditions": ["model"]}, "rows", "conditions"),
        ({"references": []}, "rows", "references"),
        ({"evaluate_candidates": True}, "rows", "evaluate_candidates"),
        ({"evaluation": {"timeout": 9}}, "rows", "evaluation.timeout"),
        ({}, "other rows", "dataset"),
    ],
)
def test_all_else_goes_as_one_into_a_dated_folder_and_journals_stay(folder, changes, dataset, named, caplog) -> None:
    before = files(folder)
    with caplog.at_level(logging.WARNING):
        place = set_aside(folder, config(**changes), dataset)
    assert place.parent == folder / EARLIER
    year = place.name[:4]
    assert year.isdecimal()
    assert f"(other: {named})" in caplog.text
    assert str(place) in caplog.text
    stays = ("journal/answers.jsonl", "a.server.log")
    assert files(place) == {name: text for name, text in before.items() if name not in stays}
    assert {name: text for name, text in files(folder).items() if EARLIER not in name} == {
        name: before[name] for name in stays
    }
    assert set_aside(folder, config(**changes), dataset) is None


def test_other_weights_in_the_same_folder_are_another_checkpoint(folder, tmp_path, monkeypatch) -> None:
    weights = tmp_path / "weights"
    weights.mkdir()
    run = config(checkpoints=[{"name": "a", "path": str(weights)}])
    freeze(folder / "frozen.yaml", run.model_dump(mode="json"), {"dataset": "rows", "weights": {"a": "1f"}})
    monkeypatch.setattr(module, "served_revision", lambda checkpoint: "1f")
    assert set_aside(folder, run, "rows") is None
    monkeypatch.setattr(module, "served_revision", lambda checkpoint: "2f")
    assert set_aside(folder, run, "rows") is not None


def test_results_of_which_nothing_says_what_made_them_go_too(folder) -> None:
    (folder / "frozen.yaml").unlink()
    assert set_aside(folder, config(), "rows") is not None
    assert not (folder / "table.csv").exists()


def test_the_next_results_never_take_the_place_of_earlier_ones(folder) -> None:
    stamp = (folder / "frozen.yaml").stat().st_mtime
    text = (folder / "frozen.yaml").read_text()
    first = set_aside(folder, config(conditions=["model"]), "rows")
    (folder / "frozen.yaml").write_text(text)
    (folder / "table.md").write_text("second")
    os.utime(folder / "frozen.yaml", (stamp, stamp))
    second = set_aside(folder, config(conditions=["model"]), "rows")
    assert second.name == f"{first.name}-2"
    assert (first / "table.md").read_text() == "table.md of the first"
    assert (second / "table.md").read_text() == "second"


class Killed(BaseException):
    """What a test does in the place of a kill."""


@pytest.mark.parametrize("renames", range(len(RESULTS) + 1))
def test_a_kill_in_the_middle_of_it_loses_and_mixes_nothing(folder, renames, monkeypatch) -> None:
    before = {name: text for name, text in files(folder).items() if name.split("/")[0] in RESULTS}
    real, done = Path.rename, []

    def rename(self, target):
        if len(done) == renames:
            raise Killed
        done.append(target)
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    changed = config(conditions=["model"])
    with pytest.raises(Killed):
        set_aside(folder, changed, "rows")
    monkeypatch.setattr(Path, "rename", real)
    set_aside(folder, changed, "rows")
    [place] = (folder / EARLIER).iterdir()
    assert place.name != UNFINISHED
    assert files(place) == before
    assert yaml.safe_load((place / "frozen.yaml").read_text())["dataset"] == "rows"
    assert not any((folder / name).exists() for name in RESULTS)


@pytest.mark.parametrize(
    ("serving", "moved"),
    [
        ({"args": ["--gpu-memory-utilization=0.5"]}, False),
        ({"args": ["--dtype=float32"]}, True),
        ({"batch_invariant": True}, True),
    ],
)
def test_a_server_that_may_answer_otherwise_moves_results_of_what_is_served_here(folder, tmp_path, serving, moved):
    weights = tmp_path / "weights"
    weights.mkdir()
    run = config(checkpoints=[{"name": "a", "path": str(weights)}])
    freeze(folder / "frozen.yaml", run.model_dump(mode="json"), {"dataset": "rows", "weights": {}})
    other = config(checkpoints=[{"name": "a", "path": str(weights)}], serving=serving)
    assert (set_aside(folder, other, "rows") is not None) == moved


def test_how_servers_are_started_moves_nothing_of_endpoints(folder):
    assert set_aside(folder, config(serving={"args": ["--dtype=float32"]}), "rows") is None
