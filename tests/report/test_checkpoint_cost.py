"""The cost of distinct answers: sums, and the time in which any of them was under way."""

import pytest

from harness.core.control import Control, ControlState
from harness.core.interfaces import Answer
from harness.core.server_time import ServerTime
from harness.core.verdict import Outcome, Phase, Verdict
from harness.report.checkpoint_cost import CheckpointCost, checkpoint_cost, container_times, with_servers


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


@pytest.mark.parametrize(
    ("servers", "seconds", "gpu_seconds"),
    [
        ([(0, 100, 2)], 100, 200),  # its start and its end are paid for, too
        ([(0, 20, 2), (50, 10, 2)], 30, 60),
        ([(0, 100, 2), (0, 100, 2)], 200, 400),  # two at a time
        ([], 7, 14),  # a kill left no record: the time of its answers
        ([(0, 12, 2)], 12 + 5, 34),  # a kill left that of the first only
        ([(0, 100, 0)], 100, 0),  # on the CPU
    ],
)
def test_servers_count_from_start_to_end_and_lost_ones_by_their_answers(servers, seconds, gpu_seconds) -> None:
    answers = [answer(10, 5), answer(12, 5)]
    cost = with_servers(checkpoint_cost(answers), answers, [ServerTime(*one) for one in servers], gpus=2)
    assert (cost.server_seconds, cost.gpu_seconds) == (seconds, gpu_seconds)
    assert cost.wall_seconds == 7


def test_what_runs_for_a_verdict_counts_once_under_names_of_its_own() -> None:
    verdict = Verdict(instance_id="i", outcome=Outcome.RESOLVED, phase=Phase.GRADE, key="k", seconds=4.0)
    control = Control(state=ControlState.PASSED, keys=("c", "d"), seconds=3.0)
    assert container_times(verdict) == {"k": 4.0}
    assert container_times(verdict.model_copy(update={"control": control})) == {"k": 4.0, "c d": 3.0}
    assert container_times(verdict.model_copy(update={"key": "", "outcome": Outcome.EMPTY_PATCH})) == {}
