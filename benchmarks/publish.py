"""All that is done with a finished run, and what it costs: python benchmarks/publish.py [--real] [--check].

Every command that makes results known is run over one results folder, as a process of its own: the tables in each
form, a comparison of all checkpoints, the gate, the page, the data frames and the exports that need no other package.
The table has the wall time, the CPU time and the peak memory of each, and the size of what it wrote.

The folder is a synthetic run at full size (500 instances, 7 checkpoints, 3 conditions, 10 candidates each). With
--real it is a run through real vLLM and real containers instead, of instances whose images are built here
(HARNESS_SWEBENCH_ROWS or --rows names the rows): one checkpoint is trained until it repeats the gold patches of all
instances, a second one those of two in three, and the third is the pretrained model of `scripts/real_model.py`.

With --check the exit status is 1 when a command ends in another way than it must, or when the difference of the
comparison, the gate and the data frames is not one and the same.
"""

import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from parts.arguments import ROWS_VARIABLE, BenchmarkParser, rows_file
from parts.synthetic_run import write_synthetic_run

from harness.common.paths import cache_folder

CLI = ("-m", "harness.cli")
REQUIRED = "resolve_rate >= -5pp @ 95%"
FRAMES = """
import sys, harness
attempts = harness.load_results(sys.argv[1]).attempts
print(attempts.groupby("checkpoint")["resolved"].mean().to_json(double_precision=15))
"""
KINDS = {"experiments": (), "hub": ("--dataset", "SWE-bench/SWE-bench_Lite")}
LOG_BYTES = 50_000_000
REAL_MODEL = Path(__file__).parents[1] / "scripts" / "real_model.py"
REAL_INSTANCES = 24
MEASURED = Path(__file__).with_name("parts") / "measured.py"


class Cost(NamedTuple):
    """What a command took and said."""

    seconds: float
    cpu: float  # seconds
    peak: float  # MiB
    status: int
    said: str
    warned: str  # on stderr


