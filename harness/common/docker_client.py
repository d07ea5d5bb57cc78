"""The connection to Docker's daemon or Podman's service, and its errors in the project's own words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.core.interfaces import SandboxKind
from harness.errors import EngineUnreachable, InfrastructureError, InputError

if TYPE_CHECKING:
    from docker import DockerClient


LABEL = "io.agentless-harness"  # on every image and container that belongs to the project
LONGEST = 600  # characters of an engine's message that are shown
PODMAN_SOCKET = "podman/podman.sock"  # below the folder of what runs
KINDS: tuple[SandboxKind, ...] = ("docker", "podman")  # in the order in which `auto` tries them
UNREACHABLE = {
    "docker": "Docker is not reachable ({error}); start the daemon (`dockerd`, or `systemctl start docker`) "
    "or point DOCKER_HOST at one",
    "podman": "Podman is not reachable ({error}); start its service (`podman system service --time=0`, or "
    "`systemctl --user start podman.socket`) or point CONTAINER_HOST at one",
}
RUN_LABEL = f"{LABEL}.run"  # on containers: the run they belong to


def connect(
    timeout: int = 600, connections: int = 32, sandbox: SandboxKind | Literal["auto"] = "docker"
) -> "DockerClient":
    """A client with one pool of connections to the engine that ``sandbox`` and the environment name.

    ``auto`` is the first one that answers: Docker, then Podman. ``timeout`` is the number of seconds without a byte
    after which an answer, or a pull, counts as failed. Raises EngineUnreachable if none answers.
    """
    unreachable = []
    for kind in KINDS if sandbox == "auto" else (sandbox,):  # Apptainer has no engine that could be asked
        try:
            return _connected(kind, timeout, connections)
        except EngineUnreachable as error:
            unreachable.append(str(error))
    raise EngineUnreachable(" | ".join(unreachable))


def podman_address() -> str:
    """Where Podman's service listens: what CONTAINER_HOST says, else the user's own socket, else the machine's."""
    own = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}") / PODMAN_SOCKET
    found = own if own.exists() or os.getuid() else Path("/run") / PODMAN_SOCKET
    return os.environ.get("CONTAINER_HOST") or f"unix://{found}"


def _connected(kind: SandboxKind, timeout: int, connections: int) -> "DockerClient":
    if kind == "apptainer":
        raise InputError("sandbox apptainer: it has no engine, and this needs one; choose docker, podman or auto")
    import docker
    from docker.errors import DockerException
    from docker.utils import kwargs_from_env

    from harness.common.docker_api import BoundedAPIClient

    try:
        place = kwargs_from_env() if kind == "docker" else {"base_url": podman_address()}
        client = docker.DockerClient(timeout=timeout, max_pool_size=connections, version="auto", **place)
        version = client.api.api_version
        client.close()
        client.api = BoundedAPIClient(version=version, timeout=timeout, max_pool_size=connections, **place)
        client.ping()
    except DockerException as error:
        raise EngineUnreachable(UNREACHABLE[kind].format(error=error)) from error
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
