"""What watchers are told of a model: against a fake at the HTTP boundary, and against the stub of vLLM's server."""

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fake_openai import FakeOpenAI, completion, failure

from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Answer, Sampling
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model import patience
from harness.model.activity import Activity, Tally, together
from harness.model.client import open_model
from harness.model.server_log import LATEST_BYTES, cache_hits, last_line

STUB = Path(__file__).with_name("stub_server")
SAMPLING = Sampling(max_tokens=10)


@asynccontextmanager
async def asking(fake, journal, concurrency):
    async with fake.running():
        config = CheckpointConfig(name="tiny", endpoint=fake.base_url)
        async with open_model(config, ServingConfig(), concurrency, journal.path.parent, journal) as model:
            yield model


async def until(is_so):
    async with asyncio.timeout(30):
        while not is_so():
            await asyncio.sleep(0.02)


async def test_answers_are_counted_by_where_they_are(journal):
    """Questions that wait for one of the server's places are not in flight, and a known answer is not asked for."""
    go = asyncio.Event()

    async def answer(_):
        await go.wait()
        return completion(prompt=7, tokens=20)

    async with asking(FakeOpenAI(answer), journal, concurrency=2) as model:
        bound = model.about("a__b-1")
        asked = [asyncio.create_task(bound.answer("why?", SAMPLING, index)) for index in range(3)]
        await until(lambda: model.activity().in_flight == 2)
        part = model.part("tiny")
        assert part.counts == "0 answers, 0 known, 2 in flight, 1 waiting"
        go.set()
        await asyncio.gather(*asked)
        await model.answer("why?", SAMPLING, 0)
        part = model.part("tiny")
    assert part.totals == {"answers": 3, "known_answers": 1, "prompt_tokens": 21, "completion_tokens": 60}
    assert (part.levels["questions_in_flight"], part.levels["questions_waiting"]) == (0, 0)
    assert part.words().startswith("3 answers, 1 known, ")
    assert part.words().endswith(" tokens/s")


async def test_an_endpoint_that_is_down_is_said_to_be_asked_again_until_it_answers(journal, monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.3)
    fake = FakeOpenAI(failure(503, "loading"), completion())
    async with asking(fake, journal, concurrency=2) as model:
        asked = asyncio.create_task(model.answer("why?", SAMPLING, 0))
        await until(lambda: model.activity().doing)
        part = model.part("tiny")
        assert (part.doing, part.levels["questions_in_flight"]) == ("asking again", 1)
        assert "loading" in part.detail
        await asked
        assert model.part("tiny").doing == ""


async def test_a_server_that_starts_says_its_last_line_and_its_cache_when_it_answers(journal, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", f"{STUB}{os.pathsep}{Path(__file__).parents[2]}")
    monkeypatch.syspath_prepend(str(STUB))
    monkeypatch.setenv("STUB_VLLM", "slow")
    monkeypatch.chdir(tmp_path)
    write_random_checkpoint(tmp_path / "checkpoint", seed=1)
    config = CheckpointConfig(name="tiny", path=tmp_path / "checkpoint")
    async with open_model(config, ServingConfig(), 4, tmp_path, journal) as model:
        assert model.part("tiny").words() == "0 answers, 0 known"
        asked = asyncio.create_task(model.answer("why?", SAMPLING, 0))
        await until(lambda: model.activity().detail == "Loading weights 1/3")
        part = model.part("tiny")
        assert part.words().startswith("0 answers, 0 known, 1 waiting; starting vLLM for ")
        assert part.words().endswith("s: Loading weights 1/3")
        assert model.activity().starts == ()
        (tmp_path / "go").touch()
        await asked
        activity, part = model.activity(), model.part("tiny")
    assert len(activity.starts) == 1
    assert (activity.doing, part.levels["prefix_cache_hit_rate"]) == ("", 0.25)
    assert part.counts.endswith("prefix cache 25%")


def test_tokens_a_second_are_those_of_the_latest_answers_over_the_time_that_they_took():
    now = [0.0]
    tally = Tally(lambda: now[0])

    def rate():
        return tally.part("c", Activity(), 0).levels["tokens_per_second"]

    assert rate() == 0
    now[0] = 1000.0
    tally.answered(Answer("", "stop", 7, 100, seconds=10.0))
    assert rate() == 10
    for _ in range(20):
        now[0] += 10
        tally.answered(Answer("", "stop", 7, 100, seconds=10.0))
    assert rate() == pytest.approx(10, rel=0.2)
    now[0] += 61
    assert rate() == 0


def test_several_servers_are_told_as_one():
    one = Activity(3, starts=(60.0,), prefix_cache=0.2)
    two = Activity(0, "starting vLLM", 12.0, "Loading", prefix_cache=0.4)
    both = together([one, two, Activity()])
    assert (both.in_flight, both.doing, both.seconds, both.detail, both.starts) == (
        3, "starting vLLM", 12.0, "Loading", (60.0,),
    )  # fmt: skip
    assert both.prefix_cache == pytest.approx(0.3)
    assert together([Activity()]).prefix_cache is None


def test_a_log_says_what_it_said_last(tmp_path):
    log = tmp_path / "server.log"
    assert (last_line(log), cache_hits(log)) == ("", None)
    old = b"INFO 11-23 21:38:11 [l.py:1] Engine 000: Prefix cache hit rate: 90.0%, MM cache hit rate: 1.0%\n"
    log.write_bytes(
        old + b"(EngineCore pid=7) INFO 11-23 21:38:11 [l.py:1] Loading 1/3\rLoading 2/3\r\n  if value:\n\n"
    )
    assert last_line(log) == "Loading 2/3"
    assert cache_hits(log) == pytest.approx(0.9)
    assert cache_hits(log, len(old)) is None, "of an earlier start"
    assert last_line(log, log.stat().st_size) == ""
    log.write_bytes(old + b"x" * LATEST_BYTES)
    assert cache_hits(log) is None, "too long ago"
