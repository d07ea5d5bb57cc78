"""What holds for every kind of the `Model` seam: served by vLLM's stub, at an endpoint, recorded, scripted."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from doubles import ScriptedModel
from fake_openai import FakeOpenAI

from harness.common.journal import Journal
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Answer, ContextOverflow, Model, Sampling
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model.client import open_model
from harness.model.fit_prompt import fit_prompt
from harness.model.prompts import Prompt

STUB = Path(__file__).with_name("stub_server")
CONTEXT = 512
SAMPLING = Sampling(temperature=0.5, max_tokens=10)
PROMPT = Prompt("why?", "repair")


@asynccontextmanager
async def opened(tmp_path, **checkpoint) -> AsyncIterator[Model]:
    journal = Journal(tmp_path / "journal" / "answers.jsonl")
    config = CheckpointConfig(name="tiny", server_args=(f"--max-model-len={CONTEXT}",), **checkpoint)
    async with open_model(config, ServingConfig(), 4, tmp_path, journal) as model:
        yield model.about("a__b-1")
    journal.close()


@asynccontextmanager
async def served(tmp_path) -> AsyncIterator[Model]:
    write_random_checkpoint(tmp_path / "checkpoint", seed=1)
    async with opened(tmp_path, path=tmp_path / "checkpoint") as model:
        yield model


@asynccontextmanager
async def endpoint(tmp_path) -> AsyncIterator[Model]:
    async with FakeOpenAI(context=CONTEXT).running() as fake, opened(tmp_path, endpoint=fake.base_url) as model:
        yield model


@asynccontextmanager
async def recorded(tmp_path) -> AsyncIterator[Model]:
    lines = [{"instance_id": "a__b-1", "stage": "repair", "sample": index, "text": "yes"} for index in range(3)]
    (tmp_path / "told.jsonl").write_text("\n".join(map(json.dumps, lines)))
    async with opened(tmp_path, answers=tmp_path / "told.jsonl") as model:
        yield model


@asynccontextmanager
async def scripted(_) -> AsyncIterator[Model]:
    yield ScriptedModel(["yes"] * 3, CONTEXT)


@pytest.fixture(params=[served, endpoint, recorded, scripted], ids=lambda kind: kind.__name__)
async def model(request, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(STUB))
    monkeypatch.syspath_prepend(str(STUB))
    monkeypatch.setenv("STUB_VLLM", "")
    monkeypatch.chdir(tmp_path)
    async with request.param(tmp_path) as model:
        yield model


async def test_an_answer_is_whole_and_typed(model):
    answer = await model.answer(PROMPT, SAMPLING, 0)
    assert isinstance(answer, Answer)
    assert answer.text
    assert answer.finish_reason == "stop"
    assert answer.seconds >= 0
    assert min(answer.prompt_tokens, answer.completion_tokens) >= 0


async def test_the_same_question_has_the_same_answer(model):
    assert await model.answer(PROMPT, SAMPLING, 1) == await model.answer(PROMPT, SAMPLING, 1)


async def test_a_revision_tells_what_answers(model):
    assert isinstance(model.revision, str)
    assert model.revision


async def test_tokens_grow_with_the_text_and_the_context_is_known(model):
    short, long = await model.count_tokens("one"), await model.count_tokens("one two three four " * 20)
    assert 0 <= short < long
    assert await model.context_length() == CONTEXT


async def test_what_does_not_fit_is_not_asked(model):
    with pytest.raises(ContextOverflow):
        await model.answer(Prompt("word " * 5000, "repair"), SAMPLING, 0)


async def test_a_fitted_prompt_is_answered(model):
    fitted = await fit_prompt(model, SAMPLING, lambda count: Prompt("word " * count, "repair"), 5000)
    assert 0 < fitted.parts < 5000
    assert (await model.answer(fitted.prompt, SAMPLING, 0)).text
