"""The Docker sandbox: one fresh container per job, within limits, removed by force."""

from typing import TYPE_CHECKING

from harness.errors import InputError

if TYPE_CHECKING:
    from docker import DockerClient

LABEL = "io.agentless-harness"  # on every image and container that belongs to the project


def connect(timeout: int = 600, connections: int = 32) -> "DockerClient":
    """A client (``timeout`` in seconds) with one pool of connections to the Docker daemon that the environment names.

    Raises InputError when no daemon answers.
    """
    import docker
    from docker.errors import DockerException

    try:
        return docker.from_env(timeout=timeout, max_pool_size=connections)
    except DockerException as error:
        raise InputError(
            f"Docker is not reachable ({error}); start the daemon (`dockerd`, or `systemctl start docker`) "
            "or point DOCKER_HOST at one"
        ) from error
