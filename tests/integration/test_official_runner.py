"""Beside the official harness itself: its runner over the predictions that we write, and its grading of our logs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.build.build_instances import build_instances
from harness.config.schema import EvaluationConfig
from harness.dataset.instances import load_instances
from harness.pipeline.evaluate import Judged, Submission, evaluate_predictions, regrade_predictions

pytestmark = [pytest.mark.docker, pytest.mark.instances]

SOLVED, EMPTY = "pallets__flask-4992", "pytest-dev__pytest-5227"
PARITY = Path(__file__).parents[2] / "benchmarks" / "parity.py"


@pytest.fixture(scope="module")
def rows(docker_client, lite_rows: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two instances in the 5.x schema, their images built."""
    path = tmp_path_factory.mktemp("official") / "rows.jsonl"
    build_instances(lite_rows, ids=(SOLVED, EMPTY), rows=path)
    return path


@pytest.fixture(scope="module")
def submission(rows: Path) -> Submission:
    """One instance with its gold patch, one with an empty patch."""
    instances = load_instances(str(rows))
    predictions = rows.with_name("predictions.json")
    patches = {i.instance_id: i.patch if i.instance_id == SOLVED else "" for i in instances}
    predictions.write_text(
        json.dumps({i: {"model_name_or_path": "mixed", "model_patch": patch} for i, patch in patches.items()})
    )
    return Submission(instances, str(predictions), rows.parent / "ours", EvaluationConfig(timeout=300))


@pytest.fixture(scope="module")
def judged(submission: Submission) -> Judged:
    """Our verdicts on them."""
    return evaluate_predictions(submission)


def test_the_official_runner_takes_our_predictions_and_comes_to_our_verdicts(
    rows: Path, submission: Submission, judged: Judged, tmp_path: Path
) -> None:
    part = submission.output / "checkpoints" / "mixed"
    command = [
        str(Path(sys.executable).with_name("swebench")),
        "eval",
        str(rows),
        "-p",
        str(part / "predictions.jsonl"),
    ]
    done = subprocess.run(
        [*command, "--run-id", "official", "-j", "2", "--report-dir", str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    [report] = tmp_path.glob("*.official.json")
    theirs, ours = json.loads(report.read_text()), json.loads((part / "report.json").read_text())
    shared = theirs.keys() & ours.keys()
    assert {key: ours[key] for key in shared} == {key: theirs[key] for key in shared}
    assert (ours["resolved_ids"], ours["empty_patch_ids"]) == ([SOLVED], [EMPTY])


def test_grading_again_needs_no_daemon_and_comes_to_the_same(
    submission: Submission, judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    again = regrade_predictions(submission)
    assert [r.attempt.verdict for r in again.results] == [r.attempt.verdict for r in judged.results]
    assert [r.attempt.verdict.outcome.value for r in again.results] == ["resolved", "empty-patch"]


def test_repeats_are_run_each_by_itself_and_make_the_calibration(submission: Submission, tmp_path: Path) -> None:
    [instance] = [i for i in submission.instances if i.instance_id == SOLVED]
    found = evaluate_predictions(Submission([instance], "gold", tmp_path, EvaluationConfig(timeout=300), repeats=3))
    assert found.spreads["gold"].rates == (1.0, 1.0, 1.0)
    assert len(list((tmp_path / "logs" / "evaluations").iterdir())) == 3
    calibration = json.loads((tmp_path / "calibration.json").read_text())
    assert calibration["instances"][SOLVED]["held"] == 3


def test_verdicts_equal_the_official_grading_of_the_same_logs(rows: Path, lite_rows: str, tmp_path: Path) -> None:
    command = [sys.executable, str(PARITY), "--check", "--rows", lite_rows, "--output", str(tmp_path / "parity")]
    done = subprocess.run(
        [*command, "--instances", SOLVED, "--mutants", "6"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "instances=1 mutants=6 graded=36 test_ids=" in done.stdout.splitlines()[-1]
    assert done.stdout.endswith("differences=0\n")
