"""What the harness itself costs at the size of real runs: the whole pipeline, with a model and tests that take no time.

    .venv/bin/python benchmarks/run_scale.py [--full] [--profile] [--check]

Sizes are instances x checkpoints x conditions x samples. The instances are commits of the standard library's source.
The server runs in a process of its own; tests end at once. Every size is run, then begun again twice: as it stands,
and with the server gone. ``--check`` needs equal tables each time, and CPU and memory within their targets.
"""

import cProfile
import hashlib
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from parts.arguments import BenchmarkParser
from parts.instant_run import instant_server, make_instances, run_document, without_docker

from harness.common.files import write_jsonl
from harness.config.schema import RunConfig
from harness.repo.python_syntax import WORKERS

SIZES = ((50, 2, 3, 4), (200, 3, 3, 10))
FULL = (500, 7, 3, 10)
Size = tuple[int, int, int, int]
PEAK_MIB = 1024.0
# of CPU, at most: seconds to start, whatever the size, and milliseconds for each candidate
FIRST_SECONDS, FIRST_MS = 5.0, 12.0
AGAIN_SECONDS, AGAIN_MS = 10.0, 0.476  # 60 s for 105,000


def measure(path: Path, profile: bool) -> dict[str, float]:
    """One run in this process: wall and CPU seconds, those of its worker processes, and peak memory."""
    from harness.pipeline.run import run_pipeline

    config = RunConfig.model_validate_json(path.read_bytes())
    profiler = cProfile.Profile()
    began = time.monotonic()
    if profile:
        profiler.enable()
    with without_docker():
        run_pipeline(config)
    profiler.disable()
    wall = time.monotonic() - began
    if profile:
        pstats.Stats(profiler, stream=sys.stderr).strip_dirs().sort_stats("tottime").print_stats(10)
    WORKERS.close()  # their CPU seconds count once they have ended
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall": wall,
        "cpu": own.ru_utime + own.ru_stime,
        "children_cpu": children.ru_utime + children.ru_stime,
        "peak_mib": own.ru_maxrss / 1024,
    }


def measured(path: Path, profile: bool) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--measure", str(path), *(["--profile"] if profile else [])]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=None if profile else subprocess.PIPE)
    if done.returncode:
        sys.exit((done.stderr or b"").decode()[-2000:] or "the run failed")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def tables(run: Path) -> str:
    """A hash of the tables of a run."""
    return hashlib.sha256(b"".join((run / name).read_bytes() for name in ("table.csv", "stages.csv"))).hexdigest()


def scale(size: Size, folder: Path, profile: bool) -> dict[str, Any]:
    """The figures of one size."""
    os.environ["HARNESS_CACHE"] = str(folder / "cache")
    write_jsonl(folder / "rows.jsonl", make_instances(folder / "cache", size[0]))
    path = folder / "run.json"
    with instant_server([f"m{n}" for n in range(size[1])]) as url:
        path.write_text(json.dumps(run_document(folder, url, size)))
        first = measured(path, profile)
        made = tables(folder / "run")
        again = measured(path, profile)
        equal = tables(folder / "run") == made
    alone = measured(path, profile=False)
    candidates = size[0] * size[1] * size[2] * size[3]
    journals = sum(file.stat().st_size for file in (folder / "run" / "journal").iterdir())
    return {
        "size": "x".join(map(str, size)),
        "candidates": candidates,
        **{name: round(value, 1) for name, value in first.items()},
        "cpu_ms_per_candidate": round(1000 * (first["cpu"] + first["children_cpu"]) / candidates, 2),
        "candidates_per_second": round(candidates / first["wall"], 1),
        "journal_mb": round(journals / 1e6, 1),
        "again_wall": round(again["wall"], 1),
        "again_cpu": round(again["cpu"] + again["children_cpu"], 1),
        "again_cpu_ms_per_candidate": round(1000 * (again["cpu"] + again["children_cpu"]) / candidates, 2),
        "again_peak_mib": round(again["peak_mib"], 1),
        "equal_tables": equal,
        "equal_tables_without_server": tables(folder / "run") == made,
        "without_server_wall": round(alone["wall"], 1),
    }


def missed(figures: dict[str, Any]) -> list[str]:
    """What of the figures is not as it should be."""
    thousands = figures["candidates"] / 1000
    wrong = ["peak_mib"] if figures["peak_mib"] > PEAK_MIB else []
    wrong += ["cpu"] if figures["cpu"] + figures["children_cpu"] > FIRST_SECONDS + FIRST_MS * thousands else []
    wrong += ["again_cpu"] if figures["again_cpu"] > AGAIN_SECONDS + AGAIN_MS * thousands else []
    return wrong + [name for name in ("equal_tables", "equal_tables_without_server") if not figures[name]]


def main() -> int:
    """Run every size and print its figures; 1 if one is missed and ``--check`` given."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--full", action="store_true", help=f"run {'x'.join(map(str, FULL))} as well")
    parser.add_argument("--only", metavar="SIZE", help="run this size alone, such as 50x2x3x4")
    parser.add_argument("--profile", action="store_true", help="print the ten functions that take most, to stderr")
    parser.add_argument("--measure", metavar="FILE", type=Path, help="run this file here: used by the benchmark itself")
    parser.add_check("when tables differ, or CPU or memory exceed their targets")
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.profile)))
        return 0
    sizes = (*SIZES, *([FULL] if given.full else []))
    if given.only:
        instances, checkpoints, conditions, samples = map(int, given.only.split("x"))
        sizes = ((instances, checkpoints, conditions, samples),)
    wrong = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            figures = scale(size, Path(folder), given.profile)
        print(json.dumps(figures), flush=True)
        wrong += missed(figures)
    return 1 if given.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
