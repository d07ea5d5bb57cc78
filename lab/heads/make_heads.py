"""`make heads`: train every arm, evaluate it through the harness, write the study."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from lab import CARD
from lab.heads.controls import headless_share, read_pieces
from lab.heads.curve import curve
from lab.heads.dialects import Asking
from lab.heads.heads_arms import HeadsArm
from lab.heads.heads_page import write_heads
from lab.heads.heads_run import Asked, run_heads
from lab.heads.heads_study import CurvePoint, HeadsStudy, Trained
from lab.heads.workshop import HeadsWorkshop


def make_heads(
    workshop: HeadsWorkshop,
    output: Path,
    arms: Sequence[HeadsArm],
    seeds: Sequence[int],
    count: int,
    at_once: int,
    progress: Callable[[str], None],
) -> None:
    """Do what is not done yet: killed at any moment, the same call goes on. ``count``: held-out instances."""
    points = train_heads(workshop, arms, seeds, at_once, progress)
    asked = [
        Asked(arm.name, seed, workshop.checkpoint(arm, seed), asking)
        for arm in arms
        for seed in seeds
        for asking in get_args(Asking)
    ]
    attempts, references, versions = run_heads(workshop.folder / "study", asked, count)
    study = HeadsStudy(
        kind=workshop.kind,
        corpus=asdict(workshop.corpus),
        context=workshop.context,
        questions=workshop.corpus.held_out,
        arms=tuple(arm.name for arm in arms),
        trained=tuple(_trained(workshop, arms, seeds)),
        instance_ids=tuple(dict.fromkeys(attempt.instance_id for attempt in attempts)),
        references=references,
        attempts=tuple(attempts),
        curve=tuple(points),
        versions=versions,
    )
    write_heads(study, output)


def train_heads(
    workshop: HeadsWorkshop,
    arms: Sequence[HeadsArm],
    seeds: Sequence[int],
    at_once: int,
    progress: Callable[[str], None],
) -> list[CurvePoint]:
    """Train what is not trained yet, and draw the learning curves."""
    workshop.make(arms, seeds, at_once, progress)
    return curve(workshop, arms, seeds, progress)


def _trained(workshop: HeadsWorkshop, arms: Sequence[HeadsArm], seeds: Sequence[int]) -> list[Trained]:
    corpus, trained = workshop.write_corpus(), []
    for arm in arms:
        headless = headless_share(read_pieces(workshop.rows(corpus, arm)))
        for seed in seeds:
            card = json.loads((workshop.checkpoint(arm, seed) / CARD).read_text(encoding="utf-8"))
            loss = card["loss"]["last_answers"]
            trained.append(Trained(arm.name, seed, card["tokens"], card["passes"], loss, headless, card["seconds"]))
    return trained
