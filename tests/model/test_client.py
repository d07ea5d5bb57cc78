"""Asking: against a fake model at the HTTP boundary, and against the stub of vLLM's server module."""

import asyncio
import gc
import json
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from fake_openai import FakeOpenAI, completion, failure

from harness.common.journal import Journal
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import ContextOverflow, Sampling
from harness.errors import InfrastructureError, InputError, ServerError
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model import connection, endpoint, patience, served
from harness.model.client import open_model
from harness.model.prompts import Prompt

STUB = Path(__file__).with_name("stub_server")
SAMPLING = Sampling(temperature=0.5, top_p=0.9, max_tokens=10, seed=40)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 0.01)


@asynccontextmanager
async def asking(fake, journal, concurrency=8, serving=None, **checkpoint):
    """The model of an endpoint checkpoint at a running fake."""
    async with fake.running():
        config = CheckpointConfig(name="tiny", endpoint=fake.base_url, **checkpoint)
        async with open_model(config, serving or ServingConfig(), concurrency, journal.path.parent, journal) as model:
            yield model


async def test_a_question_is_one_user_message_with_its_own_seed(journal):
    fake = FakeOpenAI()
    async with asking(fake, journal) as model:
        answer = await model.answer("why?", SAMPLING, 2)
    (question,) = fake.questions
    assert question["messages"] == [{"role": "user", "content": "why?"}]
    assert question["model"] == "tiny"
    expected = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 10, "seed": 42, "n": 1}
    assert {name: question[name] for name in expected} == expected
    assert (answer.text, answer.finish_reason, answer.prompt_tokens, answer.completion_tokens) == ("yes", "stop", 7, 1)


async def test_sampling_parameters_are_sent_if_they_are_said_and_only_then(journal):
    said = {"top_k": 20, "min_p": 0.1, "repetition_penalty": 1.1, "presence_penalty": -0.5, "stop": ("\n###", "END")}
    fake = FakeOpenAI()
    async with asking(fake, journal) as model:
        await model.answer("why?", SAMPLING, 0)
        await model.answer("why?", SAMPLING.model_copy(update=said), 0)
    plain, drawn = fake.questions
    assert plain.keys().isdisjoint(said)
    assert {name: drawn[name] for name in said} == said | {"stop": list(said["stop"])}
    assert [record["sampling"].keys() >= said.keys() for record in journal.records() if "seed" in record] == [
        False,
        True,
    ]


async def test_a_record_names_the_instance_the_stage_and_the_condition_that_asked_first(journal):
    fake = FakeOpenAI()
    async with asking(fake, journal) as model:
        prompt = Prompt("why?", "repair")
        first = await model.about("a__b-1", "gt-file").answer(prompt, SAMPLING, 0)
        again = await model.about("a__b-1", "gt-location").answer(prompt, SAMPLING, 0)
        other = await model.about("a__b-2", "model").answer(Prompt("how?", "localize_files"), SAMPLING, 0)
        nobody = await model.answer("who?", SAMPLING, 0)
    assert len(fake.questions) == 3
    assert (again.key, again.known) == (first.key, True)
    named = ["instance_id", "stage", "condition"]
    assert [journal.get(first.key)[name] for name in named] == ["a__b-1", "repair", "gt-file"]
    assert [journal.get(other.key)[name] for name in named] == ["a__b-2", "localize_files", "model"]
    assert journal.get(nobody.key).keys().isdisjoint(named)
    assert "key" not in journal.get(first.key)["answer"]


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
async def test_thinking_is_kept_apart(journal, field):
    async with asking(FakeOpenAI(completion("patch", **{field: "hmm"})), journal) as model:
        answer = await model.answer("why?", SAMPLING, 0)
    assert (answer.text, answer.reasoning) == ("patch", "hmm")


async def test_an_answer_keeps_when_it_was_asked_for(journal):
    started = time.time()
    async with asking(FakeOpenAI(), journal) as model:
        asked = await model.answer("why?", SAMPLING, 0)
        found = await model.answer("why?", SAMPLING, 0)
    assert started - 0.01 <= asked.began <= time.time() - asked.seconds + 0.01
    assert (found.known, found.began) == (True, asked.began)


