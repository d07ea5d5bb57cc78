"""One question of a stage: the text of a whole answer, or a reason that every stage knows."""

import pytest
from doubles import ScriptedModel

from harness.core.candidate import Reason
from harness.core.interfaces import CUT, NO_COST, Answer, ContextOverflow, Cost, Drawing, Sampling
from harness.errors import InfrastructureError
from harness.localize.named_files import LocalizationReason
from harness.localize.question import PlaceReason
from harness.model.ask import Reply, Unread, ask
from harness.model.prompts import Prompt
from harness.validate.reproduction import ScriptReason

SAMPLING = Sampling(temperature=0.7, max_tokens=5)


@pytest.mark.parametrize(
    ("answer", "reason", "detail"),
    [
        (Answer("yes", "stop", 7, 3, 0.5), None, ""),
        (Answer("yes", "a word of the server's own", 7, 3, 0.5), None, ""),
        *((Answer("ye", end, 7, 3, 0.5), Unread.TRUNCATED, "cut after 3 tokens") for end in CUT),
        (Answer("", "not-recorded", 0, 0, 0.0), Unread.NOT_RECORDED, "the recording holds no answer to this question"),
    ],
)
async def test_an_answer_is_whole_or_has_a_reason(answer, reason, detail):
    reply = await ask(ScriptedModel([answer]), SAMPLING, "why?")
    assert reply == Reply(answer.text, reason, detail, answer.cost)


async def test_what_does_not_fit_costs_nothing():
    reply = await ask(ScriptedModel([ContextOverflow("too long")]), SAMPLING, "why?")
    assert reply == Reply("", Unread.CONTEXT_OVERFLOW, "too long", NO_COST)


async def test_a_model_that_can_not_be_asked_is_no_reason():
    with pytest.raises(InfrastructureError):
        await ask(ScriptedModel([InfrastructureError("gone")]), SAMPLING, "why?")


@pytest.mark.parametrize("reasons", [Reason, LocalizationReason, PlaceReason, ScriptReason])
def test_every_stage_knows_the_reasons(reasons):
    assert {reason.value for reason in Unread} <= {reason.value for reason in reasons}


def test_only_the_first_sample_is_greedy_and_only_on_request():
    assert [Drawing(SAMPLING, 3, greedy).of(number).temperature for greedy in (True, False) for number in range(3)] == [
        0.0, 0.7, 0.7, 0.7, 0.7, 0.7,
    ]  # fmt: skip
    assert Drawing(SAMPLING, 1).of(0) == SAMPLING


def test_costs_add_up():
    assert sum([Cost(1, 2, 0.5), Cost(10, 20, 1.0)], NO_COST) == Cost(11, 22, 1.5)


async def test_what_a_prompt_set_names_ends_its_answers_unless_the_run_file_names_it():
    model = ScriptedModel(["yes", "yes", "yes"])
    await ask(model, SAMPLING, Prompt("why?", "repair", ("Issue",)))
    await ask(model, SAMPLING.model_copy(update={"stop": ("x",)}), Prompt("why?", "repair", ("Issue",)))
    await ask(model, SAMPLING, "why?")
    assert [sampling.stop for sampling in model.samplings] == [("Issue",), ("x",), None]
