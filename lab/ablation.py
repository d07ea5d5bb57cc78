"""`make ablation`: every checkpoint of the laboratory through the harness, as any user's run, and the study of it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from harness.build import build_instances
from harness.demo import pipeline_settings
from harness.miniature.generate import generate
from harness.records import write_whole
from harness.run import run_pipeline
from harness.run_file import load_run_file
from lab.arms import Arm
from lab.laboratory import Laboratory
from lab.study import write_study

INSTANCES_SEED = 1  # not the demonstration's


def run_ablation(
    laboratory: Laboratory,
    output: Path,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    count: int,
    at_once: int,
    progress: Callable[[str], None],
) -> None:
    """Train what is not trained, evaluate all on ``count`` held-out instances, write the study to ``output``.

    The same call goes on where it was stopped. Raises what its parts raise.
    """
    laboratory.make(arms, seeds, at_once, progress)
    run_file = write_run_file(laboratory, arms, seeds, count)
    progress(f"run: {run_file}")
    config = load_run_file(run_file)
    run_pipeline(config)
    write_study(config.output, laboratory.folder / "checkpoints", output)


def write_run_file(laboratory: Laboratory, arms: Sequence[Arm], seeds: Sequence[int], count: int) -> Path:
    """Make the held-out instances with their images, and the run file of the study."""
    folder = laboratory.folder / "study"
    rows = folder / "rows.jsonl"
    made = generate(folder / "instances", INSTANCES_SEED, count, "held-out")
    build_instances(str(made.rows), recipes=made.recipes, rows=rows)
    metrics = str(laboratory.metrics().resolve())
    checkpoints = [
        {
            "name": laboratory.checkpoint(arm, seed).name,
            "path": str(laboratory.checkpoint(arm, seed).resolve()),
            "packing": arm.strategy,
            "packing_metrics": metrics,
        }
        for seed in seeds
        for arm in arms
    ]
    settings = pipeline_settings() | {"dataset": {"path": str(rows.relative_to(folder))}, "checkpoints": checkpoints}
    path = folder / "run.yaml"
    write_whole(path, yaml.safe_dump(settings, sort_keys=False))
    return path