async def test_an_answer_of_thinking_alone_is_empty(journal):
    async with asking(FakeOpenAI(completion(None, finish="length", reasoning="hmm")), journal) as model:
        answer = await model.answer("why?", SAMPLING, 0)
    assert (answer.text, answer.finish_reason) == ("", "length")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_passing_failures_are_tried_again(journal, status):
    fake = FakeOpenAI(failure(status), failure(status), completion())
    async with asking(fake, journal) as model:
        assert (await model.answer("why?", SAMPLING, 0)).text == "yes"
    assert len(fake.questions) == 3


async def test_failures_that_do_not_pass_end_with_the_time_for_a_question(journal):
    fake = FakeOpenAI(failure(500, "engine dead"))
    async with asking(fake, journal, serving=ServingConfig(request_seconds=0.5)) as model:
        with pytest.raises(InfrastructureError, match=r"answered 500: .*engine dead"):
            await model.answer("why?", SAMPLING, 0)
    assert 3 <= len(fake.questions) <= 7
    assert len(journal) == 0


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (400, "temperature is not supported", InfrastructureError),
        (401, "bad key", InfrastructureError),  # it was good when the run began
        (404, "no such model", InfrastructureError),
        (400, "This model's maximum context length is 100 tokens.", ContextOverflow),
        (400, "max_tokens=9000 cannot be greater than max_model_len=8192.", ContextOverflow),
    ],
)
async def test_a_refusal_is_never_tried_again(journal, status, message, error):
    fake = FakeOpenAI(failure(status, message))
    async with asking(fake, journal) as model:
        with pytest.raises(error, match=message[:20]):
            await model.answer("why?", SAMPLING, 0)
    assert len(fake.questions) == 1


def sent(body: str) -> web.Response:
    return web.Response(text=body, content_type="application/json" if body[:1] in "{[" else "text/html")


NO_ANSWERS = [
    "",
    "<html>busy</html>",
    "{}",
    '{"choices": []}',
    '{"choices": [{"message": null}]}',
    '{"choices": [null]',
]


@pytest.mark.parametrize("body", [*NO_ANSWERS, '{"error": {"message": "engine busy"}}'])
async def test_what_is_no_answer_is_asked_for_again_and_then_an_infrastructure_failure(journal, body):
    fake = FakeOpenAI(sent(body), sent(body), completion("late"))
    async with asking(fake, journal, serving=ServingConfig(request_seconds=1)) as model:
        assert (await model.answer("why?", SAMPLING, 0)).text == "late"
        fake.replies = [sent(body)]
        with pytest.raises(InfrastructureError, match=r"does not answer as an OpenAI-compatible server|engine busy"):
            await model.answer("who?", SAMPLING, 0)
    assert len(fake.questions) >= 5
    assert len(journal) == 2  # the prompt and the answer that came late


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (400, "bad temperature", InfrastructureError),
        (401, "bad key", InfrastructureError),
        (400, "context length", ContextOverflow),
    ],
)
async def test_an_error_sent_as_a_success_is_what_its_code_says(journal, code, message, error):
    fake = FakeOpenAI(sent(json.dumps({"error": {"message": message, "code": code}})))
    async with asking(fake, journal) as model:
        with pytest.raises(error, match=message):
            await model.answer("why?", SAMPLING, 0)
    assert len(fake.questions) == 1


async def test_text_parts_are_joined_and_unsaid_tokens_are_none(journal):
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "pat"}, {"type": "text", "text": "ch"}]
    body = {"choices": [{"message": {"content": parts}, "finish_reason": None}], "usage": {}}
    async with asking(FakeOpenAI(sent(json.dumps(body))), journal) as model:
        answer = await model.answer("why?", SAMPLING, 0)
        assert await model.answer("why?", SAMPLING, 0) == answer
    assert (answer.text, answer.reasoning, answer.prompt_tokens, answer.cut) == ("patch", "hm", 0, False)


