"""Whole runs through the command line: real containers and a stand-in at the model's HTTP boundary, then real vLLM."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from harness.common.docker_client import RUN_LABEL
from harness.common.run_folder import journal_path, run_label
from harness.compare.frames import json_lines
from harness.compare.show_attempt import show_attempts
from harness.miniature.checkpoints import write_random_checkpoint

pytestmark = pytest.mark.docker

CONDITIONS = ("model", "gt-location", "gt-file")
SAMPLES = 2
TIMES = "_seconds"  # ends the names of columns that measure the machine


def write_run_file(path: Path, rows: Path, checkpoint: dict, **keys: object) -> Path:
    document = {
        "dataset": {"path": str(rows)},
        "checkpoints": [checkpoint],
        "references": ["gold", "empty"],
        "prompts": "compact",
        "sampling": {
            "samples": SAMPLES,
            "repair": {"max_tokens": 128},
            "localize": {"max_tokens": 48, "temperature": 0},
        },
        "evaluation": {"timeout": 60, "memory": 512, "workers": 1},
        **keys,
    }
    path.write_text(json.dumps(document))
    return path


def start(run_file: Path, output: Path, *settings: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness.cli", "run", str(run_file), f"output={output}", *settings]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=run_file.parent)


def finish(run_file: Path, output: Path) -> str:
    process = start(run_file, output)
    printed, _ = process.communicate(timeout=540)
    assert process.returncode == 0, printed
    return printed


def kill_when(run_file: Path, output: Path, reached: Callable[[], bool]) -> None:
    process = start(run_file, output)
    deadline = time.monotonic() + 300
    while not reached():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def keys(output: Path, journal: str) -> list[str]:
    return [record["key"] for record in journaled(output, journal)]


def answers(output: Path) -> list[str]:
    return [record["key"] for record in journaled(output, "answers") if record["kind"] == "answer"]


def prompts(output: Path) -> list[str]:
    return [record["text"] for record in journaled(output, "answers") if record["kind"] == "prompt"]


def journaled(output: Path, journal: str) -> list[dict]:
    return list(json_lines(journal_path(output, journal), torn=True))


def scores(output: Path) -> list[dict[str, str]]:
    with (output / "table.csv").open() as table:
        return [{k: v for k, v in row.items() if not k.endswith(TIMES)} for row in csv.DictReader(table)]


def containers(client, output: Path) -> list:
    label = f"{RUN_LABEL}={run_label(output)}"
    return client.containers.list(all=True, filters={"label": label}, ignore_removed=True)


def test_a_run_reaches_known_outcomes_and_leaves_its_records(miniature_rows, stub, tmp_path, docker_client) -> None:
    url, counted = stub
    output = tmp_path / "out"
    checkpoint = {"name": "stub", "endpoint": url, "strategy": "best-fit", "packing_metrics": {"padding_rate": 0.01}}
    run_file = write_run_file(tmp_path / "run.yaml", miniature_rows, checkpoint)
    printed = finish(run_file, output)
    instances = [json.loads(line)["instance_id"] for line in miniature_rows.read_text().splitlines()]
    rows = {(row["checkpoint"], row["condition"]): row for row in scores(output)}
    assert rows["gold", "reference"]["resolved"] == "3"
    assert rows["empty", "reference"]["resolved"] == "0"
    for condition in CONDITIONS:
        assert rows["stub", condition]["resolved"] == "2", printed
        part = output / "checkpoints" / "stub" / condition
        report = json.loads((part / "report.json").read_text())
        assert report["resolved_ids"] == sorted(instances[:2])
        assert report["unresolved_ids"] == [instances[2]]
        predictions = [json.loads(line) for line in (part / "predictions.jsonl").read_text().splitlines()]
        assert [p["instance_id"] for p in predictions] == instances
        assert all(p["model_patch"].startswith("diff --git") for p in predictions)
        assert (part / "instances" / instances[0] / "patch.diff").read_text() == predictions[0]["model_patch"]
        assert "passed" in (part / "instances" / instances[0] / "test.log").read_text()
        trail = [json.loads(line) for line in (part / "trail.jsonl").read_text().splitlines()]
        assert {c["reason"] for c in trail[0]["candidates"]} == {None, "no-edits"}
    # One localization of each, and two samples for each repair prompt. The localized files are the gold ones, so there
    # are two of these, or one where the gold location with the lines around it is the whole file.
    asked_about = prompts(output)
    assert 3 + 3 < len(asked_about) == len(set(asked_about)) <= 3 + 2 * 3
    asked = 3 + SAMPLES * (len(asked_about) - 3)
    assert len(counted.read_text()) == len(answers(output)) == len(set(answers(output))) == asked
    # gold, and per instance one patch: the three conditions make the same one
    assert len(keys(output, "evaluations")) == len(set(keys(output, "evaluations"))) == 3 + 1
    shown = show_attempts(output, instances[2], "stub", "gt-file")
    assert shown.index("prompt ") < shown.index("answer ") < shown.index("block 1 of 1: ") < shown.index("failed: ")
    assert "no patch: no-edits" in shown
    assert "holds it any more" not in shown
    frozen = (output / "frozen.yaml").read_text()
    assert "sha256:" in frozen
    assert "swebench:" in frozen
    before = (output / "table.md").read_text()
    parts = (part for line in printed.splitlines() for part in line.split(" | "))
    assert "known" not in next(part for part in parts if "repair 9/9" in part)
    again = finish(run_file, output)
    assert "repair 9/9, 9 known | tests 15/15, 15 known" in again, "the display tells what was found in the journals"
    assert (output / "table.md").read_text() == before
    assert len(counted.read_text()) == asked
    assert len(keys(output, "evaluations")) == 4


# Module-level statements before the changed function: they leave the row's own tests alone, which load no other module.
BREAKING = "import {package}.grid\n{package}.grid.adjust_pier.__code__ = (lambda numbers: None).__code__\n"


def test_a_run_states_what_is_resolved_and_what_of_it_breaks_nothing(miniature_rows, stub, tmp_path) -> None:
    url, _ = stub
    instances = [json.loads(line)["instance_id"] for line in miniature_rows.read_text().splitlines()]
    package = instances[0].removeprefix("miniature__").rpartition("-")[0]
    (tmp_path / "faults.json").write_text(json.dumps({"before": {"0": BREAKING.format(package=package)}}))
    output = tmp_path / "out"
    evaluation = {"timeout": 60, "memory": 512, "workers": 1, "whole_suite": True}
    run_file = write_run_file(
        tmp_path / "run.yaml",
        miniature_rows,
        {"name": "stub", "endpoint": url},
        conditions=["gt-file"],
        evaluation=evaluation,
    )
    finish(run_file, output)
    rows = {row["checkpoint"]: row for row in scores(output)}
    columns = ("resolved", "resolved_and_breaks_nothing", "breaks_something", "whole_suites_compared")
    assert [rows["gold"][name] for name in columns] == ["3", "3", "0", "3"]
    assert [rows["stub"][name] for name in columns] == ["2", "1", "1", "2"]
    assert rows["stub"]["controls_passed"] == "2"
    report = json.loads((output / "checkpoints/stub/gt-file/report.json").read_text())["harness"]["whole_suite"]
    assert report["breaks"] == {instances[0]: {"tests/test_grid.py::test_adjust_pier": "FAILED"}}
    assert report["resolved_and_breaks_nothing_ids"] == [instances[1]]
    assert "| 2 / 3 | 1 / 3 (33.3%) |" in (output / "table.md").read_text()
    shown = show_attempts(output, instances[0], "stub", "gt-file")
    assert "breaks tests/test_grid.py::test_adjust_pier: FAILED" in shown


def test_a_run_killed_in_every_stage_ends_as_an_undisturbed_one(miniature_rows, stub, tmp_path, docker_client) -> None:
    url, counted = stub
    checkpoint = {"name": "stub", "endpoint": url}
    run_file = write_run_file(
        tmp_path / "run.yaml", miniature_rows, checkpoint, sampling={"samples": SAMPLES, "concurrency": 1}
    )
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    finish(run_file, undisturbed)
    asked = len(counted.read_text())
    moments = [
        lambda: bool(containers(docker_client, disturbed)),  # tests, before anything is finished
        lambda: len(keys(disturbed, "evaluations")) >= 1,  # tests, when some are finished
        lambda: len(answers(disturbed)) >= 1,  # localization
        lambda: len(answers(disturbed)) >= 8,  # repair
    ]
    for reached in moments:
        kill_when(run_file, disturbed, reached)
    finish(run_file, disturbed)
    assert_ended_alike(disturbed, undisturbed, CONDITIONS)
    # only the one question that was under way at a kill may have been asked again
    assert asked <= len(counted.read_text()) - asked <= asked + len(moments)
    assert containers(docker_client, disturbed) == []


def assert_ended_alike(disturbed: Path, undisturbed: Path, conditions: Sequence[str]) -> None:
    """The same tables, patches and journal keys, and no key twice."""
    tables = zip(scores(disturbed), scores(undisturbed), strict=True)
    assert [{name: (row[name], other[name]) for name in row if row[name] != other[name]} for row, other in tables] == [
        {} for _ in scores(undisturbed)
    ]
    assert (disturbed / "stages.csv").read_text() == (undisturbed / "stages.csv").read_text()
    for name in conditions:
        part = Path("checkpoints") / "stub" / name / "predictions.jsonl"
        assert (disturbed / part).read_text() == (undisturbed / part).read_text()
    for journal in ("answers", "evaluations"):
        found = keys(disturbed, journal)
        assert sorted(found) == sorted(set(found)) == sorted(keys(undisturbed, journal))


def test_a_run_killed_in_validation_ends_as_an_undisturbed_one(miniature_rows, stub, tmp_path, docker_client) -> None:
    url, _ = stub
    run_file = write_run_file(
        tmp_path / "run.yaml",
        miniature_rows,
        {"name": "stub", "endpoint": url},
        dataset={"path": str(miniature_rows), "limit": 1},
        references=[],
        conditions=["gt-file"],
        sampling={"samples": SAMPLES, "concurrency": 1},
        validation={
            "regression": {"enabled": True, "files": 1},
            "reproduction": {"samples": 2, "sampling": {"max_tokens": 128}},
        },
    )
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    finish(run_file, undisturbed)
    runs = len(keys(undisturbed, "evaluations"))
    assert runs >= 5, "on the base the regression tests and a script, both on a candidate, and the verdict"
    moments = [
        lambda: bool(containers(docker_client, disturbed)),  # on the base, before anything is finished
        lambda: len(keys(disturbed, "evaluations")) >= 1,  # when one is finished
        lambda: len(keys(disturbed, "evaluations")) >= runs - 2,  # on the candidates
    ]
    for reached in moments:
        kill_when(run_file, disturbed, reached)
    finish(run_file, disturbed)
    assert_ended_alike(disturbed, undisturbed, ["gt-file"])
    logs = [sorted(path.name for path in (run / "logs" / "commands").iterdir()) for run in (disturbed, undisturbed)]
    assert logs[0] == logs[1]
    assert containers(docker_client, disturbed) == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_cleans_up_and_says_how_to_go_on(
    miniature_rows, stub, tmp_path, docker_client, ending
) -> None:
    url, _ = stub
    output = tmp_path / "out"
    run_file = write_run_file(tmp_path / "run.yaml", miniature_rows, {"name": "stub", "endpoint": url})
    process = start(run_file, output)
    while not containers(docker_client, output):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(ending)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed
    assert "interrupted; the same command goes on" in printed
    assert "Traceback" not in printed
    deadline = time.monotonic() + 10
    while containers(docker_client, output) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert containers(docker_client, output) == []


@pytest.mark.vllm
def test_a_run_with_a_real_server_survives_a_kill(miniature_rows, tmp_path, docker_client) -> None:
    write_random_checkpoint(tmp_path / "weights", 0, corpus=[miniature_rows.read_text()])
    checkpoint = {"name": "tiny", "path": str(tmp_path / "weights")}
    serving = {"args": ["--enforce-eager", "--gpu-memory-utilization=0.2"]}
    run_file = write_run_file(tmp_path / "run.yaml", miniature_rows, checkpoint, serving=serving)
    output = tmp_path / "out"
    kill_when(run_file, output, lambda: len(answers(output)) >= 4)
    done = set(answers(output))
    finish(run_file, output)
    found = answers(output)
    assert len(found) == len(set(found))
    assert done <= set(found)
    assert [row["resolved"] for row in scores(output)[:2]] == ["3", "0"]
    assert len(scores(output)) == 2 + len(CONDITIONS)
    assert containers(docker_client, output) == []
    assert str(tmp_path / "weights") not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
    before, servers = scores(output), journaled(output, "servers")
    finish(run_file, output)
    assert scores(output) == before
    assert journaled(output, "servers") == servers, "a finished run must start no server"


def test_prices_show_what_a_resolved_instance_cost_and_other_prices_ask_nothing_again(
    miniature_rows, stub, tmp_path
) -> None:
    url, counted = stub
    output = tmp_path / "out"
    prices = {"currency": "EUR", "tokens": {"st*": {"input": 1000, "output": 2000}}, "container_hour": 36}
    keys = {"conditions": ["gt-location", "gt-file"], "references": ["gold"], "prices": prices}
    run_file = write_run_file(tmp_path / "run.yaml", miniature_rows, {"name": "stub", "endpoint": url}, **keys)
    finish(run_file, output)
    asked, tested = len(counted.read_text()), journaled(output, "evaluations")
    [first, second, gold] = table_rows(output)
    assert first["checkpoint_cost"] == second["checkpoint_cost"]
    assert gold["checkpoint_cost"] == ""
    given = [r["answer"] for r in journaled(output, "answers") if r["kind"] == "answer"]
    tokens = sum(a["prompt_tokens"] + 2 * a["completion_tokens"] for a in given) / 1000
    seconds = float(first["checkpoint_container_seconds"])
    assert float(first["checkpoint_cost_tokens"]) == pytest.approx(tokens)
    assert float(first["checkpoint_cost"]) == pytest.approx(tokens + seconds / 100)
    # both conditions make the same patches, whose containers ran once
    assert float(first["container_seconds"]) == pytest.approx(seconds) == float(second["container_seconds"])
    assert float(first["checkpoint_cost_per_resolved"]) == pytest.approx(float(first["checkpoint_cost"]) / 4)
    assert seconds >= sum(r["verdict"]["seconds"] for r in tested if r["key"] in verdict_keys(output)) > 0

    run_file.write_text(run_file.read_text().replace("36", "72").replace("EUR", "USD"))
    printed = finish(run_file, output)
    assert (len(counted.read_text()), journaled(output, "evaluations")) == (asked, tested)
    [again, *_] = table_rows(output)
    assert float(again["checkpoint_cost_containers"]) == pytest.approx(2 * seconds / 100)
    assert "USD" in printed
    assert "EUR" not in printed


def table_rows(output: Path) -> list[dict[str, str]]:
    with (output / "table.csv").open() as table:
        return sorted(csv.DictReader(table), key=lambda row: row["checkpoint"] == "gold")


def verdict_keys(output: Path) -> set[str]:
    lines = (output / "checkpoints" / "stub" / "gt-file" / "verdicts.jsonl").read_text().splitlines()
    return {json.loads(line)["key"] for line in lines}


def test_tables_stand_after_each_checkpoint_survive_a_kill_and_leave_when_the_run_file_changes(
    miniature_rows, stub, tmp_path
) -> None:
    url, _ = stub
    output, whole = tmp_path / "out", tmp_path / "whole"
    # both are asked at once: the second's answers come late enough that the first is done alone
    slow = {"first": 0.25, "second": 20}
    two = [
        {"name": name, "endpoint": url, "revision": name, "extra_body": {"stub_seconds": seconds}}
        for name, seconds in slow.items()
    ]
    keys = {"checkpoints": two, "conditions": ["gt-file"], "references": ["gold"]}
    run_file = write_run_file(tmp_path / "run.yaml", miniature_rows, {}, **keys)
    finish(run_file, whole)
    kill_when(run_file, output, lambda: (output / "ablation.parquet").exists())
    assert {row["checkpoint"] for row in table_rows(output)} - {"gold"} == {"first"}
    assert (output / "checkpoints" / "first" / "gt-file" / "verdicts.jsonl").is_file()
    assert not (output / "checkpoints" / "second").exists()
    frozen = yaml.safe_load((output / "frozen.yaml").read_text())
    assert "first" in frozen["checkpoints"]
    finish(run_file, output)
    assert scores(output) == scores(whole)
    assert sorted(answers(output)) == sorted(answers(whole))
    assert not (output / "earlier").exists()

    before = (output / "table.md").read_text()
    two.pop(0)
    run_file = write_run_file(tmp_path / "run.yaml", miniature_rows, {}, **keys)
    printed = finish(run_file, output)
    [place] = (output / "earlier").iterdir()
    assert str(place) in " ".join(printed.split()).replace(" ", "") or place.name in printed.replace("\n", "")
    assert (place / "table.md").read_text() == before
    assert {row["checkpoint"] for row in scores(output)} == {"gold", "second"}
    assert [path.name for path in sorted((output / "checkpoints").iterdir())] == ["gold", "second"]
    assert (place / "checkpoints" / "first" / "gt-file" / "verdicts.jsonl").is_file()
