"""The study's checkpoints through the harness: an ordinary run, in which each stands behind an address of its own."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.build.build_instances import build_instances
from harness.common.files import write_whole
from harness.common.run_folder import RunFolder
from harness.compare.finished import patches_of, read_frozen, verdicts_of
from harness.config.load import load_run_file
from harness.core.verdict import Outcome
from harness.errors import InputError
from harness.miniature.generate import generate
from harness.model.checkpoint import checkpoint_revision
from harness.pipeline.demo import pipeline_settings
from harness.pipeline.run import run_pipeline
from lab.heads.dialect_endpoint import SEPARATOR, Endpoint
from lab.heads.dialects import Asking, dialect_of
from lab.heads.head_documents import CONDITION, Mix
from lab.heads.heads_corpus import PROMPTS
from lab.heads.heads_study import Attempt

INSTANCES_SEED = 1  # not the corpus's
ROOM = 128  # tokens of an answer


@dataclass(frozen=True)
class Asked:
    """A checkpoint, asked in one way."""

    arm: str
    seed: int
    checkpoint: Path  # its folder
    asking: Asking

    @property
    def name(self) -> str:
        """In the run file and the tables."""
        return f"{self.checkpoint.name}.{self.asking}"

    @property
    def model(self) -> str:
        """At the endpoint."""
        return f"{self.checkpoint.name}{SEPARATOR}{self.asking}"


def run_heads(folder: Path, asked: Sequence[Asked], count: int) -> tuple[list[Attempt], dict[str, int], dict[str, str]]:
    """Ask checkpoints about ``count`` instances, in ``folder``; returns attempts, resolved references, and versions.

    What an earlier call finished is not done again. Raises InputError if the machine failed in an evaluation.
    """
    rows = _instances(folder, count)
    with Endpoint({one.checkpoint.name: one.checkpoint for one in asked}) as endpoint:
        settings = _settings(rows, asked, endpoint.url)
        write_whole(folder / "run.yaml", yaml.safe_dump(settings, sort_keys=False))
        config = load_run_file(folder / "run.yaml")
        run_pipeline(config)
    with RunFolder(config.output) as run:
        attempts = _attempts(run, asked)
        references = {name: _resolved(run.part(name, None)) for name in ("gold", "empty")}
    return attempts, references, read_frozen(config.output / "frozen.yaml")["versions"]


def _instances(folder: Path, count: int) -> Path:
    """The rows of the held-out instances, whose images are built."""
    made = generate(folder / "instances", INSTANCES_SEED, count, "held-out", Mix().difficulty)
    rows = folder / "rows.jsonl"
    build_instances(str(made.rows), recipes=made.recipes, rows=rows)
    return rows


def _settings(rows: Path, asked: Sequence[Asked], url: str) -> dict[str, Any]:
    """What the run file says."""
    settings = pipeline_settings()
    del settings["localization"], settings["serving"]
    checkpoints = [
        {
            "name": one.name,
            "endpoint": url,
            "model": one.model,
            "revision": checkpoint_revision(one.checkpoint),
            "chat": "completions",
            "strategy": one.arm,
            "seed": one.seed,
            "labels": {"asking": one.asking},
        }
        for one in asked
    ]
    return settings | {
        "dataset": {"path": rows.name},
        "checkpoints": checkpoints,
        "prompts": os.path.relpath(PROMPTS, rows.parent.resolve()),
        "conditions": [CONDITION],
        "sampling": {"samples": 1, "greedy": True, "context_lines": 3, "repair": {"max_tokens": ROOM}},
    }


def _attempts(run: RunFolder, asked: Sequence[Asked]) -> list[Attempt]:
    undefined = _undefined_words(run)
    attempts = []
    for one in asked:
        part = run.part(one.name, CONDITION)
        patches, verdicts = patches_of(part), verdicts_of(part)
        for instance_id, verdict in verdicts.items():
            if verdict.outcome is Outcome.INFRASTRUCTURE:
                raise InputError(f"{one.name}: the machine failed on {instance_id}; run it again")
            said = undefined[one.model, instance_id]
            attempts.append(
                Attempt(one.arm, one.seed, one.asking, instance_id, said, bool(patches[instance_id]), verdict.outcome)
            )
    return attempts


def _undefined_words(run: RunFolder) -> Mapping[tuple[str, str], bool]:
    """By model and instance, whether its answer has a word that its prompt, in its dialect, does not define."""
    with run.journal("answers") as journal:
        records = list(journal.records())
    prompts = {record["key"]: record["text"] for record in records if record["kind"] == "prompt"}
    found = {}
    for record in (record for record in records if record["kind"] == "answer"):
        model = record["revision"].rpartition("@")[0]
        dialect = dialect_of(prompts[record["prompt"]], model.rpartition(SEPARATOR)[2])
        found[model, record["instance_id"]] = bool(dialect.undefined(record["answer"]["text"]))
    return found


def _resolved(part: Path) -> int:
    return sum(verdict.resolved for verdict in verdicts_of(part).values())
