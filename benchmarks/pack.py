"""Packing speed beside the peers: python benchmarks/pack.py [--check] [--only-ours].

Lognormal document lengths (median 1,500, sigma 1.25, cap 2^20 tokens); every packer alone in a process on one
core, CPU seconds, best of its repeats. `ours` takes lengths of any size and gives the whole packing, in the
order of the sequences; the peers' times leave out what they do beside assigning documents to sequences. The
peers are installed into .cache/ where they can't be imported; one that can't be installed is named and left out.
OLMo-core's packer, which keeps Python objects for every token of room, packs up to 10^6 documents. The last lines are
a run over 10^8 documents with memory-mapped lengths, and what it says about 10^9. With --check the exit status is 1
when a target is missed.
"""

import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from parts.arguments import BenchmarkParser
from parts.pack_worker import CAP, MEDIAN, SEED, SIGMA, draw_lengths

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".cache" / "benchmark-peers"
WORKER = ROOT / "benchmarks" / "parts" / "pack_worker.py"
REQUIREMENTS = ("trl==1.16.0", "lightbinpack==0.1.1")  # the extra `bench`
OTHERS = {
    "olmo": ("ai2-olmo-core==3.0.0", "dataclass-extensions==0.5.0"),
    "seqpacker": ("seqpacker==0.1.3",),
}
MOST_OLMO = 10**6  # documents
CONTEXTS = (8_192, 32_768, 262_144)
COUNTS = (10**5, 10**6, 10**7)
HUNDRED_MILLION, BILLION = 10**8, 10**9
LIGHTBINPACK = ("lightbinpack-bfd", "lightbinpack-obfd", "lightbinpack-ogbfd")  # the fastest of them counts
COLUMNS = ("seconds", "stream", "concat", "index", "C++", "TRL", "OLMo", "Rust")
COLUMNS += ("x concat", "x C++", "x TRL", "x OLMo", "x Rust", "B/doc", "over", "pad %")

MOST_SECONDS = {10**6: 0.03, 10**7: 0.7}
LEAST_TIMES_CPP, LEAST_TIMES_TRL, MOST_TIMES_CONCAT, MOST_BYTES = 8.0, 300.0, 8.0, 100.0
LEAST_TIMES = {"olmo": 100.0, "seqpacker": 1.0}
MOST_GROWTH = 1.25  # exponent of time over documents, 10^6 to 10^7: 1 is linear, and the caches end in between

PEERS_SHOWN = ("lightbinpack", "trl", "olmo", "seqpacker")

Result = dict[str, float]


def install_peers() -> None:
    """Put the peers into a folder of their own, without what they depend on: that is here already."""
    if all(importlib.util.find_spec(name) for name in ("trl", "lightbinpack")):
        return
    marker = PEERS / "installed"
    if not marker.is_file() or marker.read_text() != " ".join(REQUIREMENTS):
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(PEERS), *REQUIREMENTS]
        subprocess.run([*command, "--upgrade"], check=True)
        marker.write_text(" ".join(REQUIREMENTS))


def install_others() -> list[str]:
    """Put the other peers into folders of their own; those that are there. Says which can't be installed, and why."""
    there = []
    for name, requirements in OTHERS.items():
        folder = PEERS / name
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), *requirements]
        if not folder.is_dir():
            ended = subprocess.run(command, capture_output=True, text=True)
            if ended.returncode:
                shutil.rmtree(folder, ignore_errors=True)
                failed = [line.strip() for line in ended.stderr.splitlines() if "failed to" in line]
                reason = failed[0] if failed else "pip does not say why"
                print(f"left out: {requirements[0]} can't be installed here ({reason})")
                continue
        there.append(name)
    return there


