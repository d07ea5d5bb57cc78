"""What the tables and pictures of a page need of one attempt, and where it was lost: values in, values out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from harness.core.candidate import Reason
from harness.core.verdict import Outcome, Verdict

Step = Literal["instances", "located", "patch", "applied", "tested", "resolved"]
STEPS: tuple[Step, ...] = ("instances", "located", "patch", "applied", "tested", "resolved")
UNTESTED = {Outcome.NO_RESULTS, Outcome.UNREADABLE_LOG, Outcome.TIMEOUT, Outcome.OUT_OF_MEMORY, Outcome.INFRASTRUCTURE}
TESTS = (
    "fail_to_pass_success", "fail_to_pass_failure", "pass_to_pass_success", "pass_to_pass_failure",
    "cut_ids_matched", "cut_ids_ambiguous",
)  # fmt: skip


class Part(NamedTuple):
    """One checkpoint under one condition; a reference and given predictions have none."""

    checkpoint: str
    condition: str


@dataclass(frozen=True)
class Loss:
    """The first step that an attempt did not reach, and why."""

    step: Step
    reason: str


@dataclass(frozen=True)
class AttemptFacts:
    """One attempt, without its tests, prompts and answers."""

    verdict: Verdict  # without names of tests, of which a run has millions
    patch: str
    loss: Loss | None  # None if it resolves


def attempt_facts(verdict: Verdict, patch: str, trail: Mapping[str, Any]) -> AttemptFacts:
    """The facts of an attempt from its verdict, its selected patch and its line of ``trail.jsonl``."""
    light = verdict.model_copy(update=dict.fromkeys(TESTS, ()))
    return AttemptFacts(light, patch, _loss(verdict, patch, trail.get("candidates") or ()))


def _loss(verdict: Verdict, patch: str, candidates: Sequence[Mapping[str, Any]]) -> Loss | None:
    outcome = verdict.outcome
    if outcome is Outcome.RESOLVED:
        return None
    if not patch.strip():
        reasons = Counter(str(candidate.get("reason") or "not selected") for candidate in candidates)
        reason = reasons.most_common(1)[0][0] if reasons else outcome.value
        return Loss("located" if reason == Reason.NO_LOCATION.value else "patch", reason)
    if outcome in UNTESTED:
        return Loss("tested", outcome.value)
    if outcome is not Outcome.UNRESOLVED:
        return Loss("applied", outcome.value)
    broken = "breaks tests that passed" if verdict.pass_to_pass_failure else ""
    unmended = "issue not fixed" if verdict.fail_to_pass_failure else ""
    return Loss("resolved", " and ".join(filter(None, (unmended, broken))) or outcome.value)


@dataclass(frozen=True)
class Funnel:
    """How many instances reach each step, and the reasons why others do not, the most frequent first."""

    reached: Mapping[Step, int]
    lost: Mapping[Step, Mapping[str, int]]


def funnel(facts: Iterable[AttemptFacts]) -> Funnel:
    """The way of all attempts of one part."""
    losses = [one.loss for one in facts]
    lost = {step: Counter(loss.reason for loss in losses if loss and loss.step == step) for step in STEPS}
    left, reached = len(losses), {}
    for step in STEPS:
        left -= lost[step].total()
        reached[step] = left
    return Funnel(reached, {step: dict(counts.most_common()) for step, counts in lost.items()})
