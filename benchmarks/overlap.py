"""Whether models and containers work at the same time: python benchmarks/overlap.py [--check].

The same work three ways: the models first and then the containers; both in one run; and this with the next server
loading ahead (`serving.ahead: 1`). HARNESS_SWEBENCH_ROWS or --rows names the rows; the images of enough instances must
be built (`harness images build`). Each checkpoint is served by real vLLM.

The time of the containers has to depend on the answers, and random weights answer nothing that can be tested. So the
checkpoints are trained before, in a minute or two, until each one repeats the gold patches of these instances, with a
file of its own beside them: every attempt has a patch that no other has, and is tested. The instances are those with
the shortest questions and answers, which are learnt soonest; questions show an issue's first line alone.

There is no switch for doing one after the other: the models alone are the run with containers that take no time, and
the containers alone are `harness evaluate` with its predictions. vLLM has one core, and one container runs at a time on
another, as if the models had a device of their own: parts that want the same core save nothing by overlapping. The
harness and loading servers come on top. Start it while the machine does nothing else: its load is printed before.

With --check the exit status is 1 if an overlapped run takes longer than 1.1 times the longer part and one server's
start, or if fewer than nine in ten attempts have a patch. `least` in the figures is what the machine's cores need for
both parts with none of them ever idle: where that is about as long, no order of the work meets the target.
"""

import json
import os
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from parts.arguments import BenchmarkParser
from parts.gold_answers import rebuilt_rows
from parts.instant_run import without_docker
from parts.overfitted import CONTEXT_LINES, TITLES, document, gold_turn, write_checkpoints

from harness.common.docker_client import connect
from harness.common.journal import Journal
from harness.common.run_folder import journal_path
from harness.config.schema import RunConfig
from harness.images.inventory import list_images
from harness.model.server_times import SERVERS
from lab.corpus.oracle import Turn

CONDITION = "gt-location"
SLACK = 1.1  # times the longer part
PATCHES = 0.9  # of the attempts, at least
SERVER = ("--enforce-eager", "--kv-cache-memory-bytes=256M")
ONE_CORE = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1"}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Took:
    """Something done: its seconds, and how many of the machine's cores were busy meanwhile."""

    seconds: float
    cores: float


def chosen(given: Namespace) -> dict[str, Turn]:
    """The instances that are built here and whose questions and answers are shortest, with these, by their ids."""
    client = connect()
    built = {image.instance_id for image in list_images(client)}
    client.close()
    found = {}
    for instance, snapshot in rebuilt_rows(str(given.rows)):
        if instance.instance_id in built:
            try:
                found[instance.instance_id] = gold_turn(instance, snapshot)
            except ValueError:
                continue  # its gold patch can't be an answer under this condition
    if len(found) < given.instances:
        sys.exit(f"overlap.py: {len(found)} instances are built and can be asked about; build {given.instances}")
    shortest = sorted(found, key=lambda instance_id: len(document(found[instance_id], "")))
    return {instance_id: found[instance_id] for instance_id in shortest[: given.instances]}


def run_document(
    given: Namespace, folder: Path, ids: Sequence[str], names: Sequence[str], ahead: int
) -> dict[str, Any]:
    """A run file, without its output."""
    repair = {"max_tokens": given.tokens, "temperature": 0.8}
    return {
        "dataset": {"path": str(given.rows.resolve()), "instances": list(ids)},
        "checkpoints": [{"name": name, "path": str(folder / name)} for name in names],
        "conditions": [CONDITION],
        "prompts": str(TITLES),
        "sampling": {
            "samples": given.samples, "greedy": True, "concurrency": given.concurrency,
            "context_lines": CONTEXT_LINES, "repair": repair,
        },
        "serving": {"args": list(SERVER), "ahead": ahead},
        "evaluation": {"workers": 1, "timeout": 900, "memory": 2048, "control": given.control},
    }  # fmt: skip


def write_run(path: Path, document_: dict[str, Any]) -> Path:
    """Write a run file, whose output lies beside it under its name."""
    path.write_text(json.dumps(document_ | {"output": str(path.with_suffix(""))}))
    return path


def timed(*command: object) -> Took:
    """Run a command to its end. Exits with what it printed if it fails."""
    began, busy = time.monotonic(), busy_seconds()
    done = subprocess.run(
        [sys.executable, *map(str, command)], env={**os.environ, **ONE_CORE}, check=False, capture_output=True,
        text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: {(done.stdout + done.stderr)[-2000:]}")
    seconds = time.monotonic() - began
    return Took(seconds, (busy_seconds() - busy) / seconds)


def busy_seconds() -> float:
    """Seconds that all cores worked by now, whoever for."""
    user, nice, system, _idle, _waiting, *others = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:8])
    return (user + nice + system + sum(others)) / TICKS


def start_seconds(run: Path) -> float:
    """The mean time in which a run's servers started."""
    with Journal(journal_path(run, SERVERS)) as journal:
        return fmean(record["start_seconds"] for record in journal.records())


