"""One comparison of two arms: which method, what is left out, and that its parts never disagree."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from harness.errors import InputError
from harness.statistics.compare import Counts, compare
from harness.statistics.crossed import Resampler, crossed_difference
from harness.statistics.outcomes import Pair, PairedOutcomes, pair_up
from harness.statistics.paired import Discordance, exact_mcnemar, tango_bounds

REPOSITORIES = tuple(f"owner/{name}" for name in "abcdefg")


def outcomes(first, second):
    """Arrays (instances, seeds, samples), or vectors of one sample each; None or nan: not graded."""
    pairs = []
    for number, arms in enumerate(zip(first, second, strict=True)):
        shaped = [np.array(arm, dtype=float).reshape(np.shape(arm) or (1, 1)).tolist() for arm in arms]
        cells = [tuple(tuple(None if math.isnan(s) else s for s in seed) for seed in arm) for arm in shaped]
        pairs.append(Pair(f"i-{number}", REPOSITORIES[number % len(REPOSITORIES)], *cells))
    return PairedOutcomes(tuple(pairs))


def drawn(seeds, samples, instances=60, seed=0):
    random = np.random.default_rng(seed)
    chances = random.beta(0.4, 0.6, instances)
    return [(random.random((instances, seeds, samples)) < chances[:, None, None]).astype(float) for _ in range(2)]


def test_one_sample_each_is_tangos():
    found = compare(outcomes([1, 1, 0, 0, 1, 0, 0, 0], [1, 0, 1, 1, 1, 0, 0, 1]))
    seen = Discordance(1, 3, 8)
    assert (found.method, found.estimate, found.seen.counts) == ("tango", 0.25, Counts(1, 3, 2, 2))
    assert (found.bounds, found.interval) == (tango_bounds(seen, 0.95), tango_bounds(seen, 0.975))
    assert found.p_exact == exact_mcnemar(seen)
    assert not found.trainings
    assert "these checkpoints only" in found.why


def test_several_samples_are_averaged_within_an_instance():
    first, second = drawn(1, 4)
    found = compare(outcomes(first, second))
    means = first.mean(axis=(1, 2)), second.mean(axis=(1, 2))
    difference = means[1] - means[0]
    assert found.method == "paired-t"
    assert found.estimate == pytest.approx(difference.mean())
    low, high = stats.t.interval(0.95, 59, difference.mean(), stats.sem(difference))
    assert (found.interval.high - found.interval.low) / (high - low) == pytest.approx(1, rel=0.15)
    assert found.interval.high - found.interval.low > high - low  # an instance is kept
    counts = found.seen.counts
    assert counts.only_second - counts.only_first == pytest.approx(60 * found.estimate)
    assert counts.only_first + counts.only_second + counts.both + counts.neither == pytest.approx(60)


def test_two_seeds_speak_of_these_checkpoints_only_and_three_of_trainings():
    two, three = compare(outcomes(*drawn(2, 1))), compare(outcomes(*drawn(3, 1)))
    assert (two.method, two.trainings, three.method, three.trainings) == ("paired-t", False, "min-f", True)
    assert "these checkpoints only" in two.why
    assert "these checkpoints only" not in three.why


def test_seeds_are_the_laboratorys_min_f_but_for_the_instance_that_is_kept():
    first, second = drawn(5, 1)
    found = compare(outcomes(first, second))
    scores = [grid[:, :, 0].T for grid in (second, first)]
    laboratory = crossed_difference(Resampler(60), *scores, (0, 1))
    assert found.estimate == pytest.approx(laboratory.mean)
    assert found.interval == pytest.approx(laboratory.interval, abs=0.01)
    assert found.interval.high - found.interval.low > laboratory.interval.high - laboratory.interval.low


def test_seeds_are_never_taken_for_samples():
    """Checkpoints that differ by their seed alone: as samples the difference would be sure, as seeds it is not."""
    first, second = np.zeros((90, 3, 1)), np.zeros((90, 3, 1))
    first[:60, 0], second[:60, :2] = 1, 1
    as_seeds = compare(outcomes(first, second))
    as_samples = compare(outcomes(first.reshape(90, 1, 3), second.reshape(90, 1, 3)))
    assert as_seeds.estimate == as_samples.estimate
    assert as_samples.p < 0.001
    assert as_seeds.p > 0.5


def test_what_was_not_graded_is_left_out_and_widens_the_bounds():
    nan = math.nan
    first, second = [1, 1, 0, 0, nan, 0] * 10, [1, 0, 1, 1, 1, nan] * 10
    found = compare(outcomes(first, second))
    kept = compare(outcomes([1, 1, 0, 0] * 10, [1, 0, 1, 1] * 10))
    assert (found.seen.instances, found.seen.total, found.seen.ungraded) == (40, 60, 20)
    assert (found.estimate, found.bounds, found.p) == (kept.estimate, kept.bounds, kept.p)
    worst = compare(outcomes([1, 1, 0, 0, 1, 0] * 10, [1, 0, 1, 1, 1, 0] * 10))
    best = compare(outcomes([1, 1, 0, 0, 0, 0] * 10, [1, 0, 1, 1, 1, 1] * 10))
    assert found.bounds_ungraded == (worst.bounds.low, best.bounds.high)
    assert found.distinguishable == (worst.bounds.low > 0 and found.interval.low > 0)
    assert kept.bounds_ungraded == kept.bounds


def test_a_sample_that_was_not_graded_does_not_drop_its_instance():
    first, second = drawn(1, 3)
    first[:20, 0, 0] = math.nan
    assert compare(outcomes(first, second)).seen.instances == 60


def test_instances_that_a_seed_has_no_grade_on_do_not_move_its_mean():
    """Seeds alike on every instance, the hard half of them not graded under one seed."""
    first = np.repeat((np.arange(40) < 20).astype(float)[:, None, None], 3, axis=1)
    holed = first.copy()
    holed[20:, 0] = math.nan
    whole, part = compare(outcomes(first, first)), compare(outcomes(first, holed))
    assert part.estimate == whole.estimate == 0
    assert part.interval == pytest.approx(whole.interval)


def test_the_tables_claim_knows_all_but_what_was_not_graded():
    first, second = [1, 0, 0, 1] * 10, [1, 1, 0, 1] * 10
    found = compare(outcomes(first, second), "table")
    assert (found.method, found.p, found.interval) == ("whole-table", None, (0.25, 0.25))
    assert found.distinguishable
    holed = compare(outcomes(first, [1, math.nan, 0, 1] * 10), "table")
    assert holed.interval == (0.0, 0.25)
    assert not holed.distinguishable


def test_variances_are_of_samples_alone():
    random = np.random.default_rng(0)
    first, second = (random.random((4000, 1, 4)) < chance for chance in (0.5, 0.7))
    within, between = compare(outcomes(first.astype(float), second.astype(float))).variances
    assert within == pytest.approx(0.25 + 0.21, abs=0.01)
    assert between == pytest.approx(0, abs=0.01)
    assert compare(outcomes(*drawn(1, 1))).variances is None
    assert compare(outcomes(*drawn(3, 2))).variances is None


def test_scores_between_0_and_1_have_no_counts():
    found = compare(outcomes([0.5, 0.2, 1.0], [0.25, 0.4, 0.0]))
    assert (found.method, found.seen.counts, found.p_exact) == ("paired-t", None, None)


def test_a_single_instance_shows_nothing():
    found = compare(outcomes([0.5], [0.75]))
    assert (found.interval, found.p, found.detectable) == ((-1.0, 1.0), 1.0, None)


grades = st.sampled_from([0.0, 1.0, None])


def graded(cells):
    return any(score is not None for samples in cells for score in samples)


@given(st.integers(1, 4), st.integers(1, 2), st.integers(2, 12), st.data())
def test_interval_p_and_counts_never_disagree(seeds, samples, instances, data):
    def arm():
        cells = st.tuples(*[st.tuples(*[grades] * samples)] * seeds)
        return data.draw(st.lists(cells, min_size=instances, max_size=instances))

    pairs = tuple(Pair(str(n), "r", *cells) for n, cells in enumerate(zip(arm(), arm(), strict=True)))
    assume(any(graded(pair.first) and graded(pair.second) for pair in pairs))
    found = compare(PairedOutcomes(pairs))
    assert -1 <= found.interval.low <= found.bounds.low <= found.estimate <= found.bounds.high <= found.interval.high
    assert found.seen.second_rate - found.seen.first_rate == pytest.approx(found.estimate)
    counts = found.seen.counts
    assert (counts.only_second - counts.only_first) / found.seen.instances == pytest.approx(found.estimate, abs=1e-6)
    if abs(found.p - 0.05) > 1e-6:
        assert (found.interval.low > 0 or found.interval.high < 0) == (found.p < 0.05)
    assert not math.isnan(found.p + found.bounds_ungraded.low + found.bounds_ungraded.high)
    turned = compare(PairedOutcomes(tuple(replace(p, first=p.second, second=p.first) for p in pairs)))
    assert turned.interval == pytest.approx((-found.interval.high, -found.interval.low), abs=1e-7)
    if not found.seen.ungraded:
        assert found.bounds_ungraded == found.bounds


@pytest.mark.parametrize("score", [math.nan, -0.1, 1.5, math.inf])
def test_what_is_no_score_is_refused(score):
    with pytest.raises(InputError, match=r"i-1: .* is no score"):
        PairedOutcomes((Pair("i-0", "r", ((1.0,),), ((1.0,),)), Pair("i-1", "r", ((1.0,),), ((score,),))))


def test_other_instances_and_odd_shapes_are_refused():
    one, two = ((1.0,),), ((1.0,), (0.0,))
    with pytest.raises(InputError, match=r"2 instances .* \(a, c\)"):
        pair_up({"a": one, "b": one}, {"b": one, "c": one}, dict.fromkeys("abc", "r"))
    with pytest.raises(InputError, match="equally many seeds"):
        PairedOutcomes((Pair("a", "r", one, one), Pair("b", "r", two, one)))
    with pytest.raises(InputError, match="twice"):
        PairedOutcomes((Pair("a", "r", one, one), Pair("a", "r", one, one)))
    with pytest.raises(InputError, match="no instance"):
        PairedOutcomes(())
    with pytest.raises(InputError, match="no instance was graded"):
        compare(outcomes([math.nan, 1], [1, math.nan]))
