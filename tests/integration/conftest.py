"""The real things: a Docker daemon, and the smallest image that the project makes."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from registry import FaultyProxy, Registry, forget

from harness.build.base import make_base, run_command
from harness.build.build_instances import build_instances
from harness.common.docker_client import connect
from harness.errors import InfrastructureError, InputError
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
