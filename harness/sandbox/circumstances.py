"""What of a machine and an image may change a test's result: time zone, hash seed, CPU, memory, kernel, engine."""

import threading
from typing import TYPE_CHECKING, Any, Protocol

from harness.common.docker_client import translated
from harness.core.interfaces import Limits
from harness.sandbox.enforced import Enforced

if TYPE_CHECKING:
    from docker import DockerClient

SAID = b"harness: circumstances\n"  # follows the answers
# Three lines: the time zone, the hash seed, the processor; a line stays empty if the image can't say.
ASK = f"""date +%Z 2>/dev/null || echo; echo "${{PYTHONHASHSEED:-random}}"
sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1; printf '{SAID.decode().strip()}\\n'; """


class Machine(Protocol):
    """What can say what machine containers run on, as an engine does."""

    def info(self) -> dict[str, Any]:
        """Numbers of CPUs and bytes, kernel and architecture, under the engine's own names."""
        ...


class Circumstances:
    """Reads what `ASK` says in a container and asks the engine once for its machine. Safe for threads.

    `ASK` runs in each container, as a part of its first command: the numbers of processes told the first container
    of an image from the others, and so an evaluation from its counter-evaluation.
    """

    def __init__(self, client: "DockerClient | Machine", engine: Enforced) -> None:
        """Nothing is asked yet."""
        self._client = client
        self._engine = engine
        self._lock = threading.Lock()
        self._host: dict[str, str] | None = None

    def of(self, output: bytes, limits: Limits) -> tuple[bytes, dict[str, str]]:
        """The output of a first command without what `ASK` said, and that by name, each as a text.

        Raises InfrastructureError if the engine can't say what its machine is.
        """
        with self._lock:
            host = self._host = self._host or self._ask_engine()
        said, found, rest = output.partition(SAID)
        lines = [*(said if found else b"").decode("utf-8", "replace").split("\n"), "", "", ""]
        zone, seed, processor = (line.strip() for line in lines[:3])
        return rest if found else output, {
            "time_zone": zone,
            "hash_seed": seed,
            "cpu": f"{limits.cpus:g} of {host['cpus']} {processor}".strip(),
            "memory": f"{limits.memory_bytes >> 20} of {host['memory']} MiB",
            "kernel": host["kernel"],
            "sandbox": self._engine.described,
            "platform": self._engine.platform,
            **({"not_enforced": ", ".join(missing)} if (missing := self._engine.missing_of_note) else {}),
        }

    def _ask_engine(self) -> dict[str, str]:
        with translated("asking the engine for its machine"):
            info = self._client.info()
        return {
            "cpus": str(info["NCPU"]),
            "memory": str(int(info["MemTotal"]) >> 20),
            "kernel": f"{info['KernelVersion']} {info['Architecture']}",
        }
