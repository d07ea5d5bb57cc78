"""How long a question is asked again, and when a server is given up: at the HTTP boundary, and by a clock of events."""

import asyncio
import time
from email.utils import formatdate

import pytest
from aiohttp import web
from fake_openai import FakeOpenAI, completion, failure

from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Sampling
from harness.errors import InfrastructureError
from harness.model import endpoint, patience
from harness.model.client import open_model
from harness.model.patience import Passing, Standing, asked_wait, with_patience

SAMPLING = Sampling(max_tokens=10)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 0.01)


def opened(fake, journal, seconds=30.0, concurrency=64):
    checkpoint = CheckpointConfig(name="tiny", endpoint=fake.base_url)
    serving = ServingConfig(request_seconds=seconds)
    return open_model(checkpoint, serving, concurrency, journal.path.parent, journal)


async def test_pauses_are_as_long_as_the_server_asks_for_and_fit_into_the_time(monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(patience.asyncio, "sleep", sleep)
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.5)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 30.0)
    failures = [Passing("a", wait=150), *[Passing("b")] * 20]

    async def attempt():
        raise failures.pop(0)

    with pytest.raises(Passing, match="b"):
        await with_patience(attempt, 300)
    assert slept[0] == 150
    assert slept[1] < slept[2] < slept[3]
    assert max(slept[1:]) <= patience.LONGEST_PAUSE * (1 + patience.JITTER)
    assert 250 < sum(slept) <= 300


async def test_the_end_of_the_time_does_not_hide_why_there_is_no_answer():
    """A gateway said "model is loading" until the time was over, and the record said "no answer in time"."""
    tries = []

    async def attempt():
        tries.append(1)
        if len(tries) == 1:
            raise Passing("the model is loading")
        await asyncio.sleep(5)

    with pytest.raises(Passing, match="the model is loading"):
        await with_patience(attempt, 0.2)
    with pytest.raises(TimeoutError):
        await with_patience(attempt, 0.1)


async def test_what_does_not_pass_is_not_tried_again():
    tries = []

    async def attempt():
        tries.append(1)
        raise InfrastructureError("refused")

    with pytest.raises(InfrastructureError, match="refused"):
        await with_patience(attempt, 300)
    assert len(tries) == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("150", 150), ("0.5", 0.5), ("-3", 0), ("soon", 0), ("", 0), ("nan", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)],
)
def test_retry_after_is_seconds_or_a_date(said, seconds):
    assert asked_wait({"retry-after": said}) == seconds
    assert asked_wait({}) == 0
    assert 50 < asked_wait({"retry-after": formatdate(time.time() + 60, usegmt=True)}) <= 60


async def test_a_question_that_fails_for_ever_ends_while_the_others_are_answered(journal):
    """The server of a real run answered 500 to one instance's prompt, whenever it was asked."""

    async def reply(question):
        await asyncio.sleep(0.002)
        return failure(500, "shape mismatch") if "bad" in question["messages"][0]["content"] else completion()

    fake = FakeOpenAI(reply)
    async with fake.running(), opened(fake, journal, seconds=60, concurrency=4) as model:
        start = time.monotonic()
        bad = asyncio.create_task(model.answer("bad", SAMPLING, 0))
        good = [await model.answer(f"good {number}", SAMPLING, 0) for number in range(60)]
        with pytest.raises(InfrastructureError, match="shape mismatch"):
            await bad
        assert time.monotonic() - start < 20
    assert len(good) == 60


async def test_a_server_that_has_too_much_to_do_answers_all_in_the_end(journal):
    """50 a second at most, 64 at once: nobody is given up although most questions are refused."""
    taken = []

    async def reply(_):
        now = time.monotonic()
        taken[:] = [moment for moment in taken if now - moment < 0.1]
        if len(taken) >= 5:
            return web.Response(status=429, text="{}", headers={"retry-after": "0"})
        taken.append(now)
        return completion()

    fake = FakeOpenAI(reply)
    async with fake.running(), opened(fake, journal) as model:
        answers = await asyncio.gather(*(model.answer(f"q{number}", SAMPLING, 0) for number in range(150)))
    assert len(answers) == 150


