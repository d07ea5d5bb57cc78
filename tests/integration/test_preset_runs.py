"""The presets' benchmark on miniature instances: recorded answers with known outcomes, and a real server."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.config.presets import preset_names
from harness.dataset.instances import load_instances

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]


def benchmark(rows: Path, count: int, *options: str) -> subprocess.CompletedProcess[str]:
    """Run it with ``--check`` on the first instances of a file."""
    ids = [instance.instance_id for instance in load_instances(str(rows), limit=count)]
    script = ROOT / "benchmarks" / "presets.py"
    command = [sys.executable, str(script), "--check", "--rows", str(rows), "--instances", *ids, *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=540)


def test_recorded_answers_end_as_known_beforehand_under_every_preset(miniature_rows) -> None:
    done = benchmark(miniature_rows, 2, "--checkpoints", "recorded")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "otherwise=0" in done.stdout.splitlines()[-1]
    for preset in preset_names():
        for condition in ("model", "gt-location", "gt-file"):
            assert f"| {preset} | recorded | {condition} | 2 |" in done.stdout


@pytest.mark.vllm
def test_random_weights_behind_a_real_server_make_no_patch(miniature_rows) -> None:
    done = benchmark(miniature_rows, 1, "--checkpoints", "served", "--presets", "qwen3-coder-next")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answers_served=0" not in done.stdout
    assert done.stdout.count("| qwen3-coder-next | served |") == 3