def run(*command: object) -> Cost:
    """Run a Python command to its end."""
    with TemporaryDirectory() as name:
        report = Path(name, "report.json")
        done = subprocess.run(
            [sys.executable, "-S", str(MEASURED), str(report), sys.executable, *map(str, command)],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        return Cost(**json.loads(report.read_text()), said=done.stdout, warned=done.stderr)


def size(folder: Path) -> float:
    """Megabytes that lie below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def real_run(given: Namespace, folder: Path) -> tuple[Path, list[str]]:
    """A run of real instances: its folder, and its checkpoints, of which the second is the worse one."""
    from overlap import SERVER, chosen
    from parts.overfitted import CONTEXT_LINES, TITLES, write_checkpoints

    turns = chosen(given)
    kept = list(turns.values())[: len(turns) * 2 // 3]
    for name, learnt in (("learnt-all", list(turns.values())), ("learnt-some", kept)):
        (folder / f"{name}-training").mkdir()
        losses = write_checkpoints(folder / f"{name}-training", learnt, [name])
        print(f"{name}: {len(learnt)} instances, trained to {losses[-1]:.4f} nats", flush=True)
    pretrained = cache_folder() / "SmolLM2-135M-Instruct"
    subprocess.run([sys.executable, str(REAL_MODEL), str(pretrained)], check=True)
    places = {name: folder / f"{name}-training" / name for name in ("learnt-all", "learnt-some")}
    places["pretrained"] = pretrained
    document = {
        "dataset": {"path": str(given.rows.resolve()), "instances": list(turns)},
        "checkpoints": [{"name": name, "path": str(path)} for name, path in places.items()],
        "conditions": ["model", "gt-location"],
        "prompts": str(TITLES),
        "sampling": {
            "samples": given.samples, "greedy": True, "concurrency": 8, "context_lines": CONTEXT_LINES,
            "repair": {"max_tokens": 640, "temperature": 0.8},
        },
        "serving": {"args": list(SERVER), "ahead": 1},
        "evaluation": {"workers": 1, "timeout": 900, "memory": 2048},
        "output": str(folder / "run"),
    }  # fmt: skip
    run_file = folder / "run.json"
    run_file.write_text(json.dumps(document))
    if problems := show("run", run(*CLI, "run", run_file), folder / "run", 0):
        sys.exit(problems[0])
    return folder / "run", list(places)


def show(name: str, cost: Cost, written: Path | None, expected: int | None) -> list[str]:
    """Print a line of the table; what must not be of it."""
    megabytes = f"{size(written):.1f}" if written else ""
    print(
        f"| {name} | {cost.seconds:.1f} | {cost.cpu:.1f} | {cost.peak:.0f} | {megabytes} | {cost.status} |", flush=True
    )
    wrong = cost.status != expected if expected is not None else cost.status not in (0, 1, 3)
    told = (cost.said[-500:] + cost.warned[-1500:]).strip()
    return [f"{name}: exit status {cost.status}: {told}"] if wrong else []


def publish(folder: Path, names: Sequence[str], output: Path) -> list[str]:
    """Do all of it with the results in ``folder``; what must not be."""
    arms = [f"{folder}:{name}" for name in names]
    missed = show("table, on the terminal", run(*CLI, "table", folder), None, 0)
    for name, command in {
        "table, in five forms": ("table", folder, "--output", output / "tables"),
        "page": ("report", folder, "--html", "--output", output / "page"),
        **{f"export to {kind}": export(kind, folder, names[0], output) for kind in KINDS},
    }.items():
        missed += show(name, run(*CLI, *command), Path(str(command[-1])), 0)
    compared = run(*CLI, "compare", *arms, "--json")
    gated = run(*CLI, "gate", arms[1], "--against", arms[0], "--require", REQUIRED, "--json")
    frames = run("-c", FRAMES, folder)
    missed += show("compare all", compared, None, 0) + show("gate", gated, None, None) + show("frames", frames, None, 0)
    if missed:
        return missed
    tables = json.loads((output / "tables" / "ablation.json").read_text())["records"]
    averages = {record["group"]: record for record in tables if record["condition"] == "average"} or {
        record["group"]: record for record in tables
    }
    rates = {name: record["resolve_rate_ungraded_failed"] for name, record in averages.items()}
    return disagreements(json.loads(compared.said), json.loads(gated.said), json.loads(frames.said), rates)


def export(kind: str, folder: Path, name: str, output: Path) -> tuple[object, ...]:
    """The command that writes what one checkpoint did in the form of another tool."""
    named = ("--checkpoint", name, "--condition", "model", *KINDS[kind])
    return "export", folder, "--to", kind, *named, "--source", "https://example.org/run", "--output", output / kind


def disagreements(
    compared: dict[str, Any], gated: dict[str, Any], frames: dict[str, float], tables: dict[str, float]
) -> list[str]:
    """Where comparison and gate differ about the first two checkpoints, or data frames and tables about a rate."""
    [requirement] = gated["requirements"]
    one, other = compared["comparisons"][0]["overall"], requirement["comparison"]
    keys = one.keys() & other.keys() - {"repositories"}
    wrong = [
        f"{key}: {one[key]} by compare, {other[key]} by the gate" for key in sorted(keys) if one[key] != other[key]
    ]
    low, high = (f"{100 * bound:+.1f}" for bound in one["interval"])
    print(f"{requirement['text']}: {requirement['decision']}; {100 * one['estimate']:+.1f} points, {low} to {high}")
    return wrong + [
        f"{name}: resolve rate {rate} in the tables, {frames.get(name)} in the frames"
        for name, rate in tables.items()
        if not isclose(rate, frames.get(name, -1.0))
    ]


def main() -> None:
    """Print the table and what must not be."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--real", action="store_true", help="a run of real instances, through vLLM and containers")
    parser.add_argument(
        "--rows", type=rows_file, metavar="FILE", default=os.environ.get(ROWS_VARIABLE) or None,
        help=f"with --real: rows whose images are built here; the file that {ROWS_VARIABLE} names where not given",
    )  # fmt: skip
    parser.add_argument("--instances", type=int, help="how many; 500 where not given, 24 with --real")
    parser.add_argument("--checkpoints", type=int, default=7, help="checkpoints of the synthetic run")
    parser.add_argument("--candidates", type=int, default=10, help="candidates of each attempt of the synthetic run")
    parser.add_argument("--samples", type=int, default=2, help="with --real: answers to each question")
    parser.add_argument("--keep", type=Path, help="a new folder for run and results, which stay there")
    parser.add_check("when a command ends in another way than it must, or two of them disagree")
    given = parser.parse_args()
    if given.real and given.rows is None:
        parser.error(f"--real needs rows: give --rows, or name the file in {ROWS_VARIABLE}")
    cache_folder().mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache_folder()) as temporary:
        folder = (given.keep or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        print(
            "| what | seconds | CPU seconds | peak MiB | MB written | status |\n|---|---:|---:|---:|---:|---:|",
            flush=True,
        )
        if given.real:
            given.instances = given.instances or REAL_INSTANCES
            results, names = real_run(given, folder)
        else:
            results, names = folder / "run", [f"packing-{number}" for number in range(given.checkpoints)]
            write_synthetic_run(results, given.instances or 500, given.checkpoints, given.candidates, LOG_BYTES)
        problems = publish(results, names, folder)
    for problem in problems:
        print(f"must not be: {problem}")
    print(f"figures: must_not_be={len(problems)}")
    sys.exit(bool(given.check and problems))


if __name__ == "__main__":
    main()
