"""The cost of distinct answers: sums, and the time in which any of them was under way."""

import pytest

from harness.core.interfaces import Answer
from harness.report.checkpoint_cost import CheckpointCost, checkpoint_cost


def answer(began: float, seconds: float) -> Answer:
    return Answer("a", "stop", 100, 10, seconds, began=began)


@pytest.mark.parametrize(
    ("spans", "wall"),
    [
        ([(10, 5), (12, 5)], 7),  # they overlap
        ([(10, 5), (11, 1)], 5),  # one lies within the other
        ([(10, 5), (100, 5)], 10),  # the run was continued later
        ([(10, 5), (15, 5)], 10),
        ([(0, 5), (0, 7)], 0),  # records of an earlier version do not say when
        ([], 0),
    ],
)
def test_time_in_which_none_was_under_way_does_not_count(spans, wall) -> None:
    answers = [answer(*span) for span in spans]
    count = len(answers)
    summed = sum(seconds for _, seconds in spans)
    assert checkpoint_cost(answers) == CheckpointCost(count, 100 * count, 10 * count, summed, wall)
    assert checkpoint_cost(answers[::-1]) == checkpoint_cost(answers)
