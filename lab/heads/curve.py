"""The learning curve: checkpoints on the way at held-out questions, without the harness and its tests."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from harness.common.files import write_whole
from lab import CARD
from lab.heads.dialects import Asking, dialect_of
from lab.heads.heads_arms import HeadsArm
from lab.heads.heads_study import CurvePoint
from lab.heads.workshop import KEEP, HeadsWorkshop
from lab.score import LoadedCheckpoint
from lab.training.train import chosen_device, kept_name

ROOM = 96  # tokens of an answer
FILE = "curve.jsonl"  # in a checkpoint's folder


def curve(
    workshop: HeadsWorkshop, arms: Sequence[HeadsArm], seeds: Sequence[int], progress: Callable[[str], None]
) -> list[CurvePoint]:
    """Every checkpoint and those on its way, asked in a rare dialect each time and in the canonical one."""
    asked = [json.loads(line) for line in workshop.write_corpus().held_out.read_text(encoding="utf-8").splitlines()]
    points = []
    for arm in arms:
        for seed in seeds:
            folder = workshop.checkpoint(arm, seed)
            if not (folder / FILE).is_file():
                progress(f"learning curve: {folder.name}")
                lines = [json.dumps(asdict(point)) + "\n" for point in _points(folder, arm.name, seed, asked)]
                write_whole(folder / FILE, "".join(lines))
            kept = (folder / FILE).read_text(encoding="utf-8").splitlines()
            points += [CurvePoint(**json.loads(line)) for line in kept]
    return points


def _points(folder: Path, arm: str, seed: int, asked: Sequence[dict[str, str]]) -> list[CurvePoint]:
    tokens = json.loads((folder / CARD).read_text(encoding="utf-8"))["tokens"]
    places = [folder / kept_name(number, KEEP) for number in range(1, KEEP)] + [folder]
    return [
        CurvePoint(arm, seed, tokens * number // KEEP, **shares)
        for number, place in enumerate(places, 1)
        for shares in _shares(LoadedCheckpoint(place, chosen_device("auto")), asked)
    ]


def _shares(checkpoint: LoadedCheckpoint, asked: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    said = checkpoint.answers([line["prompt"] for line in asked], [ROOM] * len(asked))
    shares = []
    for asking in (way for way in get_args(Asking) if any(line["kind"] == way for line in asked)):
        mine = [(line, text, ended) for line, (text, ended) in zip(asked, said, strict=True) if line["kind"] == asking]
        undefined = [bool(dialect_of(line["bare"], asking).undefined(text)) for line, text, _ in mine]
        exact = [ended and text == line["answer"] for line, text, ended in mine]
        shares.append({"asking": asking, "undefined": _mean(undefined), "exact": _mean(exact)})
    return shares


def _mean(values: Sequence[bool]) -> float:
    return sum(values) / len(values)
