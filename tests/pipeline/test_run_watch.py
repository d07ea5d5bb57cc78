"""What is shown of a run's checkpoints, and how honest its time left is."""

import io
import json
import socket
import threading
import time
import urllib.request
from contextlib import contextmanager
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.common.event_log import EVENTS
from harness.common.progress import Progress
from harness.common.run_state import Part
from harness.config.schema import RunConfig
from harness.model.activity import Activity
from harness.pipeline import run as run_module
from harness.pipeline.run_watch import RunWatch, finished_before
from harness.report.attempts_file import attempt_key


def model(activity):
    return SimpleNamespace(activity=lambda: activity, part=lambda name: Part(name, doing=activity.doing))


@pytest.fixture
def config(tmp_path) -> RunConfig:
    checkpoints = [{"name": name, "path": str(tmp_path / name)} for name in ("a", "b", "c")]
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    document = {"dataset": {"path": "rows.jsonl"}, "checkpoints": checkpoints, "conditions": ["model"]}
    return RunConfig.model_validate({**document, "output": str(tmp_path / "out")})


@contextmanager
def watched(config, **settings):
    with Progress(io.StringIO()) as progress:
        yield RunWatch(progress, config, **settings)


def test_starts_to_come_are_known_after_the_first_one(config):
    with watched(config) as watch:
        waits = watch.waits()
        assert waits.to_come() is None
        with watch.checkpoint("a") as first:
            assert not waits.now(), "it has not begun to start"
            first.model = model(Activity(0, "starting vLLM", 30.0))
            assert waits.now()
            assert waits.to_come() is None
            first.model = model(Activity(4, starts=(60.0,)))
            assert not waits.now()
            assert waits.to_come() == 120
        assert waits.to_come() == 120
        with watch.checkpoint("b") as second:
            second.model = model(Activity(0, "starting vLLM", 20.0))
            assert waits.to_come() == 40 + 60
            with watch.checkpoint("c") as third:
                third.model = model(Activity(3, starts=(60.0,)))
                assert not waits.now(), "another one answers meanwhile"
                assert waits.to_come() == 40


def test_finished_checkpoints_start_no_server_and_places_share_the_starts(config):
    with watched(config, finished=frozenset({"b", "c"})) as watch, watch.checkpoint("a") as first:
        first.model = model(Activity(4, starts=(60.0,)))
        assert watch.waits().to_come() == 0
    with watched(config, places=2) as watch, watch.checkpoint("a") as first:
        first.model = model(Activity(4, starts=(60.0,)))
        assert watch.waits().to_come() == 60


def test_what_an_earlier_run_answered_is_foreseen(config, tmp_path):
    ids = ["o__n-1", "o__n-2", "o__n-3"]
    instances = [SimpleNamespace(instance_id=instance_id) for instance_id in ids]
    out = tmp_path / "out"
    assert finished_before(out, config, instances) == {"a": 0, "b": 0, "c": 0}
    (out / "checkpoints" / "a" / "model").mkdir(parents=True)
    scores = [{"instance_id": i, "candidates": None if i == ids[2] else 4} for i in [*ids, "another"]]
    lines = "".join(f"{json.dumps(score)}\n" for score in scores)
    (out / "checkpoints" / "a" / "model" / "scores.jsonl").write_text(lines + '{"torn')
    line = json.dumps({"key": attempt_key("b", "model", ids[0]), "attempt": {}})
    (out / "attempts.jsonl").write_text(f"{line}\n")
    assert finished_before(out, config, instances) == {"a": 2, "b": 1, "c": 0}


def test_a_finished_run_is_known_from_beginning_to_end(again):
    again.run(again.folder)
    said = CliRunner().invoke(app, ["status", str(again.folder)]).stdout
    assert said.startswith("repair 6/6, 6 known\ntests 8/8, 8 known\ncheckpoints 1/1\nended ")
    lines = [json.loads(line) for line in (again.folder / EVENTS).read_text().splitlines()]
    assert [lines[0]["event"], lines[-1]["event"]] == ["began", "ended"]
    assert all(stage["seconds_left"] in (None, 0.0) for line in lines for stage in line["stages"])


def test_a_run_counts_its_answers_for_machines(finished):
    ended = json.loads((finished.folder / EVENTS).read_text().splitlines()[-1])
    totals = {part["name"]: part["totals"] for part in ended["parts"]}
    assert totals["c"]["answers"] > 0
    assert totals["c"]["completion_tokens"] > 0
    assert totals["containers"]["jobs"] > 0
    assert ended["error"] is None


def test_time_left_of_a_run_that_is_answered_is_not_that_of_one_that_is_not(again, monkeypatch):
    """Expected attempts are told to both stages before the first one is looked at."""
    seen = []
    original = run_module.Run.all

    async def all_of(self):
        seen.append(dict(self.before))
        return await original(self)

    monkeypatch.setattr(run_module.Run, "all", all_of)
    again.run(again.folder)
    again.run(again.folder, sampling={"samples": 2})
    assert seen == [{"c": 6}, {}], "another configuration's results are none of this one's"


def test_the_status_says_what_a_run_is_at_before_it_asks(again):
    """Looking at images can take minutes, in which nothing was shown."""
    from parts.instant_run import instant_session, without_docker

    go = threading.Event()

    @contextmanager
    def slow(*arguments):
        go.wait(30)
        with instant_session(*arguments) as session:
            yield session

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    said, config = "", again.configured(again.folder, metrics_port=port)
    with without_docker(), patch("harness.pipeline.run.evaluation_session", slow):
        running = threading.Thread(target=run_module.run_pipeline, args=(config,))
        running.start()
        end = time.monotonic() + 20
        while time.monotonic() < end and "left-over" not in said:
            said = CliRunner().invoke(app, ["status", str(again.folder)]).stdout
            time.sleep(0.2)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
            scraped = reply.read().decode()
        go.set()
        running.join()
    assert "now: looking at images and left-over containers for " in said
    assert 'harness_doing_seconds{doing="looking at images and left-over containers",part="now"}' in scraped
    assert not (again.folder / "earlier").exists(), "a port says nothing of the results"
