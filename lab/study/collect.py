"""What a run and its checkpoints' cards say, as flat records: one for each arm, seed, condition and instance."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel

from harness.config import Condition, Reference
from harness.errors import InputError
from harness.evaluate.predictions import Prediction
from harness.records import RunFolder
from harness.report.similarity import similarity
from harness.verdict import Outcome, Verdict
from lab.arms import ARMS
from lab.study.card import Card, error_line, read_card, shared_conditions

CHECKPOINT_NAME = re.compile(r"(?P<arm>.+)\.seed(?P<seed>\d+)")
MINIATURE_ID = re.compile(r"miniature__[^-]+(?:-(?P<tag>.+))?-\d+")
ORDINARY = "held-out"  # subset of the instances whose ids name none
NOT_SETTINGS = ("dataset", "checkpoints", "output", "serving")  # the dataset's content has a key of its own
OF_THE_MACHINE = ("workers", "image_budget")
PACKING = "packing_"  # prefix of the packing metrics' columns in a run's table

Row = TypeVar("Row", bound=BaseModel)


@dataclass(frozen=True)
class Record:
    """One attempt."""

    arm: str
    seed: int
    condition: Condition
    instance_id: str
    subset: str
    outcome: Outcome
    resolved: bool
    applied: bool
    empty: bool
    similarity: float


@dataclass(frozen=True)
class Costs:
    """What the evaluation of one checkpoint took, over all conditions; seconds are summed over what ran at a time."""

    prompt_tokens: int
    completion_tokens: int
    model_seconds: float
    test_seconds: float


@dataclass(frozen=True)
class Checkpoint:
    """One trained checkpoint of the run."""

    arm: str
    seed: int
    packing: str  # strategy
    packing_metrics: Mapping[str, float]
    card: Card
    costs: Costs


@dataclass(frozen=True)
class Circumstances:
    """What its runs ran under, from their ``frozen.yaml``."""

    dataset: str  # key of the instances' content
    settings: Mapping[str, Any]  # the configuration, without checkpoints, folders and what is the machine's
    versions: tuple[Mapping[str, str], ...]  # different ones, in the order in which runs were joined


@dataclass(frozen=True)
class Study:
    """Everything that the tables are made from. Every checkpoint has every instance under every condition."""

    checkpoints: tuple[Checkpoint, ...]  # by arm, in the arms' order, and seed
    conditions: tuple[Condition, ...]
    instance_ids: tuple[str, ...]
    references: Mapping[Reference, int]  # instances resolved by gold and by empty patches
    records: tuple[Record, ...]
    circumstances: Circumstances

    @property
    def arms(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(dict.fromkeys(checkpoint.arm for checkpoint in self.checkpoints))

    def of(self, arm: str) -> tuple[Checkpoint, ...]:
        """An arm's checkpoints, by seed."""
        return tuple(checkpoint for checkpoint in self.checkpoints if checkpoint.arm == arm)


def read_study(run: Path, checkpoints: Path) -> Study:
    """Read a finished run of checkpoints named ``ARM.seedN``, whose folders of the same names lie in ``checkpoints``.

    Raises InputError where the run or a card can't be read, an instance is missing anywhere, the gold patches were
    not run as a reference, or checkpoints were not trained alike.
    """
    rows = _table(run / "table.csv")
    circumstances = _circumstances(run / "frozen.yaml")
    with RunFolder(run) as folder:
        gold = {p.instance_id: p.model_patch or "" for p in _read(folder.part("gold", None), Prediction)}
        references = {kind: _resolved(folder.part(kind, None), gold) for kind in get_args(Reference)}
        found = sorted((_checkpoint(name, group, checkpoints) for name, group in rows.items()), key=place_of)
        conditions = _conditions(rows)
        records = tuple(
            record
            for checkpoint in found
            for condition in conditions
            for record in _attempts(folder, checkpoint, condition, gold)
        )
    check_alike(found)
    _check_table(rows, records)
    return Study(tuple(found), conditions, tuple(gold), references, records, circumstances)


def subset_of(instance_id: str) -> str:
    """The part of the miniature set that an instance belongs to: what its id says between package and number."""
    match = MINIATURE_ID.fullmatch(instance_id)
    return (match["tag"] if match else None) or ORDINARY


