"""The real things: a Docker daemon, and the smallest image that the project makes."""

from collections.abc import Iterator

import pytest

from harness.errors import InputError
from harness.evaluate.bases import make_base
from harness.evaluate.container import connect


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