async def test_a_journal_with_a_reply_that_is_no_answer_goes_on(journal):
    """Earlier versions kept the parts of a text as they came, and crashed at every later start."""
    fake = FakeOpenAI()
    async with asking(fake, journal, revision="1") as model:
        await model.answer("why?", SAMPLING, 0)
        await model.answer("why?", SAMPLING, 1)
    first, second = (record for record in journal.records() if record["kind"] == "answer")
    journal.put(first["key"], first | {"answer": first["answer"] | {"text": [{"type": "text", "text": "in parts"}]}})
    journal.put(second["key"], second | {"answer": second["answer"] | {"text": {"x": 1}}})
    async with asking(fake, journal, revision="1") as model:
        assert (await model.answer("why?", SAMPLING, 0)).text == "in parts"
        assert (await model.answer("why?", SAMPLING, 1)).text == "yes"
    assert len(fake.questions) == 3


async def test_an_unknown_end_is_told_once(journal, caplog):
    async with asking(FakeOpenAI(completion(finish="a new word")), journal) as model:
        for index in range(2):
            assert not (await model.answer("why?", SAMPLING, index)).cut
    assert len([record for record in caplog.records if "'a new word'" in record.message]) == 1


async def test_a_connection_that_breaks_is_tried_again(journal):
    class Breaks(FakeOpenAI):
        async def _chat(self, request):
            self.questions.append({})
            if len(self.questions) == 1:
                request.transport.close()
            return completion("late")

    async with asking(Breaks(), journal) as model:
        assert (await model.answer("why?", SAMPLING, 0)).text == "late"


async def test_a_question_without_end_is_given_up(journal):
    async def hang(_):
        await asyncio.sleep(60)

    async with asking(FakeOpenAI(hang), journal, serving=ServingConfig(request_seconds=0.2)) as model:
        with pytest.raises(InfrastructureError, match=r"no answer within 0\.2 s"):
            await model.answer("why?", SAMPLING, 0)


async def test_only_so_many_questions_at_once(journal):
    async def slow(_):
        await asyncio.sleep(0.05)
        return completion()

    fake = FakeOpenAI(slow)
    async with asking(fake, journal, concurrency=3) as model:
        await asyncio.gather(*(model.answer("why?", SAMPLING, index) for index in range(12)))
    assert fake.most_at_once == 3


@pytest.mark.parametrize(("words", "fits"), [(87, True), (88, False)])
async def test_a_prompt_too_long_for_its_answer_is_not_sent(journal, words, fits):
    """The fake counts a token a word and 3 for the template; context 100, 10 for the answer."""
    fake = FakeOpenAI()
    async with asking(fake, journal) as model:
        if fits:
            await model.answer("w " * words, SAMPLING, 0)
        else:
            with pytest.raises(ContextOverflow, match="91 prompt tokens and 10"):
                await model.answer("w " * words, SAMPLING, 0)
    assert len(fake.questions) == fits


async def test_an_answer_clamped_by_the_server_is_an_overflow(journal):
    clamped = completion("cut", finish="length", prompt=94, tokens=6)
    async with asking(FakeOpenAI(clamped), journal) as model:
        with pytest.raises(ContextOverflow, match="after 6 tokens"):
            await model.answer("why?", SAMPLING, 0)
    assert len(journal) == 0


async def test_without_tokenize_tokens_are_estimated_from_bytes(journal, caplog):
    async with asking(FakeOpenAI(tokenizes=False), journal) as model:
        assert await model.count_tokens("12345é6789") == endpoint.TEMPLATE_TOKENS + 5  # 11 bytes at 2.5 each
        await model.count_tokens("again")
    assert len([record for record in caplog.records if "estimated" in record.message]) == 1


async def test_a_context_that_the_endpoint_does_not_tell_has_to_be_given(journal):
    async with asking(FakeOpenAI(context=None), journal) as model:
        with pytest.raises(InputError, match="add server_args"):
            await model.context_length()
    async with asking(FakeOpenAI(context=None), journal, server_args=("--max-model-len=64",)) as model:
        assert await model.context_length() == 64


@pytest.mark.parametrize("path", ["", "/"])
async def test_a_missing_v1_is_proposed(journal, path):
    async with FakeOpenAI().running() as fake:
        root = fake.base_url.removesuffix("/v1")
        config = CheckpointConfig(name="tiny", endpoint=root + path)
        with pytest.raises(InputError, match=rf"did you mean {root}/v1\?"):
            async with open_model(config, ServingConfig(), 1, journal.path.parent, journal):
                pass


