"""Containers of a run that are still there, by the labels they carry, and their removal."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from harness.common.docker_client import LABEL, RUN_LABEL, translated
from harness.sandbox.removal import remove

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

NODE_LABEL = f"{LABEL}.node"  # on a container: the id of the Ray node whose task began it
TOKEN_LABEL = f"{LABEL}.token"  # and that task's own name


def containers_of(client: "DockerClient", run: str, labels: Mapping[str, str] | None = None) -> list["Container"]:
    """The run's containers that carry all of ``labels``, whatever their state. Raises InfrastructureError."""
    wanted = [f"{name}={value}" for name, value in {RUN_LABEL: run, **(labels or {})}.items()]
    with translated("listing left-over containers"):
        return list(client.containers.list(all=True, filters={"label": wanted}, ignore_removed=True))


def remove_all(client: "DockerClient", containers: Iterable["Container"]) -> int:
    """Remove them by force; returns their number. Raises InfrastructureError if one stays."""
    number = 0
    for container in containers:
        remove(client, container)
        number += 1
    return number
