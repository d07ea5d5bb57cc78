"""Runs killed with SIGKILL at random moments: python benchmarks/faults.py [--check].

Miniature instances, two of the shipped checkpoints behind real vLLM servers, real containers. One run is left alone.
Others are started, killed at a random moment and started again, until there were as many kills as asked for; each is
then let finish. Compared with the run that was left alone, one that was killed must have the same tables and patches;
no key may stand in a journal twice, or be missing; no container, server process, shared memory or temporary file of a
server may be left. Start it while nothing else on the machine serves a model.

With --check the exit status is 1 when that does not hold. Questions go one at a time, since a server's greedy answers
depend on what else it answers.
"""

import csv
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import NamedTuple

import yaml
from parts.arguments import BenchmarkParser

from harness.build.build_instances import build_instances
from harness.common.docker_client import RUN_LABEL, connect
from harness.common.run_folder import journal_path, run_label
from harness.compare.frames import json_lines
from harness.miniature.generate import generate

CHECKPOINTS = ("concat-then-split", "best-fit+drop")
SHIPPED = Path(__file__).parents[1] / "checkpoints"
TIMES = "seconds"  # ends the names of columns that measure the machine
TIME_LIMIT = 900  # seconds for one run


class Found(NamedTuple):
    """What a finished run says, without what measures the machine."""

    table: list[dict[str, str]]
    stages: str
    predictions: dict[str, str]
    answers: list[str]
    evaluations: list[str]


def write_run_file(folder: Path, instances: int) -> Path:
    """Build the instances; the run file over them, without its output."""
    made = generate(folder / "rows", seed=0, count=instances)
    rows = folder / "rows.jsonl"
    build_instances(str(made.rows), recipes=made.recipes, rows=rows)
    document = {
        "dataset": {"path": str(rows)},
        "checkpoints": [{"name": name, "path": str(SHIPPED / name)} for name in CHECKPOINTS],
        "references": ["gold", "empty"],
        "prompts": "compact",
        "sampling": {"samples": 2, "greedy": True, "concurrency": 1, "repair": {"max_tokens": 128}},
        "serving": {"args": ["--enforce-eager", "--kv-cache-memory-bytes=64M"], "ahead": 1},
        "evaluation": {"timeout": 120, "memory": 512},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def start(run_file: Path, output: Path) -> subprocess.Popen[str]:
    """A run of its own process, which prints into a pipe."""
    command = [sys.executable, "-m", "harness.cli", "run", str(run_file), f"output={output}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(run_file: Path, output: Path) -> Found:
    """Let a run finish; what it found. Raises RuntimeError if it ends with a status that is not 0."""
    process = start(run_file, output)
    printed, _ = process.communicate(timeout=TIME_LIMIT)
    _require_success(process, output, printed)
    return read_found(output)


def _require_success(process: subprocess.Popen[str], output: Path, printed: str) -> None:
    if process.returncode:
        raise RuntimeError(f"{output}: exit status {process.returncode}: {printed[-1000:]}")


def finished_before(run_file: Path, output: Path, moment: float) -> bool:
    """Start a run and kill it after ``moment`` seconds; whether it was finished before."""
    process = start(run_file, output)
    try:
        printed, _ = process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return False
    _require_success(process, output, printed)
    return True


def read_found(output: Path) -> Found:
    """What the folder of a finished run says."""
    with (output / "table.csv").open() as table:
        rows = [{k: v for k, v in row.items() if not k.endswith(TIMES)} for row in csv.DictReader(table)]
    predictions = {
        str(path.relative_to(output)): path.read_text() for path in sorted(output.rglob("predictions.jsonl"))
    }
    return Found(
        rows, (output / "stages.csv").read_text(), predictions, list(_keys(output, "answers")),
        list(_keys(output, "evaluations")),
    )  # fmt: skip


def _keys(output: Path, journal: str) -> Iterator[str]:
    for record in json_lines(journal_path(output, journal)):
        if record.get("kind") != "prompt":
            yield record["key"]


def differences(found: Found, wanted: Found) -> list[str]:
    """In what a run that was killed differs from the one that was left alone."""
    problems = [f"another {name}" for name in ("table", "stages", "predictions")
                if getattr(found, name) != getattr(wanted, name)]  # fmt: skip
    for name in ("answers", "evaluations"):
        keys, due = getattr(found, name), getattr(wanted, name)
        if len(keys) != len(set(keys)):
            problems.append(f"{len(keys) - len(set(keys))} {name} recorded twice")
        if set(keys) != set(due):
            problems.append(f"{len(set(due) - set(keys))} {name} missing, {len(set(keys) - set(due))} more than due")
    return problems


def left_behind(outputs: list[Path], files: set[Path]) -> list[str]:
    """Containers, server processes and their files that are still there."""
    client, problems = connect(), []
    for output in outputs:
        label = f"{RUN_LABEL}={run_label(output)}"
        if found := client.containers.list(all=True, filters={"label": label}, ignore_removed=True):
            problems.append(f"{output.name}: {len(found)} containers left")
    client.close()
    if found := running_servers():
        problems.append(f"{len(found)} processes left: {found[0][:80]}")
    if found := server_files() - files:
        problems.append(f"{len(found)} files of servers left: {min(found)}")
    return problems


def running_servers() -> list[str]:
    """Processes of servers; not those that have ended and that init has not taken note of yet."""
    listed = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout.splitlines()
    living = [line for line in listed if not line.startswith("Z")]
    return [line for line in living if "VLLM::" in line or (str(SHIPPED) in line and "vllm" in line)]


def server_files() -> set[Path]:
    """Shared memory between a server's processes, and what it has in the folder of temporary files."""
    return {*Path("/dev/shm").glob("psm_*"), *Path(gettempdir()).glob("vllm*")}


def main() -> None:
    """Print every kill's moment and what must not be."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--kills", type=int, default=50, help="runs that are killed")
    parser.add_argument("--instances", type=int, default=6, help="miniature instances")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_check("when a killed run ends otherwise, or leaves something behind")
    given = parser.parse_args()
    chance, files = random.Random(given.seed), server_files()
    with TemporaryDirectory() as name:
        folder = Path(name)
        run_file, started = write_run_file(folder, given.instances), time.monotonic()
        wanted = finish(run_file, folder / "alone")
        whole = time.monotonic() - started
        print(f"left alone: {whole:.0f} s, {len(wanted.answers)} answers, {len(wanted.evaluations)} evaluations")
        outputs, moments = killed_runs(run_file, folder, chance, whole, given.kills)
        problems = [f"{output.name}: {problem}" for output in outputs
                    for problem in differences(finish(run_file, output), wanted)]  # fmt: skip
        print(f"finished: {time.monotonic() - started:.0f} s in all, the first run included")
        problems += left_behind(outputs, files)
    for problem in problems:
        print(f"must not be: {problem}")
    print(f"figures: kills={len(moments)} runs={len(outputs)} must_not_be={len(problems)}")
    sys.exit(bool(given.check and problems))


def killed_runs(
    run_file: Path, folder: Path, chance: random.Random, whole: float, kills: int
) -> tuple[list[Path], list[float]]:
    """Kill runs at random moments, each until it finishes between two kills; their folders, and the moments."""
    outputs, moments = [folder / "killed-0"], list[float]()
    while len(moments) < kills:
        moment = chance.uniform(0, whole)
        if finished_before(run_file, outputs[-1], moment):
            outputs.append(folder / f"killed-{len(outputs)}")
        else:
            moments.append(moment)
            print(f"{outputs[-1].name}: killed after {moment:.1f} s", flush=True)
    return outputs, moments


if __name__ == "__main__":
    main()
