"""What jobs of a run have on this machine while they run, and what is left of killed ones, by the labels they carry."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from harness.common.docker_client import LABEL, RUN_LABEL, translated
from harness.sandbox.removal import remove

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

NODE_LABEL = f"{LABEL}.node"  # the id of the Ray node whose task began a job
TOKEN_LABEL = f"{LABEL}.token"  # and that task's own name

Chosen = Callable[[Mapping[str, str]], bool]  # by a job's labels


class LeftOver(Protocol):
    """What the jobs of one run have on this machine."""

    def remove(self, chosen: Chosen) -> int:
        """End the chosen jobs and remove all that they have; returns their number.

        Raises InfrastructureError if something stays.
        """
        ...


class LeftContainers:
    """Containers of an engine."""

    def __init__(self, client: "DockerClient", run: str) -> None:
        """Those that carry the label ``run``, whatever their state."""
        self._client = client
        self._run = run

    def list(self) -> list["Container"]:
        """All of them. Raises InfrastructureError."""
        with translated("listing left-over containers"):
            label = f"{RUN_LABEL}={self._run}"
            return list(self._client.containers.list(all=True, filters={"label": label}, ignore_removed=True))

    def remove(self, chosen: Chosen) -> int:
        """As `LeftOver.remove`, by force."""
        left = [container for container in self.list() if chosen(container.labels)]
        for container in left:
            remove(self._client, container)
        return len(left)
