"""Denominators, intervals and averages of the summary rows."""

from dataclasses import replace

import pytest

from harness.core.conditions import Condition
from harness.core.verdict import Outcome, Phase, Verdict
from harness.report.summary import Attempt, summarise
from harness.statistics.share import wilson

PHASES = {
    Outcome.RESOLVED: Phase.GRADE,
    Outcome.UNRESOLVED: Phase.GRADE,
    Outcome.EMPTY_PATCH: Phase.PATCH,
    Outcome.PATCH_FAILED: Phase.PATCH,
    Outcome.TIMEOUT: Phase.TESTS,
    Outcome.INFRASTRUCTURE: Phase.PREPARE,
    Outcome.UNREADABLE_LOG: Phase.GRADE,
    Outcome.NOT_SUBMITTED: Phase.PREPARE,
}


def attempt(
    instance_id: str,
    outcome: Outcome,
    checkpoint: str = "a",
    condition: Condition | None = "model",
    similarity: float | None = 0.5,
) -> Attempt:
    return Attempt(
        checkpoint=checkpoint,
        strategy="best-fit",
        packing_metrics={"padding": 0.01},
        condition=condition,
        instance_id=instance_id,
        verdict=Verdict(instance_id=instance_id, outcome=outcome, phase=PHASES[outcome], test_seconds=2.0),
        similarity=similarity,
        empty=outcome is Outcome.EMPTY_PATCH,
        candidate_reasons={"no-match": 1} if outcome is Outcome.EMPTY_PATCH else {},
        prompt_tokens=100,
        completion_tokens=10,
        model_seconds=1.5,
    )


def test_infrastructure_failures_stay_in_the_denominator_and_are_told_apart() -> None:
    outcomes = [Outcome.RESOLVED, Outcome.UNRESOLVED, Outcome.INFRASTRUCTURE, Outcome.INFRASTRUCTURE]
    (row,) = summarise(attempt(f"i{n}", outcome) for n, outcome in enumerate(outcomes))
    assert (row.resolved, row.instances, row.resolve_rate) == (1, 4, 0.25)
    assert (row.graded, row.resolve_rate_graded) == (2, 0.5)
    assert row.bounds == (0.25, 0.75)
    assert row.interval == wilson(1, 4)
    assert row.outcomes == {"infrastructure": 2, "resolved": 1, "unresolved": 1}


def test_instances_with_a_cut_prompt_are_counted() -> None:
    attempts = [attempt(f"i{n}", Outcome.RESOLVED) for n in range(3)]
    (row,) = summarise([replace(attempts[0], cut_prompt=True), replace(attempts[1], cut_prompt=True), attempts[2]])
    assert row.cut_prompts == 2


def test_rate_without_failures_is_undefined_when_all_failed() -> None:
    (row,) = summarise([attempt("i", Outcome.INFRASTRUCTURE)])
    assert row.resolve_rate == 0
    assert row.bounds == (0, 1)
    assert row.resolve_rate_graded is None


def test_only_what_the_machine_failed_on_is_ungraded() -> None:
    others = [outcome for outcome in PHASES if outcome not in (Outcome.RESOLVED, Outcome.INFRASTRUCTURE)]
    (row,) = summarise(attempt(f"i{n}", outcome) for n, outcome in enumerate([Outcome.RESOLVED, *others]))
    assert row.bounds == (row.resolve_rate, row.resolve_rate)


def test_sums_shares_and_mean_over_the_instances_that_have_a_similarity() -> None:
    (row,) = summarise(
        [
            attempt("i1", Outcome.RESOLVED, similarity=0.9),
            attempt("i2", Outcome.EMPTY_PATCH, similarity=None),
            attempt("i3", Outcome.PATCH_FAILED, similarity=0.1),
            attempt("i4", Outcome.TIMEOUT, similarity=0.2),
        ]
    )
    assert (row.applied, row.applied_share) == (2, 0.5)
    assert (row.empty, row.empty_share) == (1, 0.25)
    assert row.similarity == pytest.approx(0.4)
    assert row.similarity_instances == 3
    assert (row.prompt_tokens, row.completion_tokens) == (400, 40)
    assert (row.model_seconds, row.test_seconds) == (6.0, 8.0)
    assert row.reasons == {"no-match": 1}


def test_one_row_for_each_checkpoint_and_condition_in_their_order() -> None:
    attempts = [
        attempt("i", Outcome.RESOLVED, "b", "gt-file"),
        attempt("i", Outcome.RESOLVED, "a", "model"),
        attempt("j", Outcome.RESOLVED, "b", "gt-file"),
        attempt("i", Outcome.RESOLVED, "gold", None),
    ]
    rows = summarise(attempts)
    assert [(row.checkpoint, row.condition, row.instances) for row in rows] == [
        ("b", "gt-file", 2),
        ("a", "model", 1),
        ("gold", None, 1),
    ]


def test_an_instance_counted_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        summarise([attempt("i", Outcome.RESOLVED), attempt("i", Outcome.UNRESOLVED)])
