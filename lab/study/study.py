"""What a run and its checkpoints' cards say, as flat records: one for each arm, seed, condition and instance."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import AliasChoices, Field

from harness.common.run_folder import RunFolder
from harness.compare.finished import patches_of, verdicts_of
from harness.compare.run_table import TableRow, read_table
from harness.core.conditions import Condition, Reference
from harness.core.verdict import Outcome
from harness.errors import InputError
from harness.model.checkpoint import checkpoint_revision
from harness.report.similarity import similarity
from lab import CARD
from lab.arms import ARMS
from lab.study.card import Card, read_card, shared_conditions
from lab.study.run_files import Frozen, read_frozen, settings_of

CHECKPOINT_NAME = re.compile(r"(?P<arm>.+)\.seed(?P<seed>\d+)")
MINIATURE_ID = re.compile(r"miniature__[^-]+(?:-(?P<tag>.+))?-\d+")
ORDINARY = "held-out"  # subset of the instances whose ids name none


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
    strategy: Annotated[str, Field(validation_alias=AliasChoices("strategy", "packing"))]  # packing: its old name
    packing_metrics: Mapping[str, float]
    card: Card
    costs: Costs


@dataclass(frozen=True)
class Circumstances:
    """What its runs ran under, from their ``frozen.yaml``."""

    dataset: str  # key of the instances' content
    settings: Mapping[str, Any]  # the configuration, without checkpoints, folders and what is the machine's
    server_args: tuple[str, ...]  # that every checkpoint was served with
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

    Raises InputError if the run or a card can't be read, an instance is missing anywhere, the references gold and
    empty were not run or the machine failed in them, or checkpoints were not made and served alike.
    """
    rows, frozen = read_table(run), read_frozen(run)
    with RunFolder(run) as folder:
        if missing := [kind for kind in get_args(Reference) if not folder.part(kind, None).is_dir()]:
            raise InputError(f"{run}: has no {missing[0]}; the study needs the references gold and empty")
        gold = patches_of(folder.part("gold", None))
        references = {kind: _resolved(folder.part(kind, None), gold) for kind in get_args(Reference)}
        found = sorted((_checkpoint(name, group, checkpoints) for name, group in rows.items()), key=place_of)
        conditions = _conditions(rows)
        records = tuple(
            record
            for checkpoint in found
            for condition in conditions
            for record in _attempts(folder, checkpoint, condition, gold)
        )
    check_alike((checkpoint.arm, checkpoint.seed, checkpoint.card) for checkpoint in found)
    _check_weights(frozen, checkpoints)
    _check_table(rows, records)
    settings = settings_of(frozen.configuration.model_dump(mode="json"))
    circumstances = Circumstances(frozen.dataset, settings, _server_args(frozen, rows), (frozen.versions,))
    return Study(tuple(found), conditions, tuple(gold), references, records, circumstances)


def subset_of(instance_id: str) -> str:
    """The part of the miniature set that an instance belongs to: what its id says between package and number."""
    match = MINIATURE_ID.fullmatch(instance_id)
    return (match["tag"] if match else None) or ORDINARY


def _conditions(rows: Mapping[str, Mapping[Condition, TableRow]]) -> tuple[Condition, ...]:
    return tuple(c for c in get_args(Condition) if all(c in group for group in rows.values()))


def _checkpoint(name: str, group: Mapping[Condition, TableRow], checkpoints: Path) -> Checkpoint:
    match = CHECKPOINT_NAME.fullmatch(name)
    if match is None:
        raise InputError(f"checkpoint {name}: the study needs names of the form ARM.seedN")
    card = read_card(checkpoints / name / CARD)
    if card.seed != int(match["seed"]):
        raise InputError(f"{checkpoints / name}: its card says seed {card.seed}")
    rows = list(group.values())
    told = rows[0].strategy or card.packing.strategy
    if told != card.packing.strategy:
        raise InputError(f"checkpoint {name}: the run says strategy {told}, its card {card.packing.strategy}")
    return Checkpoint(
        arm=match["arm"],
        seed=card.seed,
        strategy=told,
        packing_metrics=rows[0].packing_metrics,
        card=card,
        costs=Costs(
            prompt_tokens=sum(row.prompt_tokens for row in rows),
            completion_tokens=sum(row.completion_tokens for row in rows),
            model_seconds=sum(row.model_seconds for row in rows),
            test_seconds=sum(row.test_seconds for row in rows),
        ),
    )


def place_of(checkpoint: Checkpoint) -> tuple[int, str, int]:
    """What a study's checkpoints are sorted by: their arms' order, then the seed."""
    order = [arm.name for arm in ARMS]
    return order.index(checkpoint.arm) if checkpoint.arm in order else len(order), checkpoint.arm, checkpoint.seed


def _attempts(folder: RunFolder, checkpoint: Checkpoint, condition: Condition, gold: Mapping[str, str]) -> list[Record]:
    part = folder.part(f"{checkpoint.arm}.seed{checkpoint.seed}", condition)
    patches, verdicts = patches_of(part), verdicts_of(part)
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
    verdicts = verdicts_of(part).values()
    if gold.keys() != {verdict.instance_id for verdict in verdicts}:
        raise InputError(f"{part}: does not hold the instances of the gold reference; let the run finish")
    failed = sum(verdict.outcome is Outcome.INFRASTRUCTURE for verdict in verdicts)
    if failed:
        raise InputError(f"{part}: the machine failed in {failed} of {len(verdicts)} evaluations; run it again")
    return sum(verdict.resolved for verdict in verdicts)


def check_alike(trained: Iterable[tuple[str, int, Card]]) -> None:
    """Of (arm, seed, card): raises InputError if more than packing and seed differ, and between arms the budget."""
    first: tuple[str, Mapping[str, Any]] | None = None
    arms: dict[str, tuple[str, int]] = {}
    for arm, seed, card in trained:
        name, found = f"{arm}.seed{seed}", shared_conditions(card)
        first = first or (name, found)
        if other := [what for what in found if found[what] != first[1][what]]:
            raise InputError(f"{name}: trained with another {' and '.join(other)} than {first[0]}")
        if arms.setdefault(arm, (card.data_sha256, card.tokens)) != (card.data_sha256, card.tokens):
            raise InputError(f"{name}: trained on other data, or on more or less of it, than other seeds of its arm")


def _check_weights(frozen: Frozen, checkpoints: Path) -> None:
    """Raises InputError if a folder does not hold the weights, or a tokenizer, that the run served."""
    for name, weights in frozen.weights.items():
        if weights != checkpoint_revision(checkpoints / name):
            raise InputError(
                f"{checkpoints / name}: not the files that the run evaluated; name their folder, or run it again"
            )


def _server_args(frozen: Frozen, names: Iterable[str]) -> tuple[str, ...]:
    """The arguments that all checkpoints were served with; raises InputError if they differ."""
    found = {frozen.server_args(name): name for name in names}
    if len(found) > 1:
        raise InputError(f"{' and '.join(found.values())} were served with different arguments")
    return next(iter(found))


def _check_table(rows: Mapping[str, Mapping[Condition, TableRow]], records: Sequence[Record]) -> None:
    """Raises InputError if the run's own table counts other resolved instances than its verdicts."""
    counted: dict[tuple[str, Condition], int] = {}
    for record in records:
        key = f"{record.arm}.seed{record.seed}", record.condition
        counted[key] = counted.get(key, 0) + record.resolved
    for (name, condition), resolved in counted.items():
        told = rows[name][condition].resolved
        if told != resolved:
            raise InputError(
                f"{name}, {condition}: table.csv says {told} resolved, the verdicts {resolved}; run it again"
            )
