"""The gate on a run file: runs the candidate in a recorded random order, and no further than the question needs."""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.common.error_line import error_line
from harness.common.files import write_json
from harness.common.hashing import content_key
from harness.common.paths import check_folder
from harness.compare.finished import Arm, Attempted, Part, read_arm
from harness.compare.run_changes import require_one_dataset
from harness.compare.run_gate import RunGate, require_one_setting
from harness.compare.scores import cells, paired
from harness.config.schema import RunConfig
from harness.core.conditions import Condition
from harness.core.instance import Instance
from harness.dataset.instances import dataset_key, load_instances
from harness.errors import InfrastructureError, InputError
from harness.pipeline.run import run_pipeline
from harness.report.attempt_scores import attempt_scores
from harness.report.write import Result
from harness.statistics.betting import table_gate
from harness.statistics.compare import Claim, compare
from harness.statistics.gate import Judged
from harness.statistics.group_sequential import EVERY, checkpoint_gate
from harness.statistics.order import FEWEST, Plan, Stopped, shuffled
from harness.statistics.outcomes import PairedOutcomes, Score
from harness.statistics.power import detectable
from harness.statistics.requirement import Decision, Requirement, parse_requirement
from harness.statistics.spending import looks

RECORD = "gate.json"  # what is fixed before the first look
GATES: dict[Claim, Callable[[Plan, Mapping[str, Score]], Stopped]] = {
    "checkpoint": checkpoint_gate,
    "table": table_gate,
}


@dataclass(frozen=True)
class Question:
    """What a gate asks, fixed before its first look."""

    against: str  # name of the baseline
    requirements: tuple[str, ...]
    claim: Claim = "checkpoint"
    history: tuple[str, ...] = ()  # names of checkpoints before the baseline


def gate_run(config: RunConfig, question: Question, seed: int | None = None) -> RunGate:
    """Run a run file's checkpoint until the question is decided, and return what was decided.

    The order comes from ``seed``, by default a random one; it is recorded in the output folder, with the question.
    Started again, the gate goes on from there. Raises InputError for a run file without just one checkpoint, a
    baseline under other settings or on other instances, and a question that is not the recorded one; and
    InfrastructureError if the machine failed on every instance.
    """
    if len(config.checkpoints) != 1:
        raise InputError("a gate runs one checkpoint; name just one in the run file, or use finished results")
    required = tuple(parse_requirement(text) for text in question.requirements)
    if not required:
        raise InputError("a gate needs a requirement; give --require")
    config = config.model_copy(update={"references": ()})
    dataset = config.dataset
    instances = load_instances(dataset.path, dataset.split, dataset.instances, dataset.limit)
    baseline = read_arm(question.against)
    history = [read_arm(name) for name in question.history]
    candidate = _candidate(config, instances)
    for known in (baseline, *history):
        require_one_dataset(known, candidate)
        require_one_setting(known, candidate)
    check_folder(config.output, "the output folder")
    order = shuffled([instance.instance_id for instance in instances], _recorded(config, question, baseline, seed))
    gate = GatePace(config, required, question, baseline, history, order)
    run_pipeline(config, gate)
    return gate.outcome(candidate)


def _candidate(config: RunConfig, instances: Sequence[Instance]) -> Arm:
    frozen = {"configuration": config.model_dump(mode="json"), "dataset": dataset_key(instances)}
    name = config.checkpoints[0].name
    return Arm(name, (name.replace("/", "__"),), {}, None, frozen, config.output)


def _recorded(config: RunConfig, question: Question, baseline: Arm, seed: int | None) -> int:
    """The seed of the order: the recorded one, or ``seed``, or a random one, which is recorded now."""
    path = config.output / RECORD
    asked = {
        "against": content_key(verdicts=_outcomes(baseline)),
        "requirements": list(question.requirements),
        "claim": question.claim,
        "history": list(question.history),
        "configuration": content_key(configuration=_determining(config)),
    }
    if not path.is_file():
        seed = secrets.randbelow(1 << 32) if seed is None else seed
        write_json(path, {"seed": seed, **asked})
        return seed
    kept = _read_record(path)
    changed = [name for name, value in asked.items() if kept.get(name) != value]
    changed += ["seed"] if seed not in (None, kept.get("seed")) else []
    if changed or not isinstance(kept.get("seed"), int):
        what = ", ".join(changed) or "seed"
        raise InputError(f"{path}: the gate changed after it was begun ({what}); name another output folder")
    return int(kept["seed"])


