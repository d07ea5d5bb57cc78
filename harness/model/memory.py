"""How much memory a model server takes on a machine without a GPU, and how much there is."""

from collections.abc import Sequence
from pathlib import Path

from harness.errors import InputError
from harness.model.checkpoint import argument
from harness.model.supervisor import PROC, living

GIB = 1 << 30
UTILIZATION = 0.92  # vLLM's own default of --gpu-memory-utilization, which on the CPU means the machine's memory
BESIDE = 3 * GIB // 2  # what a server's processes take beside the weights and the cache
UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def expected_bytes(weights: Path, args: Sequence[str], cache_space: str | None, total: int) -> int:
    """Bytes that a server of vLLM's CPU build takes at most, of a machine with ``total``.

    ``cache_space``: the value of ``VLLM_CPU_KVCACHE_SPACE`` in GiB, if it is set. An explicit cache adds to the
    weights; without one, vLLM takes its share of the machine's memory for both.
    """
    cache = _bytes(argument(args, "--kv-cache-memory-bytes"))
    if cache is None and cache_space is not None and cache_space.isdigit() and int(cache_space):
        cache = int(cache_space) * GIB
    if cache is not None:
        return cache + sum(file.stat().st_size for file in weights.glob("*.safetensors")) + BESIDE
    share = argument(args, "--gpu-memory-utilization")
    try:
        return int((UTILIZATION if share is None else float(share)) * total) + BESIDE
    except ValueError as error:
        raise InputError(f"server argument --gpu-memory-utilization={share}: give a number from 0 to 1") from error


def _bytes(text: str | None) -> int | None:
    """Bytes of vLLM's notation, such as 256M or 1.5g; None if there is no such number."""
    if not text:
        return None
    unit = text[-1] if text[-1] in UNITS else ""
    try:
        return int(float(text.removesuffix(unit)) * UNITS[unit])
    except ValueError:
        return None


def machine_memory() -> tuple[int, int]:
    """(total, available) bytes of this machine's memory."""
    lines = (line.split() for line in (PROC / "meminfo").read_text().splitlines())
    kib = {words[0].rstrip(":"): int(words[1]) for words in lines}
    return kib["MemTotal"] << 10, kib["MemAvailable"] << 10


def resident_bytes(session: int) -> int:
    """Bytes that the processes of a session hold now, what they share counted once."""
    total = 0
    for pid in living(session):
        try:
            lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:  # it has just ended
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total