async def test_a_key_that_the_list_of_models_refuses_is_said(journal):
    class Closed(FakeOpenAI):
        async def _models(self, _):
            return failure(401, "no such key")

    with pytest.raises(InputError, match=r"refuses the key: no such key; .*api_key_env"):
        async with asking(Closed(), journal):
            pass


async def test_an_unreachable_endpoint_is_one_clear_line(journal, monkeypatch):
    monkeypatch.setattr(connection, "SIDE_RETRIES", 0)
    config = CheckpointConfig(name="tiny", endpoint="http://127.0.0.1:9/v1")
    with pytest.raises(
        InfrastructureError,
        match=r"127\.0\.0\.1:9/v1: no .* answers there \(Connection refused\)",
    ) as caught:
        async with open_model(config, ServingConfig(), 1, journal.path.parent, journal):
            pass
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("served", "wanted", "message"),
    [(["tiny"], "tini", "did you mean tiny"), (["a", "b"], None, "serves a, b; name one"), ([], None, "no model")],
)
async def test_the_model_has_to_be_one_that_the_endpoint_serves(journal, served, wanted, message):
    fake = FakeOpenAI()
    fake.models = served
    with pytest.raises(InputError, match=message):
        async with asking(fake, journal, model=wanted):
            pass


async def test_a_key_comes_from_the_environment(journal, monkeypatch):
    with pytest.raises(InputError, match="NO_SUCH_KEY is not set"):
        async with asking(FakeOpenAI(), journal, api_key_env="NO_SUCH_KEY"):
            pass


async def test_a_key_in_the_place_of_its_variable_is_told_and_not_shown(journal):
    with pytest.raises(InputError, match="name of an environment variable") as refused:
        async with asking(FakeOpenAI(), journal, api_key_env="sk-abc0123"):
            pass
    assert "abc0123" not in str(refused.value)


@pytest.mark.parametrize(("key", "sent"), [("abc\n", "abc"), (" abc ", "abc"), ("  ", None), ("schlüssel", None)])
async def test_a_key_that_no_header_can_hold_is_told_and_not_shown(journal, monkeypatch, key, sent):
    """A line break behind a key was an error of the connection, which printed the key."""
    monkeypatch.setenv("KEY", key)
    asked = []

    class Keyed(FakeOpenAI):
        async def _models(self, request):
            asked.append(request.headers["Authorization"])
            return await super()._models(request)

    if sent is None:
        with pytest.raises(InputError, match="environment variable KEY") as refused:
            async with asking(Keyed(), journal, api_key_env="KEY"):
                pass
        assert "schl" not in str(refused.value)
    else:
        async with asking(Keyed(), journal, api_key_env="KEY"):
            pass
        assert asked == [f"Bearer {sent}"]


async def test_the_address_tells_endpoints_apart_that_have_no_revision(journal):
    fake = FakeOpenAI()
    async with asking(fake, journal) as model:
        assert model.revision == f"tiny@{fake.base_url}"
    async with asking(fake, journal, revision="step-7") as model:
        assert model.revision == "tiny@step-7"


async def test_an_answered_question_is_never_asked_again(journal, tmp_path):
    fake = FakeOpenAI(completion("first"), completion("second"))
    async with asking(fake, journal, revision="1") as model:
        first = await model.answer("why?", SAMPLING, 0)
        again = await model.answer("why?", SAMPLING, 0)
        assert (again, first.known, again.known) == (first, False, True)
    reopened = Journal(journal.path)
    async with asking(fake, reopened, revision="1") as model:
        later = await model.answer("why?", SAMPLING, 0)
        assert (later, later.known) == (first, True)
    assert "known" not in journal.path.read_text(), "what is known is a fact of the process, not of the answer"
    reopened.close()
    assert len(fake.questions) == 1


@pytest.mark.parametrize(
    ("prompt", "changed", "index"),
    [
        ("who?", {}, 0),
        ("why?", {"temperature": 0.6}, 0),
        ("why?", {"max_tokens": 11}, 0),
        ("why?", {"seed": 41}, 0),
        ("why?", {"top_k": 5}, 0),
        ("why?", {"stop": ("a",)}, 0),
        ("why?", {}, 1),
    ],
)
async def test_any_other_question_is_asked(journal, prompt, changed, index):
    fake = FakeOpenAI()
    async with asking(fake, journal) as model:
        await model.answer("why?", SAMPLING, 0)
        assert not (await model.answer(prompt, SAMPLING.model_copy(update=changed), index)).known
    assert len(fake.questions) == 2


