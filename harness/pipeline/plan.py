"""What a run would do, from its run file and its folder alone: nothing is started, asked, pulled or written."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.common.run_folder import journal_path, require_kind
from harness.compare.finished import folder_name, read_frozen
from harness.compare.frames import json_lines
from harness.config.schema import CheckpointConfig, RunConfig
from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.dataset.instances import load_instances
from harness.errors import EngineUnreachable
from harness.grading.executor import default_workers
from harness.images.disk import GIB
from harness.images.open_images import open_images
from harness.model.checkpoint import check_checkpoint, served_revision, server_arguments
from harness.pipeline.plan_changes import ANSWERS, EVALUATIONS, Change, changes
from harness.pipeline.preflight import read_prompts
from harness.report.attempts_file import ATTEMPTS

Attempt = tuple[str, str, str]  # checkpoint or reference, condition, instance id


@dataclass(frozen=True)
class CheckpointPlan:
    """One checkpoint."""

    name: str
    attempts: int
    finished: int  # of them, whose answers and verdicts are all there
    answers_known: int  # in the journal, of this checkpoint's weights
    answers_to_ask: int  # at most: conditions may share questions


@dataclass(frozen=True)
class Images:
    """The instances' images; None for what no engine was there to say."""

    here: int | None
    missing: int | None
    missing_ids: tuple[str, ...] = ()
    bytes_each: float | None = None  # of those here, layers that they share counted once; None if not known


@dataclass(frozen=True)
class Expense:
    """What is still to come takes, by the means of earlier records; None if there are none."""

    prompt_tokens: int | None
    completion_tokens: int | None
    model_seconds: int | None  # of wall time, with as many requests under way as the run file says
    test_seconds: int | None  # of wall time, with so many workers
    disk_gib: float | None  # of images that are missing, by the size of those here


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    instances: int
    checkpoints: tuple[CheckpointPlan, ...]
    evaluations_known: int
    evaluations_to_run: int  # at most: equal patches are tested once, empty ones never
    images: Images
    expense: Expense
    changes: tuple[Change, ...]  # since the last finished run into this folder

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return {"version": 1, **asdict(self)}


def plan(config: RunConfig) -> Plan:
    """What `harness run` would do now. Raises InputError for what the user must mend."""
    require_kind(config.output, "run")
    dataset = config.dataset
    instances = load_instances(dataset.path, dataset.split, dataset.instances, dataset.limit)
    read_prompts(config)
    changed = _changes(config)
    ended = _ended(config, instances, changed)
    spent = list(_answers(config.output))
    checkpoints = tuple(_checkpoint(c, config, len(instances), ended, spent) for c in config.checkpoints)
    attempts = len(instances) * (len(config.references) + len(config.checkpoints) * len(config.conditions))
    images = _images(config, instances)
    to_run = attempts - len(ended)
    asked = sum(checkpoint.answers_to_ask for checkpoint in checkpoints)
    return Plan(
        instances=len(instances),
        checkpoints=checkpoints,
        evaluations_known=len(ended),
        evaluations_to_run=to_run,
        images=images,
        expense=_expense(config, spent, asked, to_run, images),
        changes=tuple(changed),
    )


def _changes(config: RunConfig) -> list[Change]:
    frozen = read_frozen(config.output / "frozen.yaml")
    before = frozen.get("configuration")
    if not isinstance(before, Mapping):
        return []
    found = changes(before, config.model_dump(mode="json"))
    seen = frozen.get("checkpoints") or {}
    told = {change.checkpoint for change in found if change.bears_on == ANSWERS}
    for checkpoint in config.checkpoints:
        old, new = seen.get(checkpoint.name), _revision(checkpoint, config)
        if old and new and old != new and not told & {checkpoint.name, ""}:
            key = f"weights of {checkpoint.name}"
            found.append(Change(key, old, new, ANSWERS, checkpoint.name))
    return found


def _revision(checkpoint: CheckpointConfig, config: RunConfig) -> str | None:
    """The revision of weights that are served here; None of others."""
    if checkpoint.weights is None or checkpoint.answers is not None:
        return None
    check_checkpoint(checkpoint.weights)
    serving = config.serving
    return served_revision(checkpoint, server_arguments(checkpoint, serving), serving.batch_invariant)


def _ended(config: RunConfig, instances: Sequence[Instance], changed: Sequence[Change]) -> set[Attempt]:
    """Attempts of which nothing is to be done again."""
    wanted = {instance.instance_id for instance in instances}
    anew = {change.checkpoint for change in changed if change.bears_on == ANSWERS}
    if "" in anew or any(change.bears_on == EVALUATIONS for change in changed):
        anew |= {checkpoint.name for checkpoint in config.checkpoints}
    if any(change.bears_on == EVALUATIONS for change in changed):
        anew |= set(config.references)
    keys = {line["key"] for name in ("answers", "evaluations") for line in _journal(config.output, name)}
    places: list[tuple[str, str]] = [(kind, "") for kind in config.references]
    places += [(c.name, condition) for c in config.checkpoints for condition in config.conditions]
    found = chain.from_iterable(_written(config.output, *place) for place in places)
    under_way = _under_way(config.output)
    return {
        attempt
        for attempt, outcome, rests_on in chain(found, under_way)
        if attempt[0] not in anew and attempt[2] in wanted and attempt[:2] in places
        if outcome not in (Outcome.INFRASTRUCTURE, Outcome.NOT_SUBMITTED) and keys.issuperset(rests_on)
    }


