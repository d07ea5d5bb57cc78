"""`make ablation`: every checkpoint of the laboratory through the harness, as any user's run, and the study of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from harness.build.build_instances import build_instances
from harness.common.files import write_whole
from harness.config.load import load_run_file
from harness.config.schema import RunConfig
from harness.core.verdict import Outcome
from harness.dataset.instances import dataset_key, load_instances
from harness.errors import InputError
from harness.miniature.generate import generate
from harness.miniature.split import Split
from harness.packing.metrics_file import load_numbers
from harness.pipeline.demo import pipeline_settings
from harness.pipeline.run import run_pipeline
from lab import CARD
from lab.arms import Arm
from lab.laboratory import Laboratory
from lab.study import Study, joined, load_study, read_study, write_study
from lab.study.analysis import subset_ids
from lab.study.card import read_card, shared_conditions
from lab.study.run_files import settings_of
from lab.study.study import check_alike
from lab.training.step import fitting_precision
from lab.training.train import chosen_device

INSTANCES_SEED = 1  # not the demonstration's
ELSEWHERE = "name another output folder"


@dataclass(frozen=True)
class Instances:
    """How many instances of each split every checkpoint meets."""

    held_out: int  # of the kinds of bug that training shows
    transfer: int  # of other kinds; 0 for none

    @property
    def counts(self) -> dict[Split, int]:
        """By split, those that there are."""
        wanted: dict[Split, int] = {"held-out": self.held_out, "transfer": self.transfer}
        return {split: count for split, count in wanted.items() if count}


def run_ablation(
    laboratory: Laboratory,
    output: Path,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    instances: Instances,
    at_once: int,
    progress: Callable[[str], None],
) -> None:
    """Seed by seed: train every arm, evaluate it on the instances, write the study to ``output``.

    What the study in ``output`` holds already is not done again, wherever it was made, unless the machine failed in an
    evaluation; the same call goes on where it was stopped. Raises InputError, before anything is trained, if that
    study is of other instances, or its checkpoints were made or evaluated otherwise; and what its parts raise.
    """
    study = load_study(output)
    if study:
        laboratory.prepare(arms, seeds, progress)
        check_planned(study, laboratory, arms, seeds, instances)
    for seed in seeds:
        missing = [arm for arm in arms if not (study and _is_held(study, arm, seed))]
        if not missing:
            continue
        rows = make_instances(laboratory.folder / "study", instances)
        settings = run_settings(laboratory, rows, missing, seed)
        if study:
            check_run(study, rows, settings)
            check_precision(study, [arm for arm in missing if not laboratory.checkpoint(arm, seed).exists()])
        laboratory.make(missing, [seed], at_once, progress)
        run_file = rows.parent / "run.yaml"
        write_whole(run_file, yaml.safe_dump(settings, sort_keys=False))
        progress(f"run: {run_file}")
        config = load_run_file(run_file)
        run_pipeline(config)
        found = read_study(config.output, laboratory.folder / "checkpoints")
        study = joined(study, found) if study else found
        write_study(study, output)
    if study:
        write_study(study, output)  # notes may be new


def _is_held(study: Study, arm: Arm, seed: int) -> bool:
    """Whether the study has this checkpoint, and the machine did not fail in any of its evaluations."""
    outcomes = {record.outcome for record in study.records if (record.arm, record.seed) == (arm.name, seed)}
    return bool(outcomes) and Outcome.INFRASTRUCTURE not in outcomes


def check_planned(
    study: Study, laboratory: Laboratory, arms: Sequence[Arm], seeds: Sequence[int], instances: Instances
) -> None:
    """Raises InputError if checkpoints made as planned, or made already, could not be joined to the study's."""
    found = {name: len(ids) for name, ids in subset_ids(study).items()}
    if found != instances.counts:
        raise InputError(f"the study is of {found} instances, not {instances.counts}; {ELSEWHERE}")
    for arm in arms:
        numbers = load_numbers(laboratory.metrics(), arm.strategy)
        for kept in study.of(arm.name):
            name, card = f"{arm.name}.seed{kept.seed}", kept.card
            if (card.packing.documents, card.packing.tokens) != (numbers["documents"], numbers["tokens"]):
                raise InputError(f"{name} of the study was trained on another corpus; {ELSEWHERE}")
            asked = arm.tokens(laboratory.corpus.tokens, numbers)
            if card.tokens_asked != asked:
                raise InputError(f"{name} of the study had {card.tokens_asked:,} slots, not {asked:,}; {ELSEWHERE}")
    first = shared_conditions(study.checkpoints[0].card)
    planned = {"recipe": replace(laboratory.recipe, threads=0, compile=True), "context length": laboratory.context}
    if other := [what for what, value in planned.items() if first[what] != value]:
        raise InputError(f"the study's checkpoints were trained with another {' and '.join(other)}; {ELSEWHERE}")
    wanted = [(arm, seed) for arm in arms for seed in seeds if not _is_held(study, arm, seed)]
    folders = {(arm.name, seed): laboratory.checkpoint(arm, seed) for arm, seed in wanted}
    made = [(*place, read_card(folder / CARD)) for place, folder in folders.items() if folder.exists()]
    check_alike([*((kept.arm, kept.seed, kept.card) for kept in study.checkpoints), *made])


def check_run(study: Study, rows: Path, settings: Mapping[str, Any]) -> None:
    """Raises InputError if a run of these rows and settings could not be joined to the study."""
    circumstances, planned = study.circumstances, RunConfig.model_validate(settings)
    if circumstances.dataset != dataset_key(load_instances(str(rows))):
        raise InputError(f"the study is of other instances under the same names; {ELSEWHERE}")
    shared = settings_of(planned.model_dump(mode="json"))
    if (circumstances.settings, circumstances.server_args) != (shared, planned.serving.args):
        raise InputError(f"the study's runs had other settings or server arguments; {ELSEWHERE}")


def check_precision(study: Study, untrained: Sequence[Arm]) -> None:
    """Raises InputError if these arms would be trained here in another precision than the study's were."""
    theirs = study.checkpoints[0].card.precision
    ours = str(fitting_precision(chosen_device("auto"))).removeprefix("torch.")
    if untrained and ours != theirs:
        raise InputError(
            f"the study's checkpoints were trained in {theirs}, and this machine trains in {ours}; "
            f"train them elsewhere (python -m lab make --plan-only) or {ELSEWHERE}"
        )


def make_instances(folder: Path, instances: Instances) -> Path:
    """Make the instances of all splits with their images in ``folder``; returns their rows in one file."""
    parts = []
    for split, count in instances.counts.items():
        made = generate(folder / split, INSTANCES_SEED, count, split)
        parts.append(folder / f"{split}.jsonl")
        build_instances(str(made.rows), recipes=made.recipes, rows=parts[-1])
    rows = folder / "rows.jsonl"
    write_whole(rows, "".join(part.read_text(encoding="utf-8") for part in parts))
    return rows


def run_settings(laboratory: Laboratory, rows: Path, arms: Sequence[Arm], seed: int) -> dict[str, Any]:
    """What the run file of one seed says, which lies beside the rows."""
    metrics = str(laboratory.metrics().resolve())
    checkpoints = [
        {
            "name": laboratory.checkpoint(arm, seed).name,
            "path": str(laboratory.checkpoint(arm, seed).resolve()),
            "strategy": arm.strategy,
            "packing_metrics": metrics,
        }
        for arm in arms
    ]
    return pipeline_settings() | {"dataset": {"path": rows.name}, "checkpoints": checkpoints}
