"""`harness watch` beside a training: real vLLM, real containers, killed in the middle and started again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.common.line_files import read_whole
from harness.common.run_folder import journal_path
from harness.pipeline.demo import pipeline_settings, shipped_checkpoints

pytestmark = [pytest.mark.docker, pytest.mark.vllm]


def queue(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / "watch.json"
    return {entry["name"]: entry for entry in json.loads(path.read_text())["checkpoints"]} if path.exists() else {}


def watch(*options: str, **where: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "harness.cli", "watch", *options, "--marker", "done", "--poll", "0.2"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **where)


def wait_until(reached: Any, watching: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 120
    while not reached():
        assert watching.poll() is None, watching.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_watch_that_is_killed_while_a_server_starts_goes_on_elsewhere(docker_client, miniature_rows, tmp_path):
    output, step = tmp_path / "out", tmp_path / "runs" / "step-200"
    settings = pipeline_settings() | {
        "dataset": {"path": str(miniature_rows), "limit": 1},
        "checkpoints": [{"path": "runs/step-{step}", "strategy": "best-fit+slide"}],
        "conditions": ["gt-file"],
        "references": ["gold"],
        "output": "out",
    }
    (tmp_path / "watch.yaml").write_text(yaml.safe_dump(settings))
    trained = next(entry["path"] for entry in shipped_checkpoints() if entry["strategy"] == "best-fit+slide")
    with watch(".", cwd=tmp_path) as watching:
        shutil.copytree(trained, step)
        wait_until(lambda: queue(output).get("step-200", {}).get("state") == "growing", watching)
        (step / "done").touch()
        wait_until(lambda: list(output.glob("step-200/*.server.log")), watching)
        os.kill(watching.pid, signal.SIGKILL)
    assert queue(output)["step-200"]["state"] == "running"
    growing = tmp_path / "runs" / "step-300"
    shutil.copytree(trained, growing)
    with watch(str(tmp_path), "--once") as watching:
        said, _ = watching.communicate(timeout=400)
    assert watching.returncode == 0, said
    assert {name: entry["state"] for name, entry in queue(output).items()} == {
        "step-200": "done",
        "step-300": "growing",
    }
    answers = read_whole(journal_path(output / "step-200", "answers"))
    assert b'"completion_tokens"' in answers
    table = (output / "ablation.md").read_text()
    assert "| step-200 |" in table
    assert "gold resolves 1 of 1" in table