def _written(folder: Path, name: str, condition: str) -> Iterator[tuple[Attempt, str, set[str]]]:
    """Attempts of a finished run, each with its outcome and the keys of its records."""
    part = folder / "checkpoints" / folder_name(name) / condition
    trails = {line["instance_id"]: line for line in json_lines(part / "trail.jsonl")}
    for verdict in json_lines(part / "verdicts.jsonl"):
        trail = trails.get(verdict["instance_id"], {})
        yield (name, condition, verdict["instance_id"]), verdict["outcome"], _keys(trail, verdict)


def _under_way(folder: Path) -> Iterator[tuple[Attempt, str, set[str]]]:
    """The same of a run that was stopped."""
    for line in json_lines(folder / ATTEMPTS, torn=True):
        attempt = line["attempt"]
        place = (attempt["checkpoint"], attempt["condition"] or "", attempt["instance_id"])
        yield place, attempt["verdict"]["outcome"], _keys(line["trail"], attempt["verdict"])


def _keys(trail: Mapping[str, Any], verdict: Mapping[str, Any]) -> set[str]:
    answers = (answer["key"] for answer in trail.get("answers", ()))
    return {key for key in (*answers, verdict.get("key", "")) if key}


def _answers(folder: Path) -> Iterator[dict[str, Any]]:
    for line in _journal(folder, "answers"):
        if line.get("kind") == "answer":
            took = line["answer"]
            yield {
                "revision": line["revision"],
                "instance": line.get("instance_id"),
                "took": (took["prompt_tokens"], took["completion_tokens"], took["seconds"]),
            }


def _checkpoint(
    checkpoint: CheckpointConfig,
    config: RunConfig,
    instances: int,
    ended: set[Attempt],
    spent: Sequence[Mapping[str, Any]],
) -> CheckpointPlan:
    attempts = instances * len(config.conditions)
    finished = Counter(condition for name, condition, _ in ended if name == checkpoint.name)
    per_condition = {condition: questions(config, condition) for condition in config.conditions}
    to_ask = sum((instances - finished[condition]) * count for condition, count in per_condition.items())
    revision = _revision(checkpoint, config)
    named = read_frozen(config.output / "frozen.yaml").get("checkpoints") or {}
    revision = revision or named.get(checkpoint.name)
    known = sum(answer["revision"] == revision for answer in spent)
    recorded = checkpoint.answers is not None
    return CheckpointPlan(checkpoint.name, attempts, finished.total(), known, 0 if recorded else to_ask)


def questions(config: RunConfig, condition: str) -> int:
    """How many questions one attempt asks at most."""
    localization, validation = config.localization, config.validation
    sets, located = 1, 0
    if condition == "model":
        lines = localization.lines
        located = 1 + localization.folders.enabled + localization.elements.enabled + lines.samples
        sets = 1 if lines.merged else max(1, lines.samples)
    checked = validation.regression.enabled + validation.reproduction.samples
    return located + sets * config.sampling.samples + checked


def _images(config: RunConfig, instances: Sequence[Instance]) -> Images:
    if config.evaluation.executor != "local":
        return Images(None, None)  # they lie on other machines
    try:
        with open_images(config.evaluation) as images:
            found = {instance.instance_id: images.find(instance) for instance in instances}
            here = {image for image in found.values() if image}
            taken = images.size(here) if here else None
    except EngineUnreachable:  # the rest of the plan holds all the same
        return Images(None, None)
    missing = tuple(instance_id for instance_id, image in found.items() if image is None)
    return Images(len(instances) - len(missing), len(missing), missing, None if taken is None else taken / len(here))


def _expense(
    config: RunConfig, spent: Sequence[Mapping[str, Any]], to_ask: int, to_run: int, images: Images
) -> Expense:
    took = [answer["took"] for answer in spent]
    tokens = [round(to_ask * fmean(each[n] for each in took)) if took else None for n in (0, 1)]
    waiting = round(to_ask * fmean(each[2] for each in took) / config.sampling.concurrency) if took else None
    ran = [line["verdict"]["seconds"] for line in _journal(config.output, "evaluations") if line.get("verdict")]
    workers = config.evaluation.workers or default_workers(config.evaluation)
    return Expense(
        prompt_tokens=0 if not to_ask else tokens[0],
        completion_tokens=0 if not to_ask else tokens[1],
        model_seconds=0 if not to_ask else waiting,
        test_seconds=0 if not to_run else round(to_run * fmean(ran) / workers) if ran else None,
        disk_gib=disk_gib(images),
    )


def disk_gib(images: Images) -> float | None:
    """GiB of the images that are missing, by the mean of those here; None if that is not known."""
    if not images.missing:
        return None if images.missing is None else 0.0
    return None if images.bytes_each is None else round(images.missing * images.bytes_each / GIB, 1)


def _journal(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    return json_lines(journal_path(folder, name), torn=True)  # a run may write to it meanwhile
