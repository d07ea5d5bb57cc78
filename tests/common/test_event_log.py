import io
import json
import time

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.cli import app
from harness.common import event_log, status
from harness.common.event_log import EVENTS, last_event
from harness.common.progress import Progress
from harness.common.status import status_text
from harness.errors import InputError


def events(folder):
    return [json.loads(line) for line in (folder / EVENTS).read_text().splitlines()]


def test_the_log_says_how_stages_stood_and_that_it_is_over(tmp_path):
    with Progress(io.StringIO(), interval=0.0, events=tmp_path / EVENTS) as progress:
        stage = progress.stage("repair", 3)
        with stage.running("c model a__b-1"):
            stage.skip()
            time.sleep(0.5)
            said = status_text(tmp_path)
            assert said.startswith("repair 1/3, 1 known")
            assert "(c model a__b-1)\nrunning: process " in said
        stage.add(2)
    found = events(tmp_path)
    assert [event["event"] for event in found] == ["began", "progress", "ended"]
    assert found[1]["stages"][0]["running"] == ["c model a__b-1"]
    assert (found[-1]["stages"][0]["done"], found[-1]["stages"][0]["total"]) == (3, 3)
    assert "\nended 0s ago\n" in status_text(tmp_path)


def test_a_sign_of_life_comes_although_nothing_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(event_log, "ALIVE_SECONDS", 0.3)
    with Progress(io.StringIO(), interval=0.0, events=tmp_path / EVENTS) as progress:
        progress.stage("repair", 3)
        time.sleep(1.2)
    assert "alive" in [event["event"] for event in events(tmp_path)]


def test_a_log_that_goes_on_no_more_is_lost(tmp_path, monkeypatch):
    with Progress(io.StringIO(), events=tmp_path / EVENTS) as progress:
        progress.stage("repair", 3)
        monkeypatch.setattr(status, "LOST_SECONDS", -1.0)
        assert "no sign of life" in status_text(tmp_path)


@pytest.mark.parametrize("content", [None, "", "{\n", "[]\n", '{"stages": 3}\n'])
def test_a_folder_without_a_log_is_refused_in_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / EVENTS).write_text(content)
    with pytest.raises(InputError, match=r"holds no events\.jsonl"):
        last_event(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        last_event(tmp_path / "none")


def test_the_command_prints_text_or_json(tmp_path):
    with Progress(io.StringIO(), events=tmp_path / EVENTS) as progress:
        progress.stage("repair", 3).add()
    document = json.loads(CliRunner().invoke(app, ["status", str(tmp_path), "--json"]).stdout)
    assert (document["state"], document["stages"][0]["done"]) == ("ended", 1)
    assert CliRunner().invoke(app, ["status", str(tmp_path)]).stdout.startswith("repair 1/3")


def test_the_last_change_of_a_burst_is_shown_without_a_further_one():
    """A line came only with a change: what changed within five seconds of the last line was shown minutes later."""
    stream = io.StringIO()
    with Progress(stream, interval=0.3) as progress:
        stage = progress.stage("repair", 9)
        stage.add()
        stage.add()
        time.sleep(1.0)
        assert "repair 2/9" in stream.getvalue()


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_counts_keep_their_place_beside_long_names(columns):
    stream = io.StringIO()
    progress = Progress(stream)
    progress._console = Console(file=stream, width=columns, force_terminal=True, color_system=None)
    stage = progress.stage("checkpoints", 105_000)
    stage.skip(99_999)
    with stage.running("a-checkpoint-with-a-long-name gt-location harness-scale__project0-12345"):
        progress._console.print(progress._picture())
    line = stream.getvalue().splitlines()[0]
    assert "checkpoints" in line
    assert "99999/105000" in line
    assert "99999 known" in line
