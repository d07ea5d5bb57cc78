"""The embedded default: miniature instances, two tiny checkpoints and a run file, made from nothing but the project."""

from pathlib import Path
from typing import Any

import yaml

from harness.build import build_instances
from harness.config import RunConfig
from harness.miniature.checkpoints import write_random_checkpoint
from harness.miniature.generate import generate
from harness.records import write_whole
from harness.run_file import load_run_file

SEED = 0
CHECKPOINTS = 2


def prepare_demo(folder: Path, count: int) -> RunConfig:
    """Make ``count`` instances with their images, the checkpoints and ``run.yaml`` in ``folder``; gives the latter.

    What is there already from an earlier call is used again.
    """
    made = generate(folder / "instances", SEED, count)
    rows = folder / "instances" / "rows-with-images.jsonl"
    build_instances(str(made.rows), recipes=made.recipes, rows=rows)
    corpus = [path.read_text(encoding="utf-8") for path in sorted(made.sources.rglob("*.py"))]
    names = [f"random-{number}" for number in range(CHECKPOINTS)]
    for seed, name in enumerate(names):
        weights = folder / "checkpoints" / name
        if not (weights / "model.safetensors").is_file():  # written last
            write_random_checkpoint(weights, seed, corpus=corpus)
    settings = pipeline_settings() | {
        "dataset": {"path": str(rows.relative_to(folder))},
        "checkpoints": [{"name": name, "path": f"checkpoints/{name}"} for name in names],
    }
    write_whole(folder / "run.yaml", yaml.safe_dump(settings, sort_keys=False))
    return load_run_file(folder / "run.yaml")


def pipeline_settings() -> dict[str, Any]:
    """What a run file of tiny checkpoints on miniature instances says of the pipeline: one greedy answer a question."""
    return {
        "references": ["gold", "empty"],
        "prompts": "compact",
        "localization": {"elements": {"enabled": True, "sampling": {"max_tokens": 64, "temperature": 0.0}}},
        "sampling": {
            "samples": 1,
            "greedy": True,
            "context_lines": 3,
            "repair": {"max_tokens": 256},
            "localize": {"max_tokens": 64, "temperature": 0.0},
        },
        # Compiling takes longer than it saves here, and tiny weights need no large part of this machine's memory.
        "serving": {"args": ["--enforce-eager", "--gpu-memory-utilization=0.2"]},
        "evaluation": {"timeout": 120, "memory": 1024},
        "output": "records",
    }
