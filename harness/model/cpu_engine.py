"""How an engine of vLLM's CPU build runs its model: in its own process where it can.

To bind a model's threads to cores, this build gives also a single worker a process of its own (0.32:
vllm/platforms/cpu.py). The engine then waits for each step in a loop that keeps a core busy, and a start imports
everything once more. Measured on two cores with a model of 2M parameters: 25 s to start and 1,900 tokens a second with
both cores busy; in one process 17 s, 2,700 tokens and 1.1 cores. Binding is worth that where memory is nearer to some
cores than to others, so there everything stays as vLLM has it, as it does where someone has set how threads are bound.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.model.checkpoint import PARALLEL, argument, serves_on_cpu

SYSTEM = Path("/sys/devices/system")
OWN_PROCESS = "VLLM_ENABLE_V1_MULTIPROCESSING"
THREADS = "OMP_NUM_THREADS"
BINDING, NOT_BOUND = "VLLM_CPU_OMP_THREADS_BIND", "nobind"
RESERVED = "VLLM_CPU_NUM_OF_RESERVED_CPU"


def engine_environment(
    args: Sequence[str], environment: Mapping[str, str] = os.environ, system: Path = SYSTEM
) -> dict[str, str]:
    """What to put over ``environment`` for a server with vLLM's ``args`` on this machine; mostly nothing.

    Threads are as many as vLLM itself would bind: one for a core, and one core left alone.
    """
    single = all(argument(args, name) in (None, "1") for names in PARALLEL for name in names)
    if not single or not serves_on_cpu() or OWN_PROCESS in environment:
        return {}
    if environment.get(BINDING) == NOT_BOUND:
        return {OWN_PROCESS: "0"}
    if BINDING in environment or RESERVED in environment or len(list(system.glob("node/node[0-9]*"))) > 1:
        return {}
    return {OWN_PROCESS: "0", THREADS: environment.get(THREADS) or str(max(1, cores(system) - 1))}


def cores(system: Path = SYSTEM) -> int:
    """Cores that this process may use, those with several threads counted once."""
    numbers = os.sched_getaffinity(0)
    files = {number: system / f"cpu/cpu{number}/topology/thread_siblings_list" for number in numbers}
    return len({file.read_text() if file.is_file() else number for number, file in files.items()})
