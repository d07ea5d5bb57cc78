"""What a gate's requirement may say."""

import math

import pytest

from harness.errors import InputError
from harness.statistics.requirement import Decision, Requirement, parse_requirement
from harness.statistics.share import Interval


@pytest.mark.parametrize(
    ("text", "metric", "condition", "margin", "confidence"),
    [
        ("resolve_rate >= -5pp @ 95%", "resolve_rate", None, -0.05, 0.95),
        ("  resolve_rate>=+2.5pp@90% ", "resolve_rate", None, 0.025, 0.9),
        ("resolve_rate[gt-file] >= 0pp @ 97.5%", "resolve_rate", "gt-file", 0.0, 0.975),
        ("empty_rate [ model ] <= 3 pp @ 95 %", "empty_rate", "model", 0.03, 0.95),
        ("similarity >= -1pp @ 95%", "similarity", None, -0.01, 0.95),
        ("resolve_rate \N{GREATER-THAN OR EQUAL TO} \N{MINUS SIGN}5pp @ 95%", "resolve_rate", None, -0.05, 0.95),
    ],
)
def test_what_is_read(text, metric, condition, margin, confidence):
    found = parse_requirement(text)
    assert found == Requirement(text.strip(), metric, condition, pytest.approx(margin), pytest.approx(confidence))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is no requirement; write one like 'resolve_rate >= -5pp @ 95%'"),
        ("resolve_rate >= -5 @ 95%", "is no requirement"),
        ("resolve_rate >= -5pp", "is no requirement"),
        ("resolve_rate > -5pp @ 95%", "is no requirement"),
        ("resolve_rate >= nanpp @ 95%", "is no requirement"),
        ("resolved_rate >= -5pp @ 95%", "no metric 'resolved_rate'; did you mean resolve_rate?"),
        ("speed >= -5pp @ 95%", "no metric 'speed'; name one of resolve_rate, similarity, empty_rate"),
        ("resolve_rate[gt-files] >= -5pp @ 95%", "no condition 'gt-files'; did you mean gt-file?"),
        ("resolve_rate[] >= -5pp @ 95%", "no condition ''"),
        ("resolve_rate <= -5pp @ 95%", "resolve_rate takes >=, not <="),
        ("empty_rate >= 5pp @ 95%", "empty_rate takes <=, not >="),
        ("resolve_rate >= -100pp @ 95%", "a margin of -100 points"),
        ("resolve_rate >= -5pp @ 100%", "above 50% and below 100%"),
        ("resolve_rate >= -5pp @ 50%", "above 50% and below 100%"),
    ],
)
def test_what_is_refused(text, complaint):
    with pytest.raises(InputError) as error:
        parse_requirement(text)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_both_bounds_have_to_be_on_one_side_of_the_margin():
    rate, empty = parse_requirement("resolve_rate >= -5pp @ 95%"), parse_requirement("empty_rate <= 5pp @ 95%")
    for low, high, decision in (
        (-0.05, 0.1, Decision.HOLDS),
        (-0.0501, 0.1, Decision.NOT_DECIDED),
        (-0.2, -0.05, Decision.NOT_DECIDED),
        (-0.2, -0.0501, Decision.BROKEN),
    ):
        assert rate.decide(Interval(low, high)) is decision
        assert empty.decide(Interval(-high, -low)) is decision


def test_a_bound_equal_to_the_margin_but_for_rounding_holds():
    assert parse_requirement("resolve_rate >= -70pp @ 95%").decide(Interval(0.1 - 0.8, 0.1 - 0.8)) is Decision.HOLDS


@pytest.mark.parametrize("bounds", [(math.nan, 0.1), (-0.1, math.nan), (0.2, 0.1)])
def test_bounds_that_are_none_are_refused(bounds):
    with pytest.raises(InputError, match="are none"):
        parse_requirement("resolve_rate >= -5pp @ 95%").decide(Interval(*bounds))