def _read_record(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: can't be read ({error_line(error)}); name another output folder") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: is no gate's record; name another output folder")
    return found


def _outcomes(arm: Arm) -> list[tuple[str, int, str, str]]:
    return sorted(
        (condition or "", seed, name, one.verdict.outcome.value)
        for condition, seeds in arm.parts.items()
        for seed, part in enumerate(seeds)
        for name, one in part.items()
    )


def _determining(config: RunConfig) -> dict[str, Any]:
    document = config.model_dump(mode="json")
    return {name: document[name] for name in ("checkpoints", "conditions", "sampling", "prompts", "dataset")}


class GatePace:
    """Lets instances begin up to the next look, and ends the run at the look that decides."""

    def __init__(
        self,
        config: RunConfig,
        required: Sequence[Requirement],
        question: Question,
        baseline: Arm,
        history: Sequence[Arm],
        order: Sequence[str],
    ) -> None:
        self._config, self._question, self._baseline, self._order = config, question, baseline, tuple(order)
        self._required = tuple(required)
        self._plans = [self._plan(requirement, history) for requirement in required]
        self._attempts: dict[Condition, dict[str, Attempted]] = {condition: {} for condition in config.conditions}
        self._looks = looks(len(order), FEWEST, EVERY) or (len(order),)
        self._look = 0  # place of the next look
        self._stopped: list[Stopped] = []
        self._moved = asyncio.Event()

    def order(self, instances: Sequence[Instance]) -> list[Instance]:
        """The instances in the gate's order."""
        known = {instance.instance_id: instance for instance in instances}
        return [known[name] for name in self._order]

    async def may_begin(self, number: int) -> bool:
        """Wait until the looks before the instance are over."""
        while not self._decided and number >= self._looks[self._look]:
            self._moved.clear()
            await self._moved.wait()
        return not self._decided

    def ended(self, result: Result) -> None:
        """Keep a result, and look if all instances up to the next look have theirs."""
        attempt = result.attempt
        if attempt.condition is None:
            return
        scores = attempt_scores(attempt, result.stages)
        self._attempts[attempt.condition][attempt.instance_id] = Attempted(attempt.verdict, result.patch, scores)
        while not self._decided and all(
            name in part for part in self._attempts.values() for name in self._order[: self._looks[self._look]]
        ):
            if self._look_now() or self._look == len(self._looks) - 1:
                break
            self._look += 1
        self._moved.set()

    @property
    def _decided(self) -> bool:
        return bool(self._stopped) and _decision([one.decision for one in self._stopped]) is not Decision.NOT_DECIDED

    def _look_now(self) -> bool:
        seen = self._order[: self._looks[self._look]]
        gate = GATES[self._question.claim]
        self._stopped = [
            gate(plan, self._scores(requirement, seen))
            for plan, requirement in zip(self._plans, self._required, strict=True)
        ]
        return self._decided

    def _plan(self, requirement: Requirement, history: Sequence[Arm]) -> Plan:
        known = [self._known(arm, requirement) for arm in (self._baseline, *history)]
        return Plan(requirement, self._order, known[0], tuple(known[1:]))

    def _known(self, arm: Arm, requirement: Requirement) -> dict[str, Score]:
        """The mean score of each instance over an arm's seeds; None if one of them has no grade."""
        chosen = self._conditions(requirement)
        if missing := [condition for condition in chosen if condition not in arm.parts]:
            raise InputError(f"{arm.name}: was not run under {missing[0]}")
        found = cells([arm.parts[condition] for condition in chosen], requirement.metric, arm.gold or {})
        if odd := sorted(found.keys() ^ set(self._order)):
            raise InputError(f"{arm.name}: {odd[0]} was run under one of the two only; gate on the same instances")
        return {name: _mean([samples[0] for samples in seeds]) for name, seeds in found.items()}

    def _conditions(self, requirement: Requirement) -> list[Condition]:
        if requirement.condition is None:
            return list(self._config.conditions)
        if requirement.condition not in self._config.conditions:
            raise InputError(f"{requirement.text}: the run file has no condition {requirement.condition}")
        return [requirement.condition]

    def _scores(self, requirement: Requirement, names: Sequence[str]) -> dict[str, Score]:
        parts: list[tuple[Part, ...]] = [
            ({name: self._attempts[condition][name] for name in names},) for condition in self._conditions(requirement)
        ]
        return {name: seeds[0][0] for name, seeds in cells(parts, requirement.metric, {}).items()}

    def outcome(self, candidate: Arm) -> RunGate:
        """What was decided, and what it rests on."""
        if not self._stopped:
            raise InputError("the run ended before its first look; start it again")
        looked = self._looks[self._look]
        done = replace(candidate, parts={condition: (part,) for condition, part in self._attempts.items()})
        judged = tuple(
            _judged(
                requirement, stopped, self._pairs(done, requirement, stopped.looked or looked), self._question.claim
            )
            for requirement, stopped in zip(self._required, self._stopped, strict=True)
        )
        seed = _read_record(self._config.output / RECORD)["seed"]
        return RunGate(self._baseline, done, judged, order=f"seed {seed}; {looked} of {len(self._order)} instances run")

    def _pairs(self, done: Arm, requirement: Requirement, looked: int) -> PairedOutcomes:
        """Both arms on the beginning of the order that was looked at."""
        names = self._order[:looked]

        def beginning(arm: Arm) -> Arm:
            kept: dict[Condition | None, tuple[Part, ...]] = {
                c: tuple({n: seed[n] for n in names} for seed in arm.parts[c]) for c in self._attempts
            }
            return replace(arm, parts=kept)

        found = paired(beginning(self._baseline), beginning(done), requirement.metric, requirement.condition)
        if not found.comparable:
            raise InfrastructureError("the machine failed on every instance that was begun; start the gate again")
        return found


def _judged(requirement: Requirement, stopped: Stopped, outcomes: PairedOutcomes, claim: Claim) -> Judged:
    found = compare(outcomes, claim, requirement.confidence)
    seen = replace(found.seen, total=stopped.total)
    estimate = found.estimate if stopped.estimate is None else stopped.estimate
    shown = replace(found, seen=seen, estimate=estimate, bounds=stopped.bounds, bounds_ungraded=stopped.bounds)
    error = compare(outcomes, "checkpoint", requirement.confidence).error
    whole = error * (len(outcomes.pairs) / stopped.total) ** 0.5
    least = detectable(whole, found.freedom, requirement.confidence) if claim == "checkpoint" else None
    return Judged(requirement, shown, stopped.decision, stopped.why, least if least and least <= 1 else None, None)


def _decision(found: Sequence[Decision]) -> Decision:
    if Decision.BROKEN in found:
        return Decision.BROKEN
    return Decision.HOLDS if set(found) == {Decision.HOLDS} else Decision.NOT_DECIDED


def _mean(scores: Sequence[Score]) -> Score:
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if len(known) == len(scores) else None