def predictions(run: Path, names: Sequence[str]) -> list[str]:
    """The lines of all predictions of a run that have a patch."""
    places = [run / "checkpoints" / name / CONDITION / "predictions.jsonl" for name in names]
    return [line for place in places for line in place.read_text().splitlines() if json.loads(line)["model_patch"]]


def resolved(run: Path, names: Sequence[str]) -> int:
    """How many attempts of a run resolved."""
    reports = [json.loads((run / "checkpoints" / name / CONDITION / "report.json").read_text()) for name in names]
    return sum(report["resolved_instances"] for report in reports)


def in_sequence(given: Namespace, run_file: Path, ids: Sequence[str], names: Sequence[str]) -> tuple[Took, Took]:
    """The models alone, and then the containers alone."""
    models, run = timed(__file__, "--models-alone", run_file), run_file.with_suffix("")
    patches = run.with_suffix(".predictions.jsonl")
    patches.write_text("".join(f"{line}\n" for line in predictions(run, names)))
    containers = timed(
        "-m", "harness.cli", "evaluate", "--dataset", given.rows.resolve(), "--instances", ",".join(ids),
        "--predictions", patches, "--output", run.with_suffix(".evaluated"), "--workers", 1, "--timeout", 900,
        "evaluation.memory=2048", f"evaluation.control={str(given.control).lower()}",
    )  # fmt: skip
    return models, containers


def compare(given: Namespace, folder: Path) -> list[str]:
    """Measure all three ways and print them; what is missed."""
    turns, names = chosen(given), [f"c{number}" for number in range(given.checkpoints)]
    ids, attempts = list(turns), len(turns) * given.checkpoints
    losses = ", ".join(f"{loss:.4f}" for loss in write_checkpoints(folder, list(turns.values()), names))
    print(f"instances: {' '.join(ids)}\ntrained to {losses} nats; load: {os.getloadavg()[0]:.1f}", flush=True)
    print("| way | seconds | of the models | of the containers | start | resolved | cores busy |")
    print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
    alone = write_run(folder / "alone.json", run_document(given, folder, ids, names, 0))
    models, containers = in_sequence(given, alone, ids, names)
    start, patches = start_seconds(folder / "alone"), len(predictions(folder / "alone", names))
    parts = f"{models.seconds:.0f} | {containers.seconds:.0f} | {start:.0f}"
    cores = f"{models.cores:.1f}, {containers.cores:.1f}"
    print(f"| in sequence | {models.seconds + containers.seconds:.0f} | {parts} | | {cores} |", flush=True)
    most, missed = SLACK * max(models.seconds, containers.seconds) + start, []
    for way, ahead in (("overlapped", 0), ("overlapped, next server ahead", 1)):
        run_file = write_run(folder / f"ahead-{ahead}.json", run_document(given, folder, ids, names, ahead))
        took, run = timed("-m", "harness.cli", "run", run_file), run_file.with_suffix("")
        print(
            f"| {way} | {took.seconds:.0f} | | | {start_seconds(run):.0f} | {resolved(run, names)} | {took.cores:.1f} |"
        )
        missed += [f"{way}: {took.seconds:.0f} s, at most {most:.0f}"] if took.seconds > most else []
    least = sum(part.seconds * part.cores for part in (models, containers)) / (os.cpu_count() or 1)
    print(f"figures: attempts={attempts} patches={patches} most={most:.0f} least={least:.0f} missed={len(missed)}")
    return missed + ([f"{patches} of {attempts} attempts have a patch"] if patches < PATCHES * attempts else [])


def main() -> None:
    """Print the table and what is missed."""
    parser = BenchmarkParser(__doc__)
    parser.add_rows("rows whose images are built here")
    parser.add_argument("--instances", type=int, default=24, help="how many instances")
    parser.add_argument("--checkpoints", type=int, default=3, help="how many checkpoints are trained and served")
    parser.add_argument("--samples", type=int, default=8, help="answers to each question, the first one greedy")
    parser.add_argument("--concurrency", type=int, default=8, help="questions at a time")
    parser.add_argument("--tokens", type=int, default=640, help="most tokens of an answer")
    parser.add_argument("--control", action="store_true", help="test what resolved again, as a run does by default")
    parser.add_argument("--models-alone", metavar="FILE", type=Path, help="run this file here: used by the benchmark")
    parser.add_check("if an overlapped run takes too long, or too few attempts have a patch")
    given = parser.parse_args()
    if given.models_alone:
        from harness.pipeline.run import run_pipeline

        with without_docker():
            run_pipeline(RunConfig.model_validate_json(given.models_alone.read_bytes()))
        return
    with TemporaryDirectory() as name:
        missed = compare(given, Path(name))
    for line in missed:
        print(f"missed: {line}")
    sys.exit(bool(given.check and missed))


if __name__ == "__main__":
    main()
