"""What of a machine and an image may change a test's result: time zone, hash seed, CPU, memory, kernel."""

import threading
from typing import TYPE_CHECKING, Any

from harness.common.docker_client import translated
from harness.core.interfaces import Limits

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

# Three lines: the time zone, the hash seed, the processor; a line stays empty if the image can't say.
ASK = """date +%Z 2>/dev/null || echo; echo "${PYTHONHASHSEED:-random}"
sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1"""


class Circumstances:
    """Asks a container of each image once, before anything else runs in it. Safe for threads."""

    def __init__(self, client: "DockerClient") -> None:
        """Nothing is asked yet."""
        self._client = client
        self._lock = threading.Lock()
        self._images: dict[str, tuple[str, str, str]] = {}
        self._host: dict[str, str] | None = None

    def of(self, container: "Container", image: str, limits: Limits) -> dict[str, str]:
        """Return them by name, each as a text. Raises InfrastructureError if the container or the engine can't say."""
        with self._lock:
            host = self._host = self._host or self._ask_engine()
        if image not in self._images:
            with translated("asking a container for its circumstances"):
                said: Any = container.exec_run(["/bin/sh", "-c", ASK])
            lines = [*said.output.decode("utf-8", "replace").split("\n"), "", "", ""]
            self._images[image] = lines[0].strip(), lines[1].strip(), lines[2].strip()
        zone, seed, processor = self._images[image]
        return {
            "time_zone": zone,
            "hash_seed": seed,
            "cpu": f"{limits.cpus:g} of {host['cpus']} {processor}".strip(),
            "memory": f"{limits.memory_bytes >> 20} of {host['memory']} MiB",
            "kernel": host["kernel"],
        }

    def _ask_engine(self) -> dict[str, str]:
        with translated("asking the engine for its machine"):
            info = self._client.info()
        return {
            "cpus": str(info["NCPU"]),
            "memory": str(int(info["MemTotal"]) >> 20),
            "kernel": f"{info['KernelVersion']} {info['Architecture']}",
        }
