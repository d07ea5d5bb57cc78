"""How busy a run keeps a server of 1,024 slots whose answers take 10 to 50 seconds.

    .venv/bin/python benchmarks/occupancy.py [--scale SHARE] [--profile] [--check]

Runs of 500 instances with 4 and with 10 samples. The server, in a process of its own, is a stand-in; tests take no
time. Answer times are scaled down so that each run takes at most about four minutes: with less time for each answer,
the harness has more answers to deal with in a second. The first and the last minute, in which a run fills and empties
the slots, are not counted; they are scaled likewise.
"""

import asyncio
import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from parts.arguments import BenchmarkParser
from parts.busy import Span, busy_share, least_busy_share
from parts.instant_run import make_instances, run_document, without_docker

from harness.common.files import write_jsonl
from harness.config.schema import RunConfig
from harness.repo.python_syntax import WORKERS

SERVER = Path(__file__).with_name("parts") / "slotted_server.py"
SAMPLES = (4, 10)
LEAST, MOST, EDGE = 10.0, 50.0, 60.0  # seconds: of an answer, and of a run's beginning and end
STRETCH = 5.0  # seconds, of the least busy stretch
LOOK = 0.01  # seconds between two looks at the event loop
BUSY = 0.9  # of the slots
AT_MOST = {"lag_p99_ms": 100.0, "first_request_seconds": 15.0}


@dataclass
class Server:
    """A stand-in under way."""

    url: str
    busy: list[Span] = field(default_factory=list)  # of each answer, once the server has ended


@contextmanager
def slotted_server(slots: int, scale: float) -> Iterator[Server]:
    """A stand-in in a process of its own."""
    command = [sys.executable, str(SERVER), str(slots), str(LEAST * scale), str(MOST * scale), "m0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        server = Server(f"http://127.0.0.1:{int(process.stdout.readline())}/v1")
        try:
            yield server
        finally:
            process.stdin.close()
            server.busy = [(since, to) for since, to in json.loads(process.stdout.readline() or "[]")]


async def lagging(work: Coroutine[Any, Any, Any], lags: list[float]) -> Any:
    """What ``work`` returns; meanwhile ``lags`` gets how many seconds late the event loop is at each look."""

    async def look() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(LOOK)
            lags.append(time.monotonic() - began - LOOK)

    looking = asyncio.create_task(look())
    try:
        return await work
    finally:
        looking.cancel()


def measure(path: Path, profile: bool) -> dict[str, float]:
    """One run in this process: the lag of its event loop, its CPU seconds, and its memory."""
    from harness.pipeline import run

    config, lags, run_async = RunConfig.model_validate_json(path.read_bytes()), list[float](), run.run_async
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    with without_docker(), patch.object(run, "run_async", lambda work: run_async(lagging(work, lags))):
        run.run_pipeline(config)
    profiler.disable()
    if profile:
        pstats.Stats(profiler, stream=sys.stderr).strip_dirs().sort_stats("tottime").print_stats(25)
    WORKERS.close()  # their CPU seconds count once they have ended
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "lag_p99_ms": 1000 * quantile(lags, 0.99),
        "lag_most_ms": 1000 * max(lags),
        "cpu": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "peak_mib": own.ru_maxrss / 1024,
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def occupancy(instances: int, samples: int, slots: int, scale: float, profile: bool) -> dict[str, Any]:
    """The figures of one run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["HARNESS_CACHE"] = str(folder / "cache")
        write_jsonl(folder / "rows.jsonl", make_instances(folder / "cache", instances))
        with slotted_server(slots, scale) as server:
            document = run_document(folder, server.url, (instances, 1, 3, samples))
            document["sampling"]["concurrency"] = slots
            (folder / "run.json").write_text(json.dumps(document))
            command = [sys.executable, __file__, "--measure", str(folder / "run.json")]
            began = time.monotonic()
            done = subprocess.run([*command, *(["--profile"] if profile else [])], check=True, stdout=subprocess.PIPE)
            wall = time.monotonic() - began
    found = json.loads(done.stdout.splitlines()[-1])
    return {"samples": samples, "wall": wall, **described(server.busy, slots, scale, began), **found}


def described(busy: Sequence[Span], slots: int, scale: float, began: float) -> dict[str, float]:
    """What the server saw of a run that began then."""
    first, last = min(since for since, _ in busy), max(to for _, to in busy)
    window = (first + EDGE * scale, last - EDGE * scale)
    if window[0] >= window[1]:
        sys.exit("occupancy.py: the run is too short to have anything between its first minute and its last")
    return {
        "answers": len(busy),
        "busy": busy_share(busy, slots, window),
        "least_busy": least_busy_share(busy, slots, window, STRETCH * scale),
        "first_request_seconds": first - began,
    }


def missed(figures: dict[str, Any]) -> list[str]:
    """What of the figures is not as it should be."""
    return (["busy"] if figures["busy"] < BUSY else []) + [n for n, most in AT_MOST.items() if figures[n] > most]


def main() -> int:
    """Measure with each number of samples and print the figures; 1 if one is missed and ``--check`` given."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=SAMPLES, help="one run with each")
    parser.add_argument("--instances", type=int, default=500, help="how many each run has")
    parser.add_argument("--slots", type=int, default=1024, help="answers that the server works on at a time")
    parser.add_argument(
        "--scale",
        type=float,
        default=0.6,
        help="share of 10 to 50 s that an answer takes; at 1, a run with 10 samples takes about six minutes",
    )
    parser.add_argument("--profile", action="store_true", help="print the functions that take most, to stderr")
    parser.add_argument("--measure", metavar="FILE", type=Path, help="run this file here: used by the benchmark itself")
    parser.add_check("when the slots are idle, the event loop lags, or the first request comes late")
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.measure, given.profile)))
        return 0
    wrong = []
    for samples in given.samples:
        figures = occupancy(given.instances, samples, given.slots, given.scale, given.profile)
        print(json.dumps({n: round(v, 3) if isinstance(v, float) else v for n, v in figures.items()}), flush=True)
        wrong += missed(figures)
    return 1 if given.check and wrong else 0


if __name__ == "__main__":
    sys.exit(main())
