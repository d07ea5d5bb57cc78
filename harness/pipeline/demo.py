"""The embedded default: miniature instances, two checkpoints that come with the project, and a run file for them."""

import json
from pathlib import Path
from typing import Any

import yaml

from harness.build.build_instances import build_instances
from harness.common.files import write_whole
from harness.common.paths import check_folder
from harness.common.resources import resource
from harness.config.load import load_run_file
from harness.config.schema import RunConfig
from harness.core.conditions import REFERENCES
from harness.errors import InputError
from harness.miniature.generate import generate
from harness.model.checkpoint import serves_on_cpu
from harness.packing.metrics_file import METRICS, load_metrics

SEED = 0
SAMPLES = 4
STRATEGIES = ("concat-then-split", "best-fit+drop")  # whose checkpoints the demo serves
CARD = "lab.json"  # of a shipped checkpoint: how it was trained
SHIPPED = "checkpoints"  # the resource folder: a checkpoint for each packing strategy, and the packings' metrics


def prepare_demo(folder: Path, count: int) -> RunConfig:
    """Make ``count`` instances with their images, and ``run.yaml`` in ``folder``; returns the latter.

    What is there already from an earlier call is used again. Raises InputError if ``folder`` can't be one.
    """
    check_folder(folder, "the output folder")
    made = generate(folder / "instances", SEED, count)
    rows = folder / "instances" / "rows-with-images.jsonl"
    build_instances(str(made.rows), recipes=made.recipes, rows=rows)
    settings = demo_settings(serves_on_cpu()) | {
        "dataset": {"path": str(rows.relative_to(folder))},
        "checkpoints": [entry for entry in shipped_checkpoints() if entry["strategy"] in STRATEGIES],
    }
    write_whole(folder / "run.yaml", yaml.safe_dump(settings, sort_keys=False))
    return load_run_file(folder / "run.yaml")


def demo_settings(on_cpu: bool) -> dict[str, Any]:
    """What the demo's run file says of the pipeline.

    A start of vLLM takes much longer than the few questions after it, and most of it keeps one processor busy: on a CPU
    the next server starts meanwhile.
    """
    settings = pipeline_settings(SAMPLES)
    return settings | {"serving": settings["serving"] | {"ahead": 1}} if on_cpu else settings


def shipped_checkpoints() -> list[dict[str, Any]]:
    """What a run file says of each shipped checkpoint, by packing strategy in the order of their metrics file.

    Its tokens are those that it was trained on, which are not those of a pass over its packing. Raises InputError if
    this installation lacks them.
    """
    try:
        folder = resource(SHIPPED).resolve()
        metrics = folder / METRICS
        strategies = list(json.loads(metrics.read_text(encoding="utf-8"))["strategies"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"the trained checkpoints are missing from this installation ({error})") from error
    return [
        {
            "name": name,
            "path": str(folder / name),
            "strategy": name,
            "packing_metrics": load_metrics(metrics, name) | {"tokens_billion": _trained(folder / name) / 1e9},
        }
        for name in strategies
        if (folder / name).is_dir()
    ]


def _trained(folder: Path) -> int:
    """Slots that a shipped checkpoint was trained on, padding included."""
    tokens: int = json.loads((folder / CARD).read_text(encoding="utf-8"))["tokens"]
    return tokens


def pipeline_settings(samples: int = 1) -> dict[str, Any]:
    """What a run file of tiny checkpoints on miniature instances says of the pipeline.

    One greedy answer to each question of localization, and a greedy repair. With more ``samples`` the others are
    drawn, and candidates are tried on the package's own tests before the majority decides.
    """
    strike = {"max_tokens": 16, "temperature": 0.0}
    return {
        "references": list(REFERENCES),
        "prompts": "compact",
        "localization": {"elements": {"enabled": True, "sampling": {"max_tokens": 64, "temperature": 0.0}}},
        "sampling": {
            "samples": samples,
            "greedy": True,
            "context_lines": 3,
            "repair": {"max_tokens": 128, "temperature": 0.8},
            "localize": {"max_tokens": 64, "temperature": 0.0},
        },
        "validation": {"regression": {"enabled": samples > 1, "files": 1, "strike": strike}},
        # Compiling takes longer than it saves here, and tiny weights need no large part of this machine's memory.
        "serving": {"args": ["--enforce-eager", "--gpu-memory-utilization=0.2"]},
        "evaluation": {"timeout": 120, "memory": 1024},
        "output": "records",
    }
