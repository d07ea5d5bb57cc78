"""The laboratory's training beside a plain loop: python benchmarks/training.py [--check] [--device cpu|cuda|auto].

Both train the recipe's model as it stands, on the same rows with the same slots a step. `ours` is what `lab.training`
runs, with its own optimisers; `plain` is transformers' Llama in float32 with torch's AdamW, nothing compiled. Every run
has a process of its own on one core, and ours and plain take turns. What counts is the best step, in CPU seconds (on a
GPU in seconds), since others may use the machine. Memory is the peak of the process, with data set and libraries.
With --check the exit status is 1 when a target is missed: speed, memory, and equal losses from equal seeds (on the
CPU bit by bit).
"""

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parts.arguments import BenchmarkParser

ROOT = Path(__file__).parents[1]
CONTEXT, VOCABULARY = 384, 1536
ROWS = 3 * 10**6 // CONTEXT  # of the data set: as many slots as `make lab` trains on
UNTIMED, TIMED = 5, 7  # steps; in the first the compiler runs, or a GPU's graph is made
TURNS = 2
# In float32 both do the same products at the machine's speed, and Muon's own come on top: a seventh of a step.
LEAST_TIMES_PLAIN = {"torch.bfloat16": 1.5, "torch.float32": 0.85}
MOST_MEMORY = 4e9

Result = dict[str, Any]