def _table(path: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Checkpoint -> condition -> the run's own row of it; references apart."""
    if not path.is_file():
        raise InputError(f"{path}: no such table; name the output folder of a finished run")
    rows: dict[str, dict[str, dict[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["condition"] in get_args(Condition):
                rows.setdefault(row["checkpoint"], {})[row["condition"]] = row
    if not rows:
        raise InputError(f"{path}: holds no checkpoint's row")
    return rows


def _circumstances(path: Path) -> Circumstances:
    try:
        frozen = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings = {name: value for name, value in frozen["configuration"].items() if name not in NOT_SETTINGS}
        settings["evaluation"] = {k: v for k, v in settings["evaluation"].items() if k not in OF_THE_MACHINE}
        return Circumstances(frozen["dataset"], settings, (frozen["versions"],))
    except (OSError, ValueError, yaml.YAMLError, LookupError, AttributeError, TypeError) as error:
        raise InputError(f"{path}: not what a run froze ({' '.join(str(error).split())})") from error


def _conditions(rows: Mapping[str, Mapping[str, object]]) -> tuple[Condition, ...]:
    return tuple(c for c in get_args(Condition) if all(c in group for group in rows.values()))


def _checkpoint(name: str, group: Mapping[str, Mapping[str, str]], checkpoints: Path) -> Checkpoint:
    match = CHECKPOINT_NAME.fullmatch(name)
    if match is None:
        raise InputError(f"checkpoint {name}: the study needs names of the form ARM.seedN")
    card = read_card(checkpoints / name / "lab.json")
    if card.seed != int(match["seed"]):
        raise InputError(f"{checkpoints / name}: its card says seed {card.seed}")
    rows = list(group.values())
    return Checkpoint(
        arm=match["arm"],
        seed=card.seed,
        packing=rows[0]["packing_strategy"],
        packing_metrics=_packing_metrics(rows[0]),
        card=card,
        costs=Costs(
            prompt_tokens=sum(int(row["prompt_tokens"]) for row in rows),
            completion_tokens=sum(int(row["completion_tokens"]) for row in rows),
            model_seconds=sum(float(row["model_seconds"]) for row in rows),
            test_seconds=sum(float(row["test_seconds"]) for row in rows),
        ),
    )


def _packing_metrics(row: Mapping[str, str]) -> dict[str, float]:
    named = {name: text for name, text in row.items() if name.startswith(PACKING) and name != "packing_strategy"}
    return {name.removeprefix(PACKING): float(text) for name, text in named.items() if text}


def place_of(checkpoint: Checkpoint) -> tuple[int, str, int]:
    """What a study's checkpoints are sorted by: their arms' order, then the seed."""
    order = [arm.name for arm in ARMS]
    return order.index(checkpoint.arm) if checkpoint.arm in order else len(order), checkpoint.arm, checkpoint.seed


def _attempts(folder: RunFolder, checkpoint: Checkpoint, condition: Condition, gold: Mapping[str, str]) -> list[Record]:
    part = folder.part(f"{checkpoint.arm}.seed{checkpoint.seed}", condition)
    patches = {p.instance_id: p.model_patch or "" for p in _read(part, Prediction)}
    verdicts = {verdict.instance_id: verdict for verdict in _read(part, Verdict)}
    if not gold.keys() == patches.keys() == verdicts.keys():
        raise InputError(f"{part}: does not hold the instances of the gold reference; let the run finish")
    return [
        Record(
            arm=checkpoint.arm,
            seed=checkpoint.seed,
            condition=condition,
            instance_id=instance_id,
            subset=subset_of(instance_id),
            outcome=verdicts[instance_id].outcome,
            resolved=verdicts[instance_id].resolved,
            applied=verdicts[instance_id].applied,
            empty=not patches[instance_id],
            similarity=similarity(patches[instance_id], patch),
        )
        for instance_id, patch in gold.items()
    ]


def _resolved(part: Path, gold: Mapping[str, str]) -> int:
    verdicts = _read(part, Verdict)
    if gold.keys() != {verdict.instance_id for verdict in verdicts}:
        raise InputError(f"{part}: does not hold the instances of the gold reference; let the run finish")
    return sum(verdict.resolved for verdict in verdicts)


FILES: dict[type[BaseModel], str] = {Prediction: "predictions.jsonl", Verdict: "verdicts.jsonl"}


def _read(part: Path, kind: type[Row]) -> list[Row]:
    """All lines of one file of a checkpoint's or reference's part of a run."""
    path = part / FILES[kind]
    if not path.is_file():
        raise InputError(f"{path}: missing; the study needs the references gold and empty, and a finished run")
    try:
        return [kind.model_validate(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        raise InputError(f"{path}: can't be read ({error_line(error)})") from error


def check_alike(checkpoints: Sequence[Checkpoint]) -> None:
    """Raises InputError where checkpoints differ in more than packing and seed, and between arms the budget."""
    first = checkpoints[0]
    shared = shared_conditions(first.card)
    arms: dict[str, tuple[str, int]] = {}
    for checkpoint in checkpoints:
        name, card = f"{checkpoint.arm}.seed{checkpoint.seed}", checkpoint.card
        found = shared_conditions(card)
        if other := [what for what in shared if found[what] != shared[what]]:
            raise InputError(f"{name}: trained with another {' and '.join(other)} than {first.arm}.seed{first.seed}")
        if arms.setdefault(checkpoint.arm, (card.data_sha256, card.tokens)) != (card.data_sha256, card.tokens):
            raise InputError(f"{name}: trained on other data, or on more or less of it, than other seeds of its arm")


def _check_table(rows: Mapping[str, Mapping[str, Mapping[str, str]]], records: Sequence[Record]) -> None:
    """Raises InputError where the run's own table counts other resolved instances than its verdicts."""
    counted: dict[tuple[str, str], int] = {}
    for record in records:
        key = f"{record.arm}.seed{record.seed}", record.condition
        counted[key] = counted.get(key, 0) + record.resolved
    for (name, condition), resolved in counted.items():
        told = rows[name][condition]["resolved"]
        if int(told) != resolved:
            raise InputError(
                f"{name}, {condition}: table.csv says {told} resolved, the verdicts {resolved}; run it again"
            )
