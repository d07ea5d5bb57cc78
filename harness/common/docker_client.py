"""The connection to the Docker daemon, and its errors in the project's own words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.errors import InfrastructureError, InputError

if TYPE_CHECKING:
    from docker import DockerClient


LABEL = "io.agentless-harness"  # on every image and container that belongs to the project
LONGEST = 600  # characters of an engine's message that are shown
RUN_LABEL = f"{LABEL}.run"  # on containers: the run they belong to


def connect(timeout: int = 600, connections: int = 32) -> "DockerClient":
    """A client with one pool of connections to the Docker daemon that the environment names.

    ``timeout`` is the number of seconds without a byte after which an answer, or a pull, counts as failed. Raises
    InputError if no daemon answers.
    """
    import docker
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    from harness.common.docker_api import BoundedAPIClient

    try:
        client = docker.from_env(timeout=timeout, max_pool_size=connections)
        version = client.api.api_version
        client.close()
        client.api = BoundedAPIClient(version=version, timeout=timeout, max_pool_size=connections, **kwargs_from_env())
        client.ping()
    except DockerException as error:
        raise InputError(
            f"Docker is not reachable ({error}); start the daemon (`dockerd`, or `systemctl start docker`) "
            "or point DOCKER_HOST at one"
        ) from error
    return client


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn what the Docker client raises into InfrastructureError, saying what was being done."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException
    from urllib3.exceptions import HTTPError  # what the SDK reads by itself fails in this library's words

    try:
        yield
    except (DockerException, RequestException, HTTPError, OSError) as error:
        raise InfrastructureError(f"{doing}: {shortened(str(error))}") from error


def shortened(text: str) -> str:
    """The text, without its middle if it is long: the engine quotes paths of any length."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} [...] {text[-LONGEST // 2 :]}"
