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
from lab.study import joined, load_study, read_study, write_study

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
    """Seed by seed: train every arm, evaluate it on ``count`` held-out instances, write the study to ``output``.

    What the study in ``output`` holds already is not done again, wherever it was made; the same call goes on where it
    was stopped. Raises what its parts raise.
    """
    study = load_study(output)
    for seed in seeds:
        held = {(done.arm, done.seed) for done in study.checkpoints} if study else set()
        missing = [arm for arm in arms if (arm.name, seed) not in held]
        if not missing:
            continue
        laboratory.make(missing, [seed], at_once, progress)
        run_file = write_run_file(laboratory, missing, seed, count)
        progress(f"run: {run_file}")
        config = load_run_file(run_file)
        run_pipeline(config)
        found = read_study(config.output, laboratory.folder / "checkpoints")
        study = joined(study, found) if study else found
        write_study(study, output)


def write_run_file(laboratory: Laboratory, arms: Sequence[Arm], seed: int, count: int) -> Path:
    """Make the held-out instances with their images, and the run file of one seed."""
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
        for arm in arms
    ]
    settings = pipeline_settings() | {"dataset": {"path": str(rows.relative_to(folder))}, "checkpoints": checkpoints}
    path = folder / "run.yaml"
    write_whole(path, yaml.safe_dump(settings, sort_keys=False))
    return path
