"""`python -m lab ship` and `ship-heads`: the checkpoints that come with the project."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from harness.common.files import write_whole
from harness.packing.metrics_file import METRICS
from harness.pipeline.demo import SHIPPED
from lab import CARD, LabError
from lab.arms import ARMS
from lab.heads.curve import FILE as CURVE
from lab.heads.heads_arms import arms_of_kind
from lab.heads.heads_demo import STRATEGIES
from lab.heads.workshop import HeadsWorkshop
from lab.laboratory import Laboratory
from lab.score import score_checkpoint
from lab.training.train import kept_name

SEED = 0
MOST_BYTES = 5_000_000  # of one checkpoint's folder
DESTINATION = Path(__file__).parents[1] / SHIPPED


def ship(laboratory: Laboratory, destination: Path, limit: int | None, progress: Callable[[str], None]) -> None:
    """Copy the first seed's checkpoint of every strategy to ``destination``, named by its strategy.

    Each card, ``lab.json``, gets the checkpoint's score on held-out questions, the first ``limit`` of each kind. What
    lies in ``destination`` is replaced. Raises LabError for a checkpoint that is not trained, or larger than 5 MB.
    """
    corpus = laboratory.write_corpus()
    for arm in (arm for arm in ARMS if not arm.compensated):
        path, target = laboratory.checkpoint(arm, SEED), destination / arm.strategy
        _require_small(path, "make lab")
        score = score_checkpoint(path, corpus.held_out, limit, generate=True)
        progress(str(score))
        _copy(path, target)
        card = json.loads((path / CARD).read_text(encoding="utf-8")) | {"score": score.kinds()}
        write_whole(target / CARD, json.dumps(card, indent=1) + "\n")
    shutil.copyfile(laboratory.metrics(), destination / METRICS)


def ship_heads(workshop: HeadsWorkshop, destination: Path) -> None:
    """Copy the first seed's checkpoints that `python -m lab heads-demo` asks; see `ship`."""
    for arm in arms_of_kind("fitting", STRATEGIES):
        path = workshop.checkpoint(arm, SEED)
        _require_small(path, "python -m lab heads --train-only")
        _copy(path, destination / arm.name)


def _require_small(path: Path, made_by: str) -> None:
    if not (path / CARD).is_file():
        raise LabError(f"{path}: not trained yet; `{made_by}` trains it")
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    if size > MOST_BYTES:
        raise LabError(f"{path}: {size} bytes, more than the {MOST_BYTES} of a shipped checkpoint")


def _copy(path: Path, target: Path) -> None:
    """A checkpoint, in the place of what is there; without its log and those that were left on the way."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(path, target, ignore=shutil.ignore_patterns("log.jsonl", CURVE, kept_name("*", "*")))