async def test_after_many_failures_in_a_row_the_rest_is_not_asked(journal):
    fake = FakeOpenAI(failure(400, "no"))
    async with fake.running(), opened(fake, journal, concurrency=1) as model:
        questions = (model.answer(f"q{number}", SAMPLING, 0) for number in range(50))
        errors = await asyncio.gather(*questions, return_exceptions=True)
    assert len(fake.questions) == patience.FAILURES_IN_A_ROW
    assert {type(error) for error in errors} == {InfrastructureError}
    assert "failures in a row" in str(errors[-1])


async def test_samples_of_one_question_do_not_give_the_server_up(journal):
    async def reply(question):
        return failure(400, "no") if question["messages"][0]["content"] == "bad" else completion()

    fake = FakeOpenAI(reply)
    async with fake.running(), opened(fake, journal, concurrency=1) as model:
        await asyncio.gather(*(model.answer("bad", SAMPLING, index) for index in range(40)), return_exceptions=True)
        assert (await model.answer("good", SAMPLING, 0)).text == "yes"


def test_an_answer_sets_the_count_of_failures_back():
    standing = Standing()
    for number in range(3 * patience.FAILURES_IN_A_ROW):
        standing.failed(f"q{number}", InfrastructureError("no"))
        if number % 5 == 4:
            standing.answered()
    standing.require()
    for number in range(patience.FAILURES_IN_A_ROW):
        standing.failed(f"later {number}", InfrastructureError("no"))
    with pytest.raises(InfrastructureError, match="failures in a row: no"):
        standing.require()


@pytest.mark.parametrize("status", [404, 400, 500, 502, 503])
@pytest.mark.parametrize("at", [0, 3])
async def test_a_tokenizer_that_fails_once_changes_no_count(journal, status, at):
    """Estimates among counts would make other prompts than an undisturbed run."""

    class Once(FakeOpenAI):
        async def _tokenize(self, request):
            self.counted.append({})
            if len(self.counted) == at + 1:
                return failure(status, "not now")
            return await super()._tokenize(request)

    fake = Once()
    async with fake.running(), opened(fake, journal) as model:
        counts = [await model.count_tokens("w " * number) for number in range(1, 7)]
    assert counts == [number + 3 for number in range(1, 7)]


async def test_a_tokenizer_that_stops_counting_is_a_failure_and_no_estimate(journal):
    class Stops(FakeOpenAI):
        async def _tokenize(self, request):
            return await super()._tokenize(request) if not self.counted else failure(404)

    fake = Stops()
    async with fake.running(), opened(fake, journal, seconds=0.3) as model:
        await model.count_tokens("one")
        with pytest.raises(InfrastructureError, match="counted before"):
            await model.count_tokens("two")


@pytest.mark.parametrize("status", [400, 404, 405, 422, 501])
async def test_a_server_that_never_counted_is_estimated_from_then_on(journal, status, caplog):
    class Never(FakeOpenAI):
        async def _tokenize(self, request):
            self.counted.append({})
            return failure(status)

    fake = Never()
    async with fake.running(), opened(fake, journal) as model:
        counts = await asyncio.gather(*(model.count_tokens("w " * number) for number in range(1, 7)))
        tries = len(fake.counted)
        await model.count_tokens("one more")
    assert counts == [endpoint.estimated_tokens("w " * number) for number in range(1, 7)]
    assert len(fake.counted) == tries
    assert len([record for record in caplog.records if "estimated" in record.message]) == 1


async def test_what_is_asked_when_another_question_fails_is_kept(journal):
    """An attempt ends with its first failure; the server's work on its other samples is not thrown away."""

    async def reply(question):
        if question["seed"] == 0:
            return failure(400, "no")
        await asyncio.sleep(0.2)
        return completion()

    fake = FakeOpenAI(reply)
    async with fake.running(), opened(fake, journal) as model:
        with pytest.raises(InfrastructureError):
            await asyncio.gather(*(model.answer("why?", SAMPLING, index) for index in range(4)))
        await model.settle()
    assert len([record for record in journal.records() if record["kind"] == "answer"]) == 3
