"""The real things: a Docker daemon, and the smallest image that the project makes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.build import build_instances
from harness.errors import InputError
from harness.evaluate.bases import make_base
from harness.evaluate.container import connect
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
    return make_base(docker_client, "3.11", "auto")[0]


@pytest.fixture(scope="session")
def miniature_rows(docker_client, tmp_path_factory) -> Path:
    """Rows of three miniature instances whose images are built."""
    folder = tmp_path_factory.mktemp("miniature")
    made = generate(folder, seed=0, count=3)
    rows = folder / "rows-with-images.jsonl"
    build_instances(str(made.rows), recipes=made.recipes, rows=rows)
    return rows
