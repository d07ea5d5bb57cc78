"""A server that takes no seed, or no field that changes nothing: it is asked without, told once and recorded."""

import json
import logging

import pytest
from aiohttp import web
from fake_openai import FakeOpenAI, completion

from harness.common.journal import Journal
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Sampling
from harness.errors import InfrastructureError
from harness.model.client import open_model
from harness.model.refusal import refuses
from harness.model.taken_fields import TakenFields

SAMPLING = Sampling(temperature=0.8, max_tokens=10, seed=3)
DETAIL = [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 3}]
UNSUPPORTED = "litellm.UnsupportedParamsError: anthropic does not support parameters: ['seed'], for model=x"
EXTRANEOUS = "Malformed input request: #: extraneous key [seed] is not permitted, please reformat your input"
UNKNOWN = 'Invalid JSON payload received. Unknown name "seed": Cannot find field.'
OF_SEED = [
    (422, {"detail": DETAIL}),
    (400, {"error": {"message": json.dumps({"detail": DETAIL}), "type": "Invalid input"}}),
    (422, {"object": "error", "message": {"detail": DETAIL}, "type": "invalid_request_error"}),
    (400, {"error": {"message": "property 'seed' is unsupported", "type": "invalid_request_error"}}),
    (400, {"error": {"message": "Unrecognized request argument supplied: seed", "type": "invalid_request_error"}}),
    (
        400,
        {"error": {"message": "Unsupported parameter: 'seed' is not supported with this model.", "param": "seed"}},
    ),
    (400, [{"error": {"code": 400, "message": UNKNOWN}}]),
    (
        400,
        {"error": {"message": UNSUPPORTED}},
    ),
    (500, {"error": {"message": "ollama does not support parameters: {'seed': 1}, for model=x", "code": 500}}),
    (400, {"message": EXTRANEOUS}),
    (400, {"message": "seed is not a recognized parameter"}),
    (400, {"error": {"message": "The parameter seed is not enabled for this model"}}),
    (400, {"type": "error", "error": {"message": "seed: Extra inputs are not permitted"}}),
    (422, "Failed to deserialize the JSON body into the target type: unknown field `seed`, expected one of `model`"),
    (400, {"error": {"message": "Invalid value at 'seed' (TYPE_INT32), 5000000000", "code": 400}}),
]  # fmt: skip
NOT_OF_SEED = [
    (400, {"error": {"message": "temperature must be below 2", "param": "temperature"}}),
    (422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "stop"], "msg": "Extra", "input": {"seed": 3}}]}),
    (429, {"error": {"message": "too many requests with an unknown seed"}}),
    (400, {"error": {"message": "This model's maximum context length is 100 tokens; seed is not supported"}}),
    (503, {"error": {"message": "unknown seed node"}}),
]


def body(value: object) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@pytest.mark.parametrize(("status", "value"), OF_SEED)
def test_a_refused_seed_is_recognised_in_the_words_of_many_servers(status, value):
    assert refuses("seed", status, body(value))


@pytest.mark.parametrize(("status", "value"), NOT_OF_SEED)
def test_other_errors_do_not_speak_of_the_seed(status, value):
    assert not refuses("seed", status, body(value))


def without(*fields: str):
    """A server's reply that refuses the first of some fields that a question has, and answers one without any."""

    async def reply(question: dict) -> web.Response:
        for field in fields:
            if field in question:
                message = f"Unsupported parameter: '{field}' is not supported with this model."
                message += " Use 'max_completion_tokens' instead." if field == "max_tokens" else ""
                return web.json_response({"error": {"message": message, "param": field}}, status=400)
        return completion("fine", finish="length", tokens=10)

    return reply


async def asked(server: FakeOpenAI, tmp_path, sampling: Sampling = SAMPLING, samples: int = 3):
    checkpoint = CheckpointConfig(name="x", strategy="s", endpoint=server.base_url)
    with Journal(tmp_path / "asked.jsonl") as journal:
        async with open_model(checkpoint, ServingConfig(request_seconds=5), 4, tmp_path, journal) as model:
            answers = [await model.answer("why?", sampling, index) for index in range(samples)]
            routes = model.routes
        records = [record for record in journal.records() if record["kind"] == "answer"]
    return answers, routes, records


async def test_a_server_without_seeds_answers_and_the_record_says_so(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    async with FakeOpenAI(without("seed")).running() as server:
        answers, routes, records = await asked(server, tmp_path)
    assert [answer.text for answer in answers] == ["fine"] * 3
    assert len(server.questions) == 4  # the first one twice
    assert routes == {"chat without a seed"}
    assert {record["route"] for record in records} == routes
    assert [record["in_force"]["seed"] for record in records] == [None] * 3
    assert [record["seed"] for record in records] == [3, 4, 5]  # of the question, which is what keys are of
    assert sum("does not take seed" in record.message for record in caplog.records) == 1


async def test_a_server_with_seeds_is_sent_them(tmp_path):
    async with FakeOpenAI().running() as server:
        _, routes, records = await asked(server, tmp_path)
    assert [question["seed"] for question in server.questions] == [3, 4, 5]
    assert routes == {"chat"}
    assert not any("seed" in record["in_force"] for record in records)


async def test_fields_that_change_nothing_go_unsaid_and_the_room_has_another_name(tmp_path):
    async with FakeOpenAI(without("n", "top_p", "max_tokens")).running() as server:
        [answer], routes, _ = await asked(server, tmp_path, samples=1)
    assert answer.finish_reason == "length"
    assert routes == {"chat"}
    assert server.questions[-1].keys() == {"model", "messages", "temperature", "seed", "max_completion_tokens"}
    assert server.questions[-1]["max_completion_tokens"] == 10


@pytest.mark.parametrize(
    ("field", "sampling"),
    [("temperature", SAMPLING), ("top_p", SAMPLING.model_copy(update={"top_p": 0.5}))],
)
async def test_what_was_said_is_never_left_out(tmp_path, field, sampling):
    async with FakeOpenAI(without(field)).running() as server:
        with pytest.raises(InfrastructureError, match=field):
            await asked(server, tmp_path, sampling)


def test_too_much_room_is_no_other_name_for_it():
    fields = TakenFields()
    sent = {"max_tokens": 9000}
    assert not fields.learn(sent, 400, body({"error": {"message": "max_tokens: 9000 > 4096, the maximum allowed"}}))
    assert fields.of(sent) == sent