def measured(packer: str, count: int, context: int, file: str | None = None) -> Result:
    """One measurement in a process of its own; see `pack_worker.measure`."""
    places = [ROOT, PEERS, *(PEERS / name for name in OTHERS)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "PYTHONPATH": ":".join(map(str, places)), "HF_HUB_OFFLINE": "1"}
    worker = [sys.executable, str(WORKER), packer, str(count), str(context)]
    ended = subprocess.run([*worker, *([file] if file else [])], env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{packer}, {count} documents, context {context}: {ended.stderr.strip().splitlines()[-1:]}")
    result: Result = json.loads(ended.stdout.splitlines()[-1])
    return result


def compare(count: int, context: int, peers: list[str] | None) -> dict[str, Result]:
    """Every packer on the same lengths; ``peers`` are those beside TRL and LightBinPack, None for no peer at all."""
    packers = ["best-fit", "best-fit-stream", "concat", "sample-index"]
    results = {packer: measured(packer, count, context) for packer in packers}
    if peers is not None:
        kinds = [measured(name, count, context) for name in LIGHTBINPACK]
        results["lightbinpack"] = min(kinds, key=lambda result: result["seconds"])
        results["trl"] = measured("trl", count, context)
        for name in peers:
            if name != "olmo" or count <= MOST_OLMO:
                results[name] = measured(name, count, context)
    return results


def row(count: int, context: int, results: dict[str, Result]) -> str:
    """A line of the table."""
    seconds = {name: result["seconds"] for name, result in results.items()}
    ours = results["best-fit"]
    times = [
        f"{seconds[name]:.4g}" if name in seconds else "-"
        for name in ("best-fit", "best-fit-stream", "concat", "sample-index", *PEERS_SHOWN)
    ]
    ratios = [f"{seconds['best-fit'] / seconds['concat']:.1f}"] + [
        f"{seconds[name] / seconds['best-fit']:.0f}" if name in seconds else "-" for name in PEERS_SHOWN
    ]
    over = "/".join(
        f"{results[name]['sequences'] - results[name]['bound']:.0f}"
        for name in ("best-fit", "best-fit-stream", *PEERS_SHOWN)
        if name in results
    )
    padding = f"{100 * ours['padding']:.4f}"
    cells = [*times, *ratios, f"{ours['bytes'] / count:.0f}", over, padding]
    return f"{count:>11,} {context:>8,} " + " ".join(f"{cell:>9}" for cell in cells)


def misses(count: int, context: int, results: dict[str, Result]) -> list[str]:
    """The targets that one line of the table misses."""
    ours = results["best-fit"]
    seconds = ours["seconds"]
    checks = [
        (seconds <= MOST_SECONDS.get(count, math.inf), f"{seconds:.3g} s"),
        (seconds <= MOST_TIMES_CONCAT * results["concat"]["seconds"], "times concat"),
        (ours["bytes"] <= MOST_BYTES * count, f"{ours['bytes'] / count:.0f} bytes a document"),
    ]
    others = [name for name in OTHERS if name in results]
    checks += [(ours["sequences"] <= results[name]["sequences"], f"more sequences than {name}") for name in others]
    checks += [(results[name]["seconds"] >= LEAST_TIMES[name] * seconds, f"times {name}") for name in others]
    if "trl" in results:
        peer, trl = results["lightbinpack"], results["trl"]
        checks += [
            (peer["seconds"] >= LEAST_TIMES_CPP * seconds, "times C++"),
            (trl["seconds"] >= LEAST_TIMES_TRL * seconds, "times TRL"),
            (ours["sequences"] <= min(peer["sequences"], trl["sequences"]), "more sequences than a peer"),
        ]
    return [f"{count:,} documents, context {context:,}: {what}" for fine, what in checks if not fine]


def growth(table: dict[tuple[int, int], dict[str, Result]], context: int) -> float:
    """Exponent of time over documents, from 10^6 to 10^7."""
    low, high = (table[count, context]["best-fit"]["seconds"] for count in COUNTS[1:])
    return math.log10(high / low)


def measure_hundred_million() -> Result:
    """Best-fit decreasing over 10^8 documents whose lengths are mapped from a file (int32)."""
    import numpy as np

    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        file = Path(folder) / "lengths.npy"
        lengths = np.lib.format.open_memmap(file, "w+", np.int32, (HUNDRED_MILLION,))
        for part in range(10):
            step = HUNDRED_MILLION // 10
            lengths[part * step : (part + 1) * step] = draw_lengths(step, SEED + part)
        lengths.flush()
        del lengths
        return measured("best-fit", HUNDRED_MILLION, CONTEXTS[-1], str(file))


def conditions() -> str:
    """Where and under what this was measured."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numba", "numpy", "pyarrow"))
    return (
        f"{time.strftime('%Y-%m-%d')}, {model}, {os.cpu_count()} cores, one used, load {os.getloadavg()[0]:.1f}; "
        f"Python {platform.python_version()}, {versions}, {', '.join(REQUIREMENTS)}; "
        f"lognormal median {MEDIAN}, sigma {SIGMA}, cap {CAP}, seed {SEED}"
    )


def main() -> None:
    """Measure, print, check."""
    parser = BenchmarkParser(__doc__)
    parser.add_check("when a target is missed")
    parser.add_argument("--only-ours", action="store_true", help="leave the peers out")
    arguments = parser.parse_args()
    peers = None
    if not arguments.only_ours:
        install_peers()
        peers = install_others()
    print(conditions())
    print(
        "CPU seconds of best-fit decreasing, in stream order, concat-then-split, Megatron's bare sample index, peers;"
    )
    print("sequences over the bound: best-fit/stream/C++/TRL/OLMo/Rust\n")
    print(f"{'documents':>11} {'context':>8} " + " ".join(f"{name:>9}" for name in COLUMNS))
    table: dict[tuple[int, int], dict[str, Result]] = {}
    missed: list[str] = []
    for count in COUNTS:
        for context in CONTEXTS:
            table[count, context] = compare(count, context, peers)
            print(row(count, context, table[count, context]), flush=True)
            missed += misses(count, context, table[count, context])
    exponents = [growth(table, context) for context in CONTEXTS]
    missed += [f"growth: documents^{exponent:.2f}" for exponent in exponents if exponent > MOST_GROWTH]
    large = measure_hundred_million()
    each = large["bytes"] / HUNDRED_MILLION
    if each > MOST_BYTES:
        missed.append(f"{HUNDRED_MILLION:,} documents: {each:.0f} bytes a document")
    factor = BILLION / HUNDRED_MILLION
    print(
        f"\n{HUNDRED_MILLION:,} documents, mapped, context {CONTEXTS[-1]:,}: {large['seconds']:.2f} s, "
        f"{each:.0f} bytes a document, {large['sequences'] - large['bound']:.0f} sequences over the bound (measured)\n"
        f"{BILLION:,} documents: {factor * large['seconds']:.0f} s, {factor * large['bytes'] / 2**30:.0f} GiB "
        "(EXTRAPOLATED tenfold from the line above, not measured)"
    )
    for miss in missed:
        print(f"MISSED {miss}")
    million, ten_million = (max(table[n, c]["best-fit"]["seconds"] for c in CONTEXTS) for n in COUNTS[1:])
    print(
        f"figures: 1e6 {million:.4f} s, 1e7 {ten_million:.3f} s, growth exponent {max(exponents):.2f}, "
        f"1e8 {large['seconds']:.2f} s at {each:.0f} B/doc, targets missed {len(missed)}"
    )
    sys.exit(1 if arguments.check and missed else 0)


if __name__ == "__main__":
    main()
