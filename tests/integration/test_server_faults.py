"""Runs whose model server fails: a failure stays where it is, and what is done again makes the same tables."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_run import answers, assert_ended_alike, scores, start, write_run_file

from harness.compare.show_attempt import show_attempts
from harness.miniature.checkpoints import write_random_checkpoint

pytestmark = pytest.mark.docker

DOWN = "http://127.0.0.1:9/v1"
ONCE = {
    "chat": ["html", "no choices", "cut", "500", "busy", "error with 200"],
    "tokenize": ["404", "500", "html", "busy"],
}


@pytest.fixture(scope="module")
def faulty_stub(miniature_rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """URL of the stand-in model, and the file that says what goes wrong there."""
    folder = tmp_path_factory.mktemp("stub")
    script = Path(__file__).with_name("answering_stub.py")
    (folder / "counted").touch()
    command = [sys.executable, str(script), str(miniature_rows), str(folder / "counted"), str(folder / "faults")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1", folder / "faults"
        process.kill()


@pytest.fixture(scope="module")
def undisturbed(miniature_rows: Path, faulty_stub, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    run_file = run_of(folder, miniature_rows, [{"name": "stub", "endpoint": faulty_stub[0]}])
    status, printed = ended(run_file, folder / "out")
    assert status == 0, printed
    return folder / "out"


def run_of(folder: Path, rows: Path, checkpoints: list[dict], **keys: object) -> Path:
    common = {"conditions": ["gt-file"], "references": [], "serving": {"request_seconds": 8}}
    return write_run_file(folder / "run.yaml", rows, checkpoints[0], **common | {"checkpoints": checkpoints} | keys)


def ended(run_file: Path, output: Path) -> tuple[int, str]:
    process = start(run_file, output)
    printed, _ = process.communicate(timeout=300)
    assert "Traceback" not in printed, printed
    return process.returncode, printed


def test_failures_that_pass_change_nothing(miniature_rows, faulty_stub, undisturbed, tmp_path) -> None:
    url, faults = faulty_stub
    faults.write_text(json.dumps({"once": ONCE}))
    run_file = run_of(tmp_path, miniature_rows, [{"name": "stub", "endpoint": url}])
    status, printed = ended(run_file, tmp_path / "out")
    assert status == 0, printed
    assert_ended_alike(tmp_path / "out", undisturbed, ["gt-file"])


def test_one_question_and_one_checkpoint_that_fail_for_good_stop_nothing_else(
    miniature_rows, faulty_stub, undisturbed, tmp_path
) -> None:
    url, faults = faulty_stub
    output = tmp_path / "out"
    faults.write_text(json.dumps({"refuse": [[0, 500], [1, 400]]}))
    both = [{"name": "down", "endpoint": DOWN, "model": "stub"}, {"name": "stub", "endpoint": url}]
    status, printed = ended(run_of(tmp_path, miniature_rows, both), output)
    assert status == 1, printed
    last = " ".join(printed.split("records: ")[1].split())
    assert "these have no verdict: down gt-file 3 of 3, stub gt-file 2 of 3" in last
    assert "run the same command again" in last
    part = output / "checkpoints" / "stub" / "gt-file"
    report = json.loads((part / "report.json").read_text())
    assert len(report["infra_failure_ids"]) == 2
    assert len(report["unresolved_ids"]) == 1
    verdicts = [json.loads(line) for line in (part / "verdicts.jsonl").read_text().splitlines()]
    assert [(v["outcome"], v["phase"]) for v in verdicts[:2]] == [("infrastructure", "model")] * 2
    assert "500" in verdicts[0]["detail"]
    assert "400" in verdicts[1]["detail"]
    assert "not now" in show_attempts(output, verdicts[0]["instance_id"], "stub", "gt-file")
    kept = answers(output)

    faults.write_text("{}")
    status, printed = ended(run_of(tmp_path, miniature_rows, both[1:]), output)
    assert status == 0, printed
    assert answers(output)[: len(kept)] == kept
    assert_ended_alike(output, undisturbed, ["gt-file"])


def test_a_run_with_nobody_to_ask_ends_before_it_begins(miniature_rows, tmp_path) -> None:
    run_file = run_of(tmp_path, miniature_rows, [{"name": "down", "endpoint": DOWN}])
    status, printed = ended(run_file, tmp_path / "out")
    assert status == 2, printed
    assert "no OpenAI-compatible server answers there" in printed
    assert not (tmp_path / "out").exists()


@pytest.mark.vllm
def test_a_server_that_does_not_start_costs_its_own_checkpoint_alone(
    miniature_rows, faulty_stub, undisturbed, tmp_path
) -> None:
    url, faults = faulty_stub
    faults.write_text("{}")
    write_random_checkpoint(tmp_path / "weights", 0, corpus=[miniature_rows.read_text()])
    broken = {"name": "broken", "path": str(tmp_path / "weights"), "server_args": ["--no-such-option"]}
    run_file = run_of(tmp_path, miniature_rows, [broken, {"name": "stub", "endpoint": url}])
    status, printed = ended(run_file, tmp_path / "out")
    assert status == 1, printed
    assert "no verdict: broken gt-file 3 of 3;" in " ".join(printed.split())
    assert "no-such-option" in printed
    assert scores(tmp_path / "out")[1] == scores(undisturbed)[0]
