"""What can be found wrong with a run before anything is pulled, served or made: all of it at once."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness.common.paths import check_folder
from harness.common.run_folder import require_kind
from harness.config.schema import CheckpointConfig, RunConfig, ServingConfig
from harness.core.instance import Instance
from harness.dataset.load import load_instances
from harness.dataset.recipes import load_recipes
from harness.errors import InputError
from harness.grading.exclusions import Soundness, open_soundness
from harness.localize.stages import localization_stages
from harness.model.checkpoint import check_arguments, check_checkpoint, context_length, server_arguments
from harness.model.client import api_key
from harness.model.embeddings import embeddings_key
from harness.model.manner import read_manner
from harness.model.prompts import Prompts
from harness.model.recorded import RecordedModel
from harness.model.tokens import PromptTokens
from harness.packing.metrics_file import load_metrics
from harness.repair.sample import STAGE as REPAIR_STAGE
from harness.validate.check import validation_stages

Found = TypeVar("Found")


@dataclass(frozen=True)
class Named:
    """What a run file names, read."""

    instances: list[Instance]
    prompts: Prompts
    soundness: Soundness


def preflight(config: RunConfig) -> Named:
    """Read what the run file names. Raises InputError with all that is wrong with it."""
    problems: list[str] = []

    def tried(read: Callable[[], Found]) -> Found | None:
        try:
            return read()
        except InputError as error:
            problems.append(str(error))
            return None

    dataset = config.dataset
    tried(partial(check_folder, config.output, "the output folder"))
    tried(partial(require_kind, config.output, "run"))
    instances = tried(partial(load_instances, dataset.path, dataset.split, dataset.instances, dataset.limit))
    prompts = tried(partial(read_prompts, config))
    soundness = tried(partial(open_soundness, config.evaluation.calibration))
    if dataset.recipes:
        tried(partial(load_recipes, dataset.recipes))
    for checkpoint in config.checkpoints:
        tried(partial(read_packing_metrics, checkpoint))
        tried(partial(check_source, checkpoint, config.serving))
    if config.localization.retrieval.embeddings:
        tried(partial(embeddings_key, config.localization.retrieval.embeddings))
    if problems or not (instances and prompts and soundness):
        raise InputError(" | ".join(problems))
    return Named(instances, prompts, soundness)


def check_source(checkpoint: CheckpointConfig, serving: ServingConfig) -> None:
    """Raises InputError if a checkpoint's answers are not available, as far as its folder, file or variable shows."""
    api_key(checkpoint)
    check_arguments((*serving.args, *checkpoint.server_args))
    manner = read_manner(checkpoint)
    if checkpoint.answers is not None:
        RecordedModel(checkpoint, serving)
    elif checkpoint.path is not None:
        check_checkpoint(checkpoint.path)
        args = server_arguments(checkpoint, serving)
        context_length(checkpoint.path, args)
        PromptTokens(checkpoint.path, args, manner)


def read_prompts(config: RunConfig) -> Prompts:
    """The prompt set of a run; raises InputError if it is none, or lacks a stage that is asked in."""
    prompts = Prompts(config.prompts)
    stages = [REPAIR_STAGE, *validation_stages(config.validation)]
    if "model" in config.conditions:
        stages += localization_stages(config.localization)
    if config.checkpoints:
        prompts.require(stages)
    return prompts


def read_packing_metrics(checkpoint: CheckpointConfig) -> dict[str, float]:
    """The packing metrics of a checkpoint's corpus: written in the run file, or in the file that it names.

    Raises InputError for a file that holds no metrics of the checkpoint's packing strategy.
    """
    given = checkpoint.packing_metrics
    if isinstance(given, Path):
        if checkpoint.packing is None:
            raise InputError(
                f"checkpoint {checkpoint.name}: packing_metrics names a file, so packing must say which row"
            )
        return load_metrics(given, checkpoint.packing)
    return given or {}
