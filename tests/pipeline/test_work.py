"""Whether a piece of work was known follows from the values that it was given, whatever runs at the same time."""

import asyncio
from dataclasses import replace

import pytest
from doubles import ScriptedModel

from harness.core.interfaces import Answer, ContextOverflow, Sampling
from harness.model.prompts import Prompt
from harness.pipeline.work import Work

MADE = Answer("a", "stop", 1, 1, 0.1)
FOUND = replace(MADE, known=True)


async def asked(*answers: Answer) -> Work:
    """A piece of work that asks for all of these at once, each in a task of its own."""
    work = Work()
    model = work.asking(ScriptedModel(answers))
    await asyncio.gather(*(model.answer("why?", Sampling(), index) for index in range(len(answers))))
    return work


async def test_work_is_known_if_everything_that_it_needed_was() -> None:
    works = await asyncio.gather(asked(), asked(FOUND, FOUND), asked(FOUND, MADE, FOUND), asked(FOUND))
    assert [work.known for work in works] == [True, True, False, True]


async def test_what_failed_was_not_known() -> None:
    work = Work()
    with pytest.raises(ContextOverflow):
        await work.asking(ScriptedModel([FOUND], context=1)).answer("why?", Sampling(), 0)
    assert not work.known


async def test_a_model_that_is_asked_for_some_work_is_the_same_model() -> None:
    model = ScriptedModel([MADE], context=77)
    asking = Work().asking(model)
    answers = (await asking.answer("why?", Sampling(max_tokens=8), 0), await asking.context_length())
    assert (asking.revision, *answers) == ("scripted", MADE, 77)
    assert await asking.count_tokens("eight ch") == await model.count_tokens("eight ch")


async def test_work_says_where_the_answers_are_that_it_was_given() -> None:
    work = Work()
    model = work.asking(ScriptedModel([replace(MADE, key="k0"), replace(MADE, key="k1")]))
    for stage, index in (("repair", 1), ("repair", 0), ("localize_files", 0), ("repair", 0)):
        await model.answer(Prompt("why?", stage), Sampling(), index)
    await model.answer("why?", Sampling(), 0)
    assert [tuple(asked.values()) for asked in work.answers()] == [
        ("", 0, "k0"), ("localize_files", 0, "k0"), ("repair", 0, "k0"), ("repair", 1, "k1"),
    ]  # fmt: skip


async def test_distinct_answers_go_by_their_records_or_by_their_place() -> None:
    """Answers written by hand have no record; each instance has its own."""
    answers: dict[object, Answer] = {}
    for owner, key in (("a", "k0"), ("b", "k0"), ("a", ""), ("a", ""), ("b", "")):
        work = Work()
        await work.asking(ScriptedModel([replace(MADE, key=key)])).answer(Prompt("why?", "repair"), Sampling(), 0)
        answers |= work.distinct(owner)
    assert len(answers) == 3
