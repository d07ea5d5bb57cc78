"""What can be found wrong with a run before anything is pulled, served or made: all of it at once."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness.common.paths import check_folder
from harness.common.run_folder import require_kind
from harness.config.schema import CheckpointConfig, RunConfig
from harness.core.instance import Instance
from harness.dataset.instances import load_instances
from harness.dataset.recipes import load_recipes
from harness.errors import InfrastructureError, InputError
from harness.grading.exclusions import Soundness, open_soundness
from harness.localize.stages import localization_stages
from harness.model.adapter import check_adapter
from harness.model.checkpoint import check_arguments, check_checkpoint, context_length, server_arguments
from harness.model.devices import check_batch_invariance, check_placing, devices_here, served_here
from harness.model.embeddings import embeddings_key
from harness.model.manner import read_manner
from harness.model.prompts import Prompts
from harness.model.recorded import RecordedModel
from harness.model.remote import api_key, open_endpoints
from harness.model.tokens import PromptTokens
from harness.packing.metrics_file import load_metrics
from harness.pipeline.lengths import LocalLengths, check_lengths, stage_samplings
from harness.repair.sample import STAGE as REPAIR_STAGE
from harness.validate.check import validation_stages

log = logging.getLogger(__name__)

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
    issues = [instance.problem_statement for instance in instances or ()]
    repairs = (tried(partial(bare_repairs, prompts, issues)) if prompts and config.checkpoints else None) or issues
    unreachable: list[str] = []
    for checkpoint in config.checkpoints:
        tried(partial(read_packing_metrics, checkpoint))
        try:
            tried(partial(check_source, checkpoint, config, issues, repairs))
        except InfrastructureError as error:
            unreachable.append(f"checkpoint {checkpoint.name}: {error}")
    if any(map(served_here, config.checkpoints)):
        tried(partial(check_batch_invariance, config.serving))
    if config.localization.retrieval.embeddings:
        tried(partial(embeddings_key, config.localization.retrieval.embeddings))
    nothing_to_do = len(unreachable) == len(config.checkpoints) and not (config.output / "journal").exists()
    if problems or (unreachable and nothing_to_do) or not (instances and prompts and soundness):
        raise InputError(" | ".join(problems + unreachable))
    for line in unreachable:
        log.warning("%s; the run goes on without it", line)
    return Named(instances, prompts, soundness)


def check_source(
    checkpoint: CheckpointConfig, config: RunConfig, issues: Sequence[str], repairs: Sequence[str]
) -> None:
    """Raises InputError if a checkpoint can't answer, as far as its folder, its file or its endpoint says.

    InfrastructureError if its endpoint can't be reached now.
    """
    api_key(checkpoint)
    check_arguments((*config.serving.args, *checkpoint.server_args))
    here = devices_here(config.serving) if config.evaluation.executor == "local" else ()
    check_placing(checkpoint, config.serving, here)
    asyncio.run(_check_lengths(checkpoint, config, issues, repairs))


async def _check_lengths(
    checkpoint: CheckpointConfig, config: RunConfig, issues: Sequence[str], repairs: Sequence[str]
) -> None:
    samplings = stage_samplings(config)
    check = partial(check_lengths, checkpoint.name, samplings=samplings, issues=issues, repairs=repairs)
    if checkpoint.addresses:
        async with AsyncExitStack() as opened:
            endpoint = await open_endpoints(checkpoint, config.serving, config.sampling.concurrency, opened)
            await endpoint.check()
            await check(endpoint)
    elif checkpoint.answers is not None:
        await check(RecordedModel(checkpoint, config.serving))
    elif checkpoint.weights is not None:
        check_checkpoint(checkpoint.weights)
        if checkpoint.adapter is not None:
            check_adapter(checkpoint.adapter)
        args = server_arguments(checkpoint, config.serving)
        context = context_length(checkpoint.weights, args)
        await check(LocalLengths(PromptTokens(checkpoint.weights, args, read_manner(checkpoint)), context))


def read_prompts(config: RunConfig) -> Prompts:
    """The prompt set of a run; raises InputError if it is none, or lacks a stage that is asked in."""
    prompts = Prompts(config.prompts)
    stages = [REPAIR_STAGE, *validation_stages(config.validation)]
    if "model" in config.conditions:
        stages += localization_stages(config.localization)
    if config.checkpoints:
        prompts.require(stages)
    return prompts


def bare_repairs(prompts: Prompts, issues: Sequence[str]) -> list[str]:
    """The repair prompts of issues before any source is in them. Raises InputError for a template that is broken."""
    return [prompts.render(REPAIR_STAGE, issue=issue, files=()) for issue in issues]


def read_packing_metrics(checkpoint: CheckpointConfig) -> dict[str, float]:
    """The packing metrics of a checkpoint's corpus: written in the run file, or in the file that it names.

    Raises InputError for a file that holds no metrics of the checkpoint's packing strategy.
    """
    given = checkpoint.packing_metrics
    if isinstance(given, Path):
        if checkpoint.strategy is None:
            raise InputError(
                f"checkpoint {checkpoint.name}: packing_metrics names a file, so strategy must say which row"
            )
        return load_metrics(given, checkpoint.strategy)
    return given or {}
