import io
import json
import time

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.cli import app
from harness.common import event_log, status
from harness.common.event_log import EVENTS, last_event
from harness.common.live_picture import picture
from harness.common.progress import Progress
from harness.common.run_state import Part, State
from harness.common.stage import StageState
from harness.common.status import status_text
from harness.errors import InputError


def events(folder):
    return [json.loads(line) for line in (folder / EVENTS).read_text().splitlines()]


def test_the_log_says_how_stages_stood_and_that_it_is_over(tmp_path):
    with Progress(io.StringIO(), interval=0.0, events=tmp_path / EVENTS) as progress:
        stage = progress.stage("repair", 3)
        with stage.running("c model a__b-1"):
            stage.skip()
            time.sleep(0.6)
            said = status_text(tmp_path)
            assert said.startswith("repair 1/3, 1 known (c model a__b-1)\nrunning for 0s: process ")
        stage.add(2)
    found = events(tmp_path)
    assert list(dict.fromkeys(event["event"] for event in found)) == ["began", "progress", "ended"]
    assert found[1]["stages"][0]["running"] == ["c model a__b-1"]
    assert (found[-1]["stages"][0]["done"], found[-1]["stages"][0]["total"]) == (3, 3)
    assert status_text(tmp_path) == "repair 3/3, 1 known\nended 0s ago, after 1s\n"


def test_what_ended_the_work_is_said(tmp_path):
    with pytest.raises(ValueError, match="disk"), Progress(io.StringIO(), events=tmp_path / EVENTS):
        raise ValueError("the disk\nis full")
    assert "ended 0s ago, after 0s, by an error: the disk is full\n" in status_text(tmp_path)
    assert events(tmp_path)[-1]["error"] == "the disk is full"


def test_parts_are_in_the_log_with_their_numbers_and_their_totals_outlive_them(tmp_path):
    part = Part("c", "3 answers", "starting vLLM", 70.0, "Loading 1/3", {"answers": 3}, {"questions_in_flight": 2})
    with Progress(io.StringIO(), interval=0.0, events=tmp_path / EVENTS) as progress:
        with progress.watching("c", lambda: part), progress.watching("d", lambda: Part("d", doing="waiting")):
            time.sleep(0.5)
            assert status_text(tmp_path).startswith(
                "c: 3 answers; starting vLLM for 1m 10s: Loading 1/3\nd: waiting for 0s\nrunning "
            )
        assert [one["totals"] for one in events(tmp_path)[-1]["parts"]] == [{"answers": 3}, {}]
    [ended] = events(tmp_path)[-1]["parts"]
    assert (ended["name"], ended["totals"], ended["levels"], ended["doing"]) == ("c", {"answers": 3}, {}, "")
    assert status_text(tmp_path).startswith("ended ")


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


LONG = "a-checkpoint-with-a-long-name gt-location harness-scale__project0-12345"


@pytest.mark.parametrize("columns", [48, 60, 80, 100, 140])
def test_counts_keep_their_place_beside_long_names(columns):
    stages = (
        StageState("checkpoints", 99_999, 105_000, 99_999, 7500.0, (LONG,)),
        StageState("repair", 3, 105_000, 0, None, (LONG, LONG)),
    )
    part = Part(LONG, "99999 answers, 15520 known, 64 in flight, 12 waiting", "starting vLLM", 65.0, "Loading " * 20)
    stream = io.StringIO()
    console = Console(file=stream, width=columns, force_terminal=True, color_system=None)
    console.print(picture(State(stages, (part, Part("idle"))), columns))
    checkpoints, repair, *of_part = stream.getvalue().splitlines()
    for text in ("checkpoints", "99999/105000", "99999 known", "2h 05m left"):
        assert text in checkpoints
    assert "3/105000" in repair
    assert "99999 answers, 15520 known, 64 in flight, 12 waiting" in " ".join(line.rstrip() for line in of_part)
    assert (len(of_part) == 1) == (columns >= 100)
    assert max(map(len, (checkpoints, repair, *of_part))) <= columns
    assert ("━" in checkpoints) == (columns > 48)
    assert ("a-check" in checkpoints) == (columns > 60)