async def test_another_revision_is_another_question(journal):
    fake = FakeOpenAI()
    for revision in ("1", "2"):
        async with asking(fake, journal, revision=revision) as model:
            await model.answer("why?", SAMPLING, 0)
    assert len(fake.questions) == 2


async def test_the_same_question_under_way_is_asked_once(journal):
    release = asyncio.Event()

    async def held(_):
        await release.wait()
        return completion()

    fake = FakeOpenAI(held)
    async with asking(fake, journal) as model:
        askers = [asyncio.create_task(model.answer("why?", SAMPLING, 0)) for _ in range(3)]
        while not fake.questions:
            await asyncio.sleep(0.01)
        askers[0].cancel()  # the one that asked first goes away; the others still get their answer
        release.set()
        answers = await asyncio.gather(*askers[1:])
    assert answers[0] == answers[1]
    assert len(fake.questions) == 1


async def test_the_failure_of_a_question_that_nobody_waits_for_is_not_reported_as_lost(journal):
    release, lost = asyncio.Event(), []

    async def held(_):
        await release.wait()
        return failure(400)

    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    fake = FakeOpenAI(held)
    async with asking(fake, journal) as model:
        asker = asyncio.create_task(model.answer("why?", SAMPLING, 0))
        while not fake.questions:
            await asyncio.sleep(0.01)
        asker.cancel()
        release.set()
        while model._under_way:
            await asyncio.sleep(0.01)
        del asker  # its traceback holds the question
        gc.collect()
    assert lost == []


async def test_a_failed_question_can_be_asked_again(journal):
    fake = FakeOpenAI(failure(400, "not now"), completion())
    async with asking(fake, journal) as model:
        with pytest.raises(InfrastructureError):
            await model.answer("why?", SAMPLING, 0)
        assert (await model.answer("why?", SAMPLING, 0)).text == "yes"


async def test_an_answer_is_on_disk_with_its_prompt_before_it_is_given(journal):
    async with asking(FakeOpenAI(), journal) as model:
        await model.answer("why?", SAMPLING, 0)
        await model.answer("why?", SAMPLING, 1)
        prompt, *answers = [json.loads(line) for line in journal.path.read_text().splitlines()]
    assert (prompt["kind"], prompt["text"]) == ("prompt", "why?")
    assert [(a["kind"], a["prompt"], a["seed"], a["answer"]["text"]) for a in answers] == [
        ("answer", prompt["key"], 40, "yes"),
        ("answer", prompt["key"], 41, "yes"),
    ]


async def test_a_prompt_is_written_once_however_many_samples_come_at_once(journal):
    """The prompt was looked up and then written; several threads found it missing and each wrote it."""
    async with asking(FakeOpenAI(), journal) as model:
        await asyncio.gather(*(model.answer("why?", SAMPLING, index % 8) for index in range(16)))
    kinds = [json.loads(line)["kind"] for line in journal.path.read_text().splitlines()]
    assert sorted(kinds) == ["answer"] * 8 + ["prompt"]


async def test_leaving_while_a_question_waits_does_not_hang(journal):
    async def hang(_):
        await asyncio.sleep(60)

    async with asking(FakeOpenAI(hang), journal) as model:
        waiting = asyncio.create_task(model.answer("why?", SAMPLING, 0))
        await asyncio.sleep(0.1)
    with pytest.raises(asyncio.CancelledError):
        await waiting


# A local checkpoint, served by the stub of vLLM's server module


@pytest.fixture
def local(tmp_path, monkeypatch):
    """Called with the stub's behaviour: a local checkpoint that it serves."""
    monkeypatch.setenv("PYTHONPATH", str(STUB))
    monkeypatch.syspath_prepend(str(STUB))  # where the check that vLLM is installed looks
    monkeypatch.chdir(tmp_path)
    write_random_checkpoint(tmp_path / "checkpoint", seed=1)

    def configure(case: str = "") -> CheckpointConfig:
        monkeypatch.setenv("STUB_VLLM", case)
        return CheckpointConfig(name="tiny", path=tmp_path / "checkpoint")

    return configure


