"""`harness evaluate` ends at once when it is interrupted, loses nothing that is finished, and can go on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.common.docker_client import RUN_LABEL
from harness.common.run_folder import journal_path, run_label
from harness.compare.frames import json_lines
from harness.repo.diff import creation_patch

pytestmark = pytest.mark.docker

SLOW = creation_patch("pytest.py", b"import time\ntime.sleep(120)\n")  # what `python -m pytest` then finds first


def containers(client, output: Path) -> list:
    label = f"{RUN_LABEL}={run_label(output)}"
    return client.containers.list(all=True, filters={"label": label}, ignore_removed=True)


def start(rows: Path, predictions: Path, output: Path, *instances: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "harness.cli",
        "evaluate",
        "--dataset",
        str(rows),
        "--workers",
        "3",
    ]  # a turn for each
    command += ["--predictions", str(predictions), "--output", str(output), *instances]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finished(output: Path) -> list[dict]:
    return list(json_lines(journal_path(output, "evaluations"), torn=True))


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_an_evaluation_within_seconds(miniature_rows: Path, tmp_path, docker_client, ending) -> None:
    """It used to hang for ever: the pool's shutdown held a lock that a done-callback of a cancelled future wanted."""
    output, predictions = tmp_path / "out", tmp_path / "predictions.jsonl"
    rows = [json.loads(line) for line in miniature_rows.read_text().splitlines()]
    patches = [rows[0]["patch"], *([SLOW] * (len(rows) - 1))]
    predictions.write_text(
        "".join(
            json.dumps({"instance_id": row["instance_id"], "model_name_or_path": "m", "model_patch": patch}) + "\n"
            for row, patch in zip(rows, patches, strict=True)
        )
    )
    process = start(miniature_rows, predictions, output)
    deadline = time.monotonic() + 90
    while not (finished(output) and len(containers(docker_client, output)) >= 2):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(3)  # until the slow tests run
    process.send_signal(ending)
    asked = time.monotonic()
    printed, _ = process.communicate(timeout=60)
    took = time.monotonic() - asked
    assert process.returncode == 130, printed
    assert took < 30, f"{took:.1f} s"  # a few seconds on a quiet machine, 14 were seen on a busy one
    assert "interrupted; the same command goes on from what is done" in printed
    assert "Traceback" not in printed
    assert containers(docker_client, output) == []
    assert [record["verdict"]["instance_id"] for record in finished(output)] == [rows[0]["instance_id"]]
    again = start(miniature_rows, predictions, output, "--instances", rows[0]["instance_id"])
    printed, _ = again.communicate(timeout=60)
    assert again.returncode == 0, printed
    assert len(finished(output)) == 1
