"""What is kept of endpoints: counts of tokens, and what they listed."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from fake_openai import FakeOpenAI

from harness.common.journal import Journal
from harness.config.schema import CheckpointConfig, ServingConfig
from harness.core.interfaces import Sampling
from harness.errors import InfrastructureError
from harness.model import connection
from harness.model.client import open_model
from harness.model.kept_facts import TokenCounts
from harness.repo.blob_cache import BlobStore

SAMPLING = Sampling(max_tokens=10)


class CountingStore(BlobStore):
    """Notes what it is asked, and has no room if told so."""

    full = False

    def __init__(self, path):
        super().__init__(path)
        self.calls = []

    def beginning(self, prefix):
        self.calls.append("beginning")
        return super().beginning(prefix)

    def put(self, items):
        self.calls.append("put")
        if self.full:
            raise InfrastructureError("full")
        super().put(items)


@asynccontextmanager
async def opened(folder, url, **checkpoint):
    config = CheckpointConfig(name="tiny", endpoint=url, **checkpoint)
    with Journal(folder / "answers.jsonl") as journal:
        async with open_model(config, ServingConfig(request_seconds=5), 4, folder, journal) as model:
            yield model


async def test_a_text_is_counted_once_by_many_at_a_time_and_by_later_runs(tmp_path):
    async with FakeOpenAI().running() as fake:
        async with opened(tmp_path, fake.base_url) as model:
            assert await asyncio.gather(*(model.count_tokens("one two") for _ in range(5))) == [5] * 5
        async with opened(tmp_path, fake.base_url) as model:
            assert await model.count_tokens("one two") == 5
            await model.answer("one two", SAMPLING, 0)
        assert len(fake.counted) == 1


async def test_counts_that_come_at_once_are_kept_together_and_looked_up_once(tmp_path):
    async def long(text):
        return len(text)

    async def nobody(text):
        raise AssertionError(text)

    texts = ["x" * number for number in range(1, 101)]
    with CountingStore(tmp_path / "derived.sqlite3") as store:
        counts = TokenCounts(store, "one")
        await counts.of("", long)
        assert await asyncio.gather(*(counts.of(text, long) for text in texts)) == list(range(1, 101))
        await TokenCounts(store, "one more").of("y", long)
        assert store.calls == ["beginning", "put", "put", "beginning", "put"]
        again = TokenCounts(store, "one")
        assert await asyncio.gather(*(again.of(text, nobody) for text in texts)) == list(range(1, 101))
        assert store.calls[5:] == ["beginning"]


async def test_a_count_that_can_not_be_kept_is_an_error_for_whoever_waits_for_it(tmp_path):
    async def long(text):
        return len(text)

    with CountingStore(tmp_path / "derived.sqlite3") as store:
        counts = TokenCounts(store, "one")
        store.full = True
        failed = await asyncio.gather(*(counts.of(text, long) for text in ("a", "bb")), return_exceptions=True)
        assert [str(error) for error in failed] == ["full"] * 2
        store.full = False
        assert await counts.of("a", long) == 1


@pytest.mark.parametrize("other", [{"system": "be brief"}, {"revision": "2"}])
async def test_another_model_or_manner_counts_for_itself(tmp_path, other):
    async with FakeOpenAI().running() as fake:
        for checkpoint in ({}, other):
            async with opened(tmp_path, fake.base_url, **checkpoint) as model:
                await model.count_tokens("one two")
        assert len(fake.counted) == 2


async def test_a_failed_count_is_not_kept(tmp_path):
    fake = FakeOpenAI()
    async with fake.running(), opened(tmp_path, fake.base_url) as model:
        await model.count_tokens("first")
    with pytest.raises(InfrastructureError):
        async with opened(tmp_path, fake.base_url) as model:
            await model.count_tokens("second")
    async with fake.running(), opened(tmp_path, fake.base_url, revision="1") as model:
        assert await model.count_tokens("second") == 4


async def test_an_endpoint_that_is_gone_has_the_answers_and_lengths_that_it_had(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(connection, "SIDE_RETRIES", 0)
    fake = FakeOpenAI(context=64)
    async with fake.running(), opened(tmp_path, fake.base_url) as model:
        answer = await model.answer("why?", SAMPLING, 0)
        revision, counted = model.revision, await model.count_tokens("why?")
    async with opened(tmp_path, fake.base_url) as model:
        assert await model.answer("why?", SAMPLING, 0) == answer
        assert (model.revision, await model.count_tokens("why?")) == (revision, counted)
        assert await model.context_length() == 64
        for asked in (model.answer("why?", SAMPLING, 1), model.count_tokens("how?")):
            with pytest.raises(InfrastructureError, match="no OpenAI-compatible server answers there"):
                await asked
    assert "what it answered before is used" in caplog.text


async def test_an_endpoint_lists_its_models_once_for_name_and_context(tmp_path):
    class Counting(FakeOpenAI):
        listed = 0

        async def _models(self, request):
            self.listed += 1
            return await super()._models(request)

    async with Counting().running() as fake, opened(tmp_path, fake.base_url) as model:
        assert await model.context_length() == 100
        await model.answer("why?", SAMPLING, 0)
        assert fake.listed == 1