async def test_a_server_starts_at_the_first_new_question_only(local, journal, tmp_path):
    log = tmp_path / "tiny.server.log"
    async with open_model(local(), ServingConfig(), 4, tmp_path, journal) as model:
        assert await model.context_length() == 8192
        assert await model.count_tokens("why?") > 4
        assert not log.exists()
        answers = await asyncio.gather(*(model.answer("why?", SAMPLING, index) for index in range(3)))
        assert log.exists()
    log.unlink()
    async with open_model(local(), ServingConfig(), 4, tmp_path, journal) as model:
        found = [await model.answer("why?", SAMPLING, index) for index in range(3)]
    assert (found, [answer.known for answer in found]) == (answers, [True] * 3)
    assert not log.exists()


async def test_a_prompt_that_does_not_fit_starts_no_server(local, journal, tmp_path):
    async with open_model(local(), ServingConfig(), 4, tmp_path, journal) as model:
        with pytest.raises(ContextOverflow):
            await model.answer("why?", SAMPLING.model_copy(update={"max_tokens": 8192}), 0)
    assert not (tmp_path / "tiny.server.log").exists()


async def test_a_failed_start_fails_every_question_but_is_made_once(local, journal, tmp_path):
    async with open_model(local("crash"), ServingConfig(), 4, tmp_path, journal) as model:
        questions = (model.answer("why?", SAMPLING, index) for index in range(3))
        errors = await asyncio.gather(*questions, return_exceptions=True)
    assert all(isinstance(error, ServerError) and "the weights are not there" in str(error) for error in errors)
    assert (tmp_path / "tiny.server.log").read_text().count("arguments:") == 1


async def test_a_dying_server_ends_every_wait_with_its_logs_reason(local, journal, tmp_path):
    async with open_model(local("die"), ServingConfig(), 4, tmp_path, journal) as model:
        questions = (model.answer("why?", SAMPLING, index) for index in range(3))
        errors = await asyncio.wait_for(asyncio.gather(*questions, return_exceptions=True), 20)
    for error in errors:
        assert isinstance(error, ServerError)
        assert "failed 3 times: MemoryError: no room for the cache; log: " in str(error)
    assert len(journal) == 0


async def test_after_a_death_it_is_started_again_and_answers(local, journal, tmp_path, caplog):
    async with open_model(local("die-once"), ServingConfig(), 4, tmp_path, journal) as model:
        questions = [model.answer("why?", SAMPLING, index) for index in range(3)]
        assert [answer.text for answer in await asyncio.gather(*questions)] == ["ok"] * 3
    assert (tmp_path / "tiny.server.log").read_text().count("arguments:") == 2
    assert caplog.text.count("starting it again") == 1


async def test_a_server_that_keeps_dying_is_given_up(local, journal, tmp_path, monkeypatch):
    monkeypatch.setattr(served, "STARTS", 2)
    async with open_model(local("die"), ServingConfig(), 4, tmp_path, journal) as model:
        for _ in range(4):
            with pytest.raises(ServerError, match="no room for the cache"):
                await model.answer("why?", SAMPLING, 0)
    assert (tmp_path / "tiny.server.log").read_text().count("arguments:") == 2


async def test_a_server_that_reads_prompts_otherwise_is_told_of_once(local, journal, tmp_path, caplog):
    """AutoTokenizer may swap a checkpoint's splitting rule for its model type's, without a word."""
    async with open_model(local(), ServingConfig(), 4, tmp_path, journal) as model:
        for index in range(2):
            await model.answer("a prompt of more tokens than the stub reports", SAMPLING, index)
    assert len([record for record in caplog.records if "another tokenizer" in record.message]) == 1


async def test_a_checkpoint_that_cannot_be_served_is_told_at_once(local, journal, tmp_path):
    config = local()
    (tmp_path / "checkpoint" / "model.safetensors").unlink()
    with pytest.raises(InputError, match="holds no weights"):
        async with open_model(config, ServingConfig(), 4, tmp_path, journal):
            pass
