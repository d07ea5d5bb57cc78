"""What a real pretrained model writes and how it is read: python benchmarks/real_model.py [--check].

HARNESS_SWEBENCH_ROWS or --rows names the rows; the images of the instances must be built (`harness images build`). The
model of `scripts/real_model.py` is asked through a real vLLM server, and its patches are tested in real containers:

- with the sets `agentless` and `compact` under every condition, as a chat and as completions, each with and without a
  generation config of its own;
- with the set of each other format under the condition gt-file, as a chat.

The table has the reasons by kind. With --check the exit status is 1 when a candidate has neither a patch nor a reason
with its detail, when an attempt failed, or when the finished run asks anything again.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml
from parts.arguments import BenchmarkParser

from harness.common.paths import cache_folder
from harness.common.run_folder import journal_path
from harness.compare.frames import json_lines
from harness.config.load import load_run_file
from harness.pipeline.run import run_pipeline

SCRIPT = Path(__file__).parents[1] / "scripts" / "real_model.py"
INSTANCES = ("pallets__flask-4992", "pallets__flask-4045", "pytest-dev__pytest-7168", "mwaskom__seaborn-3010")
CONDITIONS = ("model", "gt-location", "gt-file")
GENERATION = {"temperature": 0.2, "top_p": 0.9, "repetition_penalty": 1.2}  # of the second copy of the model
FORMATS = ("compact-diff", "compact-whole-file", "compact-apply-patch", "compact-str-replace")


class Plan(NamedTuple):
    """One run: a prompt set, the checkpoints that it asks and the conditions."""

    prompts: str
    checkpoints: tuple[str, ...]
    conditions: tuple[str, ...]


WHOLE = ("chat", "chat-config", "completions", "completions-config")
PLANS = {
    prompts: Plan(prompts, *((WHOLE, CONDITIONS) if prompts in ("agentless", "compact") else (("chat",), ("gt-file",))))
    for prompts in ("agentless", "compact", *FORMATS)
}


def write_models(folder: Path) -> None:
    """The model as its package has it in ``folder/plain``, and in ``folder/config`` with a generation config."""
    made = cache_folder() / "SmolLM2-135M-Instruct"
    subprocess.run([sys.executable, str(SCRIPT), str(made)], check=True)
    for name in ("plain", "config"):
        shutil.copytree(made, folder / name, copy_function=os.link)
        own = folder / name / "generation_config.json"
        own.unlink(missing_ok=True)  # the link, not the file that it leads to
        if name == "config":
            own.write_text(json.dumps(GENERATION))


def run_file(plan: Plan, given: Any, folder: Path) -> Path:
    """The run file of one plan."""
    checkpoints = [
        {
            "name": name,
            "path": str(folder / ("config" if name.endswith("-config") else "plain")),
            "chat": name.removesuffix("-config"),
            "generation_config": name.endswith("-config"),
        }
        for name in plan.checkpoints
    ]
    document = {
        "dataset": {"path": str(given.rows.resolve()), "instances": given.instances},
        "checkpoints": checkpoints,
        "conditions": list(plan.conditions),
        "prompts": plan.prompts,
        "sampling": {"samples": given.samples, "greedy": True, "repair": {"max_tokens": given.tokens}},
        "serving": {"args": ["--enforce-eager", "--kv-cache-memory-bytes=1G", "--max-model-len=4096"]},
        "evaluation": {"timeout": 900, "memory": 2048},
        "output": plan.prompts,
    }
    path = folder / f"{plan.prompts}.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def candidates_of(output: Path, checkpoint: str, condition: str) -> list[dict[str, Any]]:
    """The records of all candidates of one row of the table."""
    trails = (output / "checkpoints" / checkpoint / condition / "trail.jsonl").read_text().splitlines()
    return [candidate for line in trails for candidate in json.loads(line)["candidates"]]


def known_answers(output: Path) -> int:
    """Lines of the journal of answers."""
    return len(list(json_lines(journal_path(output, "answers"))))


def measure(plan: Plan, given: Any, folder: Path) -> list[str]:
    """Run a plan, print its rows of the table; what of it must not be."""
    config, problems = load_run_file(run_file(plan, given, folder)), []
    rows, started = run_pipeline(config), time.monotonic()
    answers = known_answers(config.output)
    if run_pipeline(config) != rows or known_answers(config.output) != answers:
        problems.append(f"{plan.prompts}: once finished, it gave another table or asked again")
    again = time.monotonic() - started
    for row in rows:
        place, total = f"{plan.prompts}, {row.checkpoint}, {row.condition}", len(given.instances)
        found = candidates_of(config.output, row.checkpoint, str(row.condition))
        if row.instances != total or row.infrastructure:
            problems.append(f"{place}: {row.instances} of {total} instances, {row.infrastructure} failed")
        problems += [f"{place}: {c}" for c in found if bool(c["patch"]) == bool(c["reason"] and c["detail"])]
        ends = Counter(candidate["reason"] or "patch" for candidate in found)
        cut = sum("read-before-cut" in candidate["notes"] for candidate in found)
        told = ", ".join(f"{count} {end}" for end, count in ends.most_common())
        print(f"| {plan.prompts} | {row.checkpoint} | {row.condition} | {len(found)} | {told} | {cut} |", flush=True)
    print(f"<!-- {plan.prompts}: {answers} answers, tables again in {again:.1f} s -->", flush=True)
    return problems


def main() -> None:
    """Print the table and what must not be."""
    parser = BenchmarkParser(__doc__)
    parser.add_rows("rows whose images are built here")
    parser.add_argument("--instances", nargs="+", default=list(INSTANCES), help="ids of the instances")
    parser.add_argument("--prompts", nargs="+", default=list(PLANS), choices=list(PLANS), help="prompt sets")
    parser.add_argument("--samples", type=int, default=2, help="answers to each repair prompt, the first one greedy")
    parser.add_argument("--tokens", type=int, default=256, help="most tokens of such an answer")
    parser.add_check("when a candidate has no reason, an attempt failed, or a finished run asks again")
    given = parser.parse_args()
    logging.disable(logging.WARNING)
    print("| prompts | checkpoint | condition | candidates | ended | read before the cut |\n|---|---|---|---|---|---|")
    with TemporaryDirectory(dir=cache_folder()) as name:
        folder = Path(name)
        write_models(folder)
        problems = [problem for prompts in given.prompts for problem in measure(PLANS[prompts], given, folder)]
    report(problems)
    sys.exit(bool(given.check and problems))


def report(problems: Sequence[str]) -> None:
    """Print what must not be, and how often."""
    for problem in problems:
        print(f"must not be: {problem}")
    print(f"figures: must_not_be={len(problems)}")


if __name__ == "__main__":
    main()
