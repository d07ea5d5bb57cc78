"""``harness images pull`` as a command: what it prints, how it ends, and going on after it was killed."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from registry import noise

from harness.images.pull import find

pytestmark = pytest.mark.docker
COMMAND = [sys.executable, "-m", "harness.cli", "images", "pull", "--dataset"]


@pytest.fixture
def rows(docker_client, registry, proxy, row, tmp_path) -> Path:
    """Rows of two instances whose images are in the registry."""
    path = tmp_path / "rows.jsonl"
    with path.open("w") as file:
        for number in (1, 2):
            registry.push(docker_client, f"command/{number}:1", [noise(1 << 20)])
            columns = {
                "instance_id": f"harness-test__pull-{number}",
                "image": f"{proxy.address}/command/{number}:1",
            }
            file.write(json.dumps(row(**columns)) + "\n")
    return path


def pull(rows: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, str(rows), *options], capture_output=True, text=True, check=False)


def test_killed_in_the_middle_and_started_again(docker_client, rows, proxy):
    proxy.rule = lambda request: "/command/2/blobs/" in request.path and not time.sleep(15)
    with subprocess.Popen([*COMMAND, str(rows), "--workers=1"]) as process:
        deadline = time.monotonic() + 120
        while not any("/command/2/blobs/" in line for line in proxy.asked):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.kill()
    assert find(docker_client, f"{proxy.address}/command/1:1")
    assert not find(docker_client, f"{proxy.address}/command/2:1")
    proxy.rule = None
    proxy.asked.clear()
    done = pull(rows)
    assert done.returncode == 0, done.stderr
    assert "2 images are there: 1 pulled now, 1 already here" in done.stdout
    assert "here already" in done.stdout
    assert "pull 2/2, 1 known | layers 1/1" in done.stderr
    assert not any("/command/1/" in line for line in proxy.asked)


def test_an_image_that_can_not_be_had_does_not_stop_the_others(docker_client, rows, row, proxy):
    missing = row(instance_id="harness-test__pull-3", image=f"{proxy.address}/command/none:1")
    rows.write_text(json.dumps(missing) + "\n" + rows.read_text())
    done = pull(rows, "--per-hour=100")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("harness: 1 of 3 images can't be had: harness-test__pull-3: ")
    for number in (1, 2):
        assert re.search(rf"harness-test__pull-{number} .* pulled *$", done.stdout, re.MULTILINE)
    assert find(docker_client, f"{proxy.address}/command/2:1")
