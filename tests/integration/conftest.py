"""The real things: a Docker daemon, and the smallest image that the project makes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from registry import FaultyProxy, Registry, forget

from harness.build.base import make_base, run_command
from harness.build.build_instances import build_instances
from harness.common.docker_client import connect
from harness.errors import InfrastructureError, InputError
from harness.miniature.checkpoints import write_random_checkpoint
from harness.miniature.generate import generate


@pytest.fixture(scope="session")
def docker_client() -> Iterator:
    """A client of the real daemon; without one the test is skipped, and says so."""
    try:
        client = connect()
    except InputError as error:
        pytest.skip(str(error))
    yield client
    client.close()


@pytest.fixture(scope="session")
def base_image(docker_client) -> str:
    """A local image with bash, git and Python, made on the first use."""
    return str(make_base(docker_client, "3.11", "auto")[0])


@pytest.fixture(scope="session")
def miniature_rows(docker_client, tmp_path_factory) -> Path:
    """Rows of three miniature instances whose images are built."""
    folder = tmp_path_factory.mktemp("miniature")
    made = generate(folder, seed=0, count=3)
    rows = folder / "rows-with-images.jsonl"
    build_instances(str(made.rows), recipes=made.recipes, rows=rows)
    return rows


@pytest.fixture(scope="session")
def one_after_the_other(miniature_rows, tmp_path_factory) -> tuple[Path, Path]:
    """A run file of two checkpoints with random weights, and the results of a run with one real server at a time."""
    folder = tmp_path_factory.mktemp("one-after-the-other")
    for seed in (0, 1):
        write_random_checkpoint(folder / f"weights-{seed}", seed, corpus=[miniature_rows.read_text()])
    document = {
        "dataset": {"path": str(miniature_rows), "limit": 1},
        "checkpoints": [{"name": f"seed-{seed}", "path": str(folder / f"weights-{seed}")} for seed in (0, 1)],
        "conditions": ["gt-file"],
        "references": ["gold"],
        "prompts": "compact",
        # one question at a time: only then does a server on the CPU give equal answers to equal questions
        "sampling": {"samples": 2, "repair": {"max_tokens": 32}, "concurrency": 1},
        "serving": {"args": ["--enforce-eager", "--gpu-memory-utilization=0.1"]},
        "output": "unused",
    }
    run_file = folder / "run.yaml"
    run_file.write_text(json.dumps(document))
    command = [sys.executable, "-m", "harness.cli", "run", str(run_file), f"output={folder / 'results'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return run_file, folder / "results"


@pytest.fixture(scope="session")
def registry(docker_client, tmp_path_factory) -> Iterator[Registry]:
    """A registry on this machine; skipped where its program is not there and can't be installed."""
    if not shutil.which("docker-registry"):
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            pytest.skip("docker-registry is not installed, and only root on Debian could do it here")
        try:
            run_command("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "docker-registry")
        except InfrastructureError as error:
            pytest.skip(f"docker-registry can't be installed: {error}")
    registry = Registry(tmp_path_factory.mktemp("registry"))
    yield registry
    registry.stop()


@pytest.fixture
def proxy(registry, docker_client) -> Iterator[FaultyProxy]:
    """A proxy before the registry; images that came through it go in the end."""
    proxy = FaultyProxy(registry.address)
    yield proxy
    proxy.stop()
    forget(docker_client, proxy.address)


@pytest.fixture
def stub(miniature_rows: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """URL of the stand-in model, and the file in which it counts its generations."""
    counted = tmp_path / "counted"
    counted.touch()
    script = Path(__file__).with_name("answering_stub.py")
    command = [sys.executable, str(script), str(miniature_rows), str(counted), str(tmp_path / "faults.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1", counted
        process.kill()
