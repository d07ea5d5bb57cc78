"""Taking a container away, whatever its processes left in it."""

import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from harness.common.docker_client import translated
from harness.errors import InfrastructureError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

# The engine holds a file open for each level of a tree that it deletes, and has no more than its own limit.
TOO_DEEP = "failed to remove root filesystem"
LEVELS = 500
# Cuts folders that lie too deep off their trees and lays them on top, level by level: a rename costs nothing.
FLATTEN = f"""
while find . -mindepth {LEVELS} -maxdepth {LEVELS} -type d -print -quit | grep -q .; do
  find . -mindepth {LEVELS} -maxdepth {LEVELS} -type d -exec sh -c '
    for folder; do number=$((number + 1)); mv "$folder" "./flat.$$.$number" || exit; done' sh {{}} + || exit
done
"""
POLL_SECONDS, GOING_SECONDS = 0.2, 30.0


def remove(client: "DockerClient", container: "Container", wait: bool = False) -> None:
    """Remove a container by force; it is gone, or going, afterwards. Raises InfrastructureError if it stays.

    ``wait`` sees to it that a removal which the engine has begun by itself does not get stuck.
    """
    from docker.errors import APIError, NotFound

    try:
        with translated("removing a container"):
            container.remove(force=True, v=True)
    except InfrastructureError as error:
        cause = error.__cause__
        if isinstance(cause, NotFound):
            return
        if isinstance(cause, APIError) and cause.status_code == 409:
            if wait and _gets_stuck(container):
                _remove_deep(client, container)
            return
        if TOO_DEEP not in str(cause):
            raise
        _remove_deep(client, container)


def end_and_flatten(container: "Container", rootless: bool) -> None:
    """End a container of Podman and cut folders off that lie too deep in it; it is still to be removed.

    Podman holds a file open for each level as well, but where it has too few, it answers no question any more: a layer
    that it began to delete stands in its way for ever. Raises InfrastructureError if Podman can't be asked.
    """
    from docker.errors import APIError

    with translated("ending a container"):
        with suppress(APIError):  # it has ended
            container.kill()
        with suppress(APIError):  # it is gone
            container.reload()
    layer = _layer(container)
    if layer and (rootless or Path(layer).is_dir()):
        # what a user's container wrote belongs to other users, whom only Podman can be
        within = ["podman", "unshare"] if rootless else []
        script = f'cd "$0" && {{ {FLATTEN} }}'
        subprocess.run(
            [*within, "/bin/sh", "-c", script, layer], stdin=subprocess.DEVNULL, capture_output=True, check=False
        )


def _layer(container: "Container") -> str | None:
    """The folder on the engine's machine that has what a container wrote."""
    layer = ((container.attrs.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    return str(layer) if layer else None


def _gets_stuck(container: "Container") -> bool:
    """Whether the removal that is under way leaves a dead container behind."""
    from docker.errors import NotFound

    deadline = time.monotonic() + GOING_SECONDS
    while time.monotonic() < deadline:
        try:
            with translated("looking at a container"):
                container.reload()
        except InfrastructureError as error:
            if isinstance(error.__cause__, NotFound):
                return False
            raise
        if container.status == "dead":
            return True
        time.sleep(POLL_SECONDS)
    return False


def _remove_deep(client: "DockerClient", container: "Container") -> None:
    """Remove a dead container whose folders are nested too deep for the engine, by way of another container."""
    with translated("removing a container with folders nested too deep"):
        container.reload()
        layer = _layer(container)
        if container.status != "dead" or not layer:
            raise InfrastructureError("a container with folders nested too deep can't be removed; restart the daemon")
        client.containers.run(
            container.attrs["Image"],
            command=["/bin/sh", "-c", FLATTEN],
            entrypoint=[],
            labels=container.labels,
            working_dir="/left",
            volumes={layer: {"bind": "/left", "mode": "rw"}},
            network_mode="none",
            cap_drop=["ALL"],
            cap_add=["DAC_OVERRIDE", "FOWNER"],
            security_opt=["no-new-privileges"],
            remove=True,
        )
        container.remove(force=True, v=True)