def write_rows(folder: Path) -> None:
    """A data set in the form of `harness pack`: random ids, a question's and an answer's beginning in each row."""
    import numpy as np
    import pyarrow
    import pyarrow.parquet

    ids = np.random.default_rng(0).integers(6, VOCABULARY, (ROWS, CONTEXT), dtype=np.int32)
    ids[:, [0, 1, CONTEXT // 2, CONTEXT - 1]] = (1, 4, 5, 2)  # <bos>, <|user|>, <|assistant|>, <eos>
    column = pyarrow.ListArray.from_arrays(np.arange(ROWS + 1, dtype=np.int32) * CONTEXT, ids.reshape(-1))
    table = pyarrow.table({"input_ids": column, "labels": column})
    pyarrow.parquet.write_table(table, folder / "shard-00000-of-00001.parquet")


def measured(contender: str, data: Path, device: str) -> Result:
    """One contender's run in a process of its own; see `measure`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    worker = [sys.executable, __file__, "--worker", contender, str(data), "--device", device]
    ended = subprocess.run(worker, env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{contender}: {ended.stderr.strip().splitlines()[-1:]}")
    result: Result = json.loads(ended.stdout.splitlines()[-1])
    return result


def measure(contender: str, data: Path, device_name: str) -> Result:
    """Train some steps; gives the seconds and the loss of each, the process's peak memory in bytes, and conditions."""
    import torch

    from lab.training.data import Specials, load_rows, row_order
    from lab.training.recipe import Recipe
    from lab.training.train import chosen_device

    device = chosen_device(device_name)
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    torch.set_num_threads(1)
    recipe = Recipe()
    rows = load_rows(data, Specials(*range(6), vocabulary=VOCABULARY))
    order = row_order(len(rows.tokens), recipe.step_tokens // CONTEXT, UNTIMED + TIMED, seed=0)
    step, conditions = {"ours": our_steps, "plain": plain_steps}[contender](recipe, rows, order, device)
    seconds, losses = [], []
    for _ in range(UNTIMED + TIMED):
        began = clock()
        losses.append(step())
        seconds.append(clock() - began)
    return {
        "seconds": seconds,
        "losses": losses,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "gpu_memory": torch.cuda.max_memory_allocated() if device.type == "cuda" else 0,
        "step_tokens": order.shape[1] * CONTEXT,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        **conditions(),
    }


def our_steps(recipe: Any, rows: Any, order: Any, device: Any) -> tuple[Callable[[], float], Callable[[], Result]]:
    """The laboratory's training, as a function that does a step, and one that says what it ran with afterwards."""
    from lab.training.model import Llama
    from lab.training.step import Steps

    steps = Steps(recipe, Llama(recipe, VOCABULARY, CONTEXT, seed=0), rows, order, device)
    numbers = iter(range(len(order)))

    def step() -> float:
        steps.advance()
        return float(steps.curve[next(numbers), 0])

    return step, lambda: {"precision": str(steps.precision), "compiled": steps.compiled}


def plain_steps(recipe: Any, rows: Any, order: Any, device: Any) -> tuple[Callable[[], float], Callable[[], Result]]:
    """What one would write first, as `our_steps` gives it."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from lab.training.export import llama_config

    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**llama_config(recipe, VOCABULARY))).to(device, torch.float32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batches = iter(order)

    def step() -> float:
        tokens = torch.from_numpy(rows.tokens[next(batches)]).long().to(device)
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        return float(loss.detach())

    return step, lambda: {"precision": "torch.float32", "compiled": False}


def speed(runs: list[Result]) -> float:
    """Slots a second of the best step of all runs."""
    return max(run["step_tokens"] / min(run["seconds"][UNTIMED:]) for run in runs)


def line(name: str, runs: list[Result]) -> str:
    """A line of the table."""
    seconds = sorted(second for run in runs for second in run["seconds"][UNTIMED:])
    median = runs[0]["step_tokens"] / seconds[len(seconds) // 2]
    first = min(run["seconds"][0] for run in runs)
    peak = max(run["memory"] for run in runs) / 1e9
    on_gpu = max(run["gpu_memory"] for run in runs) / 1e9
    return (
        f"{name:<6} {speed(runs):>12,.0f} {median:>12,.0f} {first:>12.1f} {peak:>10.2f} {on_gpu:>8.2f}  "
        f"{runs[0]['precision'].removeprefix('torch.')}{', compiled' if runs[0]['compiled'] else ''}"
    )


def misses(ours: list[Result], plain: list[Result]) -> list[str]:
    """The targets that are missed."""
    least = LEAST_TIMES_PLAIN[ours[0]["precision"]]
    times, memory = speed(ours) / speed(plain), max(run["memory"] + run["gpu_memory"] for run in ours)
    checks = [
        (times >= least, f"{times:.2f} times the plain loop, not {least}"),
        (memory < MOST_MEMORY, f"{memory / 1e9:.2f} GB of memory"),
        (difference(ours) <= (1e-2 if ours[0]["gpu_memory"] else 0), "unequal losses from equal seeds"),
    ]
    return [what for fine, what in checks if not fine]


def difference(runs: list[Result]) -> float:
    """The largest between the losses that the runs had in a step, in nats."""
    return max(max(losses) - min(losses) for losses in zip(*(run["losses"] for run in runs), strict=True))


def conditions(device: str) -> str:
    """Where and under what this was measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "transformers"))
    return (
        f"{time.strftime('%Y-%m-%d')}, {model}, {os.cpu_count()} cores, one used, load {os.getloadavg()[0]:.1f}; "
        f"{device}; Python {platform.python_version()}, {versions}; "
        f"{ROWS:,} rows of {CONTEXT:,}, vocabulary {VOCABULARY:,}, {TURNS} runs each of {UNTIMED} + {TIMED} steps"
    )


def main() -> None:
    """Measure, print, check."""
    parser = BenchmarkParser(__doc__)
    parser.add_check("when a target is missed")
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto: a GPU where there is one")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        contender, data = arguments.worker
        print(json.dumps(measure(contender, Path(data), arguments.device)))
        return
    runs: dict[str, list[Result]] = {"ours": [], "plain": []}
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder))
        for turn in range(1, TURNS + 1):
            for name, members in runs.items():
                members.append(measured(name, Path(folder), arguments.device))
                print(f"{name}, turn {turn} of {TURNS}: {speed(members[-1:]):,.0f} tokens/s", file=sys.stderr)
    ours, plain = runs["ours"], runs["plain"]
    print(conditions(ours[0]["device"]))
    print("tokens a second of the best and the median step, seconds of the first step, peak memory in GB\n")
    print(f"{'':<6} {'best':>12} {'median':>12} {'first, s':>12} {'GB':>10} {'GPU GB':>8}")
    print(f"{line('ours', ours)}\n{line('plain', plain)}\n")
    missed = misses(ours, plain)
    for miss in missed:
        print(f"MISSED {miss}")
    print(
        f"figures: ours {speed(ours):,.0f} tokens/s, plain {speed(plain):,.0f}, "
        f"{speed(ours) / speed(plain):.2f} times, peak {max(run['memory'] for run in ours) / 1e9:.2f} GB, "
        f"losses of equal seeds differ by {difference(ours):g}, targets missed {len(missed)}"
    )
    sys.exit(1 if arguments.check and missed else 0)


if __name__ == "__main__":
    main()
