"""Gates: on finished results, and those that stop early on a beginning of the order."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import InputError
from harness.statistics.betting import table_gate
from harness.statistics.gate import fixed_gate
from harness.statistics.group_sequential import checkpoint_gate
from harness.statistics.order import Plan, shuffled
from harness.statistics.outcomes import Pair, PairedOutcomes
from harness.statistics.requirement import Decision, parse_requirement

REQUIREMENT = parse_requirement("resolve_rate >= -5pp @ 95%")
GATES = [checkpoint_gate, table_gate]


def drawn(total, loss, seed=0, earlier=3):
    """(plan, outcomes of the candidate): the candidate loses this share of what its difficulty lets it resolve."""
    random = np.random.default_rng(seed)
    ids = shuffled([f"i-{number}" for number in range(total)], seed)
    chances = random.beta(0.3, 0.4, total)

    def scores(factor):
        return dict(zip(ids, (random.random(total) < chances * factor).astype(float).tolist(), strict=True))

    return Plan(REQUIREMENT, ids, scores(1), tuple(scores(1) for _ in range(earlier))), scores(1 - loss)


def paired(first, second):
    return PairedOutcomes(
        tuple(Pair(str(n), "r", ((a,),), ((b,),)) for n, (a, b) in enumerate(zip(first, second, strict=True)))
    )


def test_finished_results_hold_break_and_leave_open():
    for lost, gained, decision in ((4, 6, "holds"), (60, 5, "broken"), (25, 10, "not-decided")):
        first = [1.0] * lost + [0.0] * gained + [1.0] * (300 - lost - gained)
        second = [0.0] * lost + [1.0] * gained + [1.0] * (300 - lost - gained)
        found = fixed_gate(REQUIREMENT, paired(first, second))
        assert found.decision == decision
        assert found.comparison.estimate == pytest.approx((gained - lost) / 300)


def test_what_was_not_graded_is_no_pass_and_no_failure():
    first, second = [1.0] * 150 + [0.0] * 150, [1.0] * 150 + [0.0] * 150
    assert fixed_gate(REQUIREMENT, paired(first, second)).decision is Decision.HOLDS
    found = fixed_gate(REQUIREMENT, paired(first, [None] * 20 + second[20:]))
    assert found.decision is Decision.NOT_DECIDED
    assert "20 outcomes without a grade could turn it" in found.why
    assert fixed_gate(REQUIREMENT, paired(first, [0.0] * 140 + [None] * 10 + second[150:])).decision is Decision.BROKEN


def test_a_few_instances_decide_nothing_however_they_end():
    found = fixed_gate(REQUIREMENT, paired([1.0] * 49, [0.0] * 49))
    assert (found.decision, found.why) == (Decision.NOT_DECIDED, "49 graded instances decide nothing; it takes 50")
    assert fixed_gate(REQUIREMENT, paired([1.0] * 50, [0.0] * 50)).decision is Decision.BROKEN
    for gate in GATES:
        plan, done = drawn(49, 1.0)
        assert gate(plan, done).decision is Decision.NOT_DECIDED


def test_the_tables_claim_takes_the_difference_for_what_it_is():
    first, second = [1.0] * 100, [0.0] * 6 + [1.0] * 94
    assert fixed_gate(REQUIREMENT, paired(first, second), "table").decision is Decision.BROKEN
    assert fixed_gate(REQUIREMENT, paired(first, second)).decision is Decision.NOT_DECIDED
    assert (
        fixed_gate(REQUIREMENT, paired(first, [None] * 2 + second[1:5] + [1.0] * 94), "table").decision
        is Decision.NOT_DECIDED
    )


def test_a_margin_that_is_decidable_is_decided_as_often_as_said():
    random, first = np.random.default_rng(0), np.random.default_rng(1).random(400) < 0.5
    found, held = fixed_gate(REQUIREMENT, paired(*np.zeros((2, 400)))), 0
    noise = 0.15
    margins = []
    for _ in range(200):
        second = np.where(random.random(400) < noise, random.random(400) < 0.5, first)
        found = fixed_gate(REQUIREMENT, paired(first.astype(float), second.astype(float)))
        margins.append(found.decidable)
        held += found.comparison.bounds.low >= -np.median(margins)
    assert held / 200 == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize("gate", GATES)
def test_a_clear_loss_is_broken_early_and_none_holds(gate):
    broken, equal = gate(*drawn(400, 0.6)), gate(*drawn(400, -0.2, seed=1))
    assert (broken.decision, equal.decision) == (Decision.BROKEN, Decision.HOLDS)
    assert 50 <= broken.looked < 200
    assert broken.bounds.high < -0.05 <= equal.bounds.low
    assert broken.bounds.low <= broken.estimate <= broken.bounds.high


@pytest.mark.parametrize("gate", GATES)
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 50), loss=st.sampled_from([0.0, 0.15, 0.4]), shuffle=st.integers(0, 9))
def test_the_order_of_completions_changes_no_verdict(gate, seed, loss, shuffle):
    """What comes early is looked at when all before it has come: a gate that took what was there first would not."""
    plan, outcomes = drawn(120, loss, seed)
    arrivals = list(plan.order)
    Random(shuffle).shuffle(arrivals)
    arrivals.sort(key=lambda name: -outcomes[name])  # what resolves finishes first
    done, first = {}, None
    for name in arrivals:
        done[name] = outcomes[name]
        if len(done) % 10 == 0 or len(done) == 120:
            found = gate(plan, done)
            if first is None and found.decision is not Decision.NOT_DECIDED:
                first = found
    assert gate(plan, outcomes) == (first or found)


@pytest.mark.parametrize("gate", GATES)
def test_what_lies_beyond_the_beginning_is_not_looked_at(gate):
    plan, outcomes = drawn(200, 0.1)
    hole = plan.order[120]
    part = {name: score for name, score in outcomes.items() if name != hole}
    other = {**part, **dict.fromkeys(plan.order[121:], 0.0)}
    assert gate(plan, part) == gate(plan, other) == gate(plan, {n: outcomes[n] for n in plan.order[:120]})


@pytest.mark.parametrize("gate", GATES)
def test_what_the_machine_failed_on_counts_against_either_decision(gate):
    plan, outcomes = drawn(300, 0.0, seed=4)
    holds = gate(plan, outcomes)
    holed = {name: None if number % 5 == 0 else outcomes[name] for number, name in enumerate(plan.order)}
    found = gate(plan, holed)
    assert holds.decision is Decision.HOLDS
    assert found.decision is Decision.NOT_DECIDED
    assert found.bounds.high - found.bounds.low > 0.15
    without = {name: None if number % 4 == 0 else score for number, (name, score) in enumerate(plan.baseline.items())}
    assert gate(Plan(REQUIREMENT, plan.order, without), outcomes).decision is Decision.NOT_DECIDED


@pytest.mark.parametrize("gate", GATES)
def test_less_is_better_for_empty_patches(gate):
    """The same outcomes, said as failures: the same verdict, the bounds turned."""
    plan, outcomes = drawn(300, 0.5)
    turned = [{name: 1 - score for name, score in s.items()} for s in (plan.baseline, outcomes, *plan.earlier)]
    empty = parse_requirement("empty_rate <= 5pp @ 95%")
    one, other = gate(plan, outcomes), gate(Plan(empty, plan.order, turned[0], tuple(turned[2:])), turned[1])
    assert (one.decision, one.looked) == (other.decision, other.looked) == (Decision.BROKEN, one.looked)
    assert (other.bounds.low, other.bounds.high) == pytest.approx((-one.bounds.high, -one.bounds.low))
    assert other.estimate == pytest.approx(-one.estimate)


def test_all_done_the_table_is_known():
    plan, outcomes = drawn(100, 0.1, seed=3)
    wide = Plan(parse_requirement("resolve_rate >= -99pp @ 99.99999%"), plan.order, plan.baseline)
    difference = sum(outcomes.values()) / 100 - sum(plan.baseline.values()) / 100
    for claim in (plan, wide):
        found = table_gate(claim, outcomes)
        assert found.bounds.low <= difference + 1e-9
        assert found.bounds.high >= difference - 1e-9


def test_after_all_instances_the_checkpoints_estimate_is_the_plain_difference():
    """With nothing left to predict, covariates change nothing."""
    plan, outcomes = drawn(300, 0.14, seed=6)
    found = checkpoint_gate(plan, outcomes)
    assert found.looked == 300
    difference = (sum(outcomes.values()) - sum(plan.baseline.values())) / 300
    assert found.estimate == pytest.approx(difference)


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_refuses_what_is_no_score_and_strangers(gate):
    plan, outcomes = drawn(60, 0.0)
    with pytest.raises(InputError, match="nan is no score"):
        gate(plan, {**outcomes, plan.order[5]: math.nan})
    with pytest.raises(InputError, match="other-1 is not in the gate's order"):
        gate(plan, {"other-1": 1.0})
    with pytest.raises(InputError, match="nan is no score"):
        Plan(REQUIREMENT, plan.order, {**plan.baseline, plan.order[5]: math.nan})
    with pytest.raises(InputError, match="was not run by the baseline"):
        Plan(REQUIREMENT, (*plan.order, "other-1"), plan.baseline)
    with pytest.raises(InputError, match="twice"):
        Plan(REQUIREMENT, (*plan.order, plan.order[0]), plan.baseline)


def test_the_tables_claim_refuses_means_over_samples():
    plan, outcomes = drawn(60, 0.0)
    with pytest.raises(InputError, match="one sample of each instance"):
        table_gate(plan, {**outcomes, plan.order[0]: 0.5})


def test_the_shuffle_is_of_the_seed_alone():
    ids = [f"i-{number}" for number in range(300)]
    assert shuffled(ids, 7) == shuffled(ids[::-1], 7) != shuffled(ids, 8)
    assert sorted(shuffled(ids, 7)) == sorted(ids)
    places = [shuffled(ids, seed).index("i-3") for seed in range(400)]
    assert np.mean(places) == pytest.approx(149.5, abs=15)
