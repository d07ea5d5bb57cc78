"""One checkpoint at several servers: who is asked, who stands in, and what identifies the weights."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from fake_openai import FakeOpenAI, completion, failure

from harness.common.run_folder import journal_path
from harness.compare.frames import json_lines
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Sampling
from harness.errors import InfrastructureError, InputError
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model import connection, endpoint, patience, several_servers
from harness.model.client import open_model
from harness.model.devices import Spot
from harness.model.remote import endpoint_revision
from harness.model.serving_places import Place, Places
from harness.model.several_servers import in_order

SAMPLING = Sampling(temperature=0.5, max_tokens=10)
INSTANCES = [f"owner__name-{number}" for number in range(24)]
STUB = Path(__file__).with_name("stub_server")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(endpoint, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(several_servers, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(connection, "SIDE_RETRIES", 0)


@asynccontextmanager
async def asking(fakes, journal, down=(), seconds=20, **keys):
    """The model of a checkpoint at all of the running fakes, and at addresses where nobody answers."""
    async with AsyncExitStack() as stack:
        for fake in fakes:
            await stack.enter_async_context(fake.running())
        addresses = [*down, *(fake.base_url for fake in fakes)]
        config = CheckpointConfig(name="tiny", endpoints=addresses, **keys)
        serving = ServingConfig(request_seconds=seconds)
        yield await stack.enter_async_context(open_model(config, serving, 8, journal.path.parent, journal))


async def ask_all(model) -> None:
    """Two samples of one prompt about every instance."""
    questions = [
        model.about(instance).answer(f"why {instance}?", SAMPLING, index) for instance in INSTANCES for index in (0, 1)
    ]
    await asyncio.gather(*questions)


def asked(fake: FakeOpenAI) -> Counter[str]:
    return Counter(question["messages"][0]["content"] for question in fake.questions)


def test_an_instances_server_depends_on_no_order_and_moves_only_with_its_server():
    names = ["a", "b", "c", "d"]
    chosen = {instance: in_order(names, instance) for instance in INSTANCES}
    assert {instance: in_order(names[::-1], instance) for instance in INSTANCES} == chosen
    assert set(Counter(order[0] for order in chosen.values())) == set(names)
    for instance, order in chosen.items():
        without = [name for name in order if name != "c"]
        assert in_order(["a", "b", "d"], instance) == without


async def test_all_samples_of_an_instance_go_to_the_same_server(journal):
    fakes = [FakeOpenAI(), FakeOpenAI(), FakeOpenAI()]
    async with asking(fakes, journal) as model:
        await ask_all(model)
    questions = [asked(fake) for fake in fakes]
    assert all(questions)
    assert all(set(counts.values()) == {2} for counts in questions)
    assert sum(map(len, questions)) == len(INSTANCES)


async def test_a_server_that_fails_leaves_its_instances_to_the_others_and_is_asked_again_later(
    journal, monkeypatch, caplog
):
    monkeypatch.setattr(several_servers, "REST_SECONDS", 0.2)
    broken, well = FakeOpenAI(*[failure(500)] * 6, completion()), FakeOpenAI()
    async with asking([broken, well], journal) as model:
        await model.about(INSTANCES[0]).answer("why?", SAMPLING, 0)
        broken.replies[:] = [failure(500)]
        await ask_all(model)
        assert len(well.questions) >= 2 * len(INSTANCES)
        broken.replies[:] = [completion()]
        await asyncio.sleep(0.3)
        before = len(broken.questions)
        questions = [model.about(instance).answer(f"how {instance}?", SAMPLING, 0) for instance in INSTANCES]
        await asyncio.gather(*questions)
        assert len(broken.questions) > before
    assert "its instances go to the other servers" in caplog.text


async def test_an_address_where_nobody_answers_stops_nothing(journal, caplog):
    well = FakeOpenAI()
    async with asking([well], journal, down=["http://127.0.0.1:9/v1"]) as model:
        await asyncio.wait_for(ask_all(model), 15)
    assert asked(well) == {f"why {instance}?": 2 for instance in INSTANCES}
    assert "the checkpoint's other endpoints are asked" in caplog.text


async def test_a_question_that_no_server_answers_waits_as_at_one_server(journal):
    fakes = [FakeOpenAI(*[failure(503)] * 8, completion()) for _ in range(2)]
    async with asking(fakes, journal) as model:
        assert (await model.about("a").answer("why?", SAMPLING, 0)).text == "yes"


async def test_a_failure_of_one_question_lets_no_server_rest(journal, caplog):
    """Else one instance that every server refuses would take all of them away from the others."""

    async def refuse(question):
        return failure(400, "bad") if "bad" in str(question["messages"]) else completion()

    fakes = [FakeOpenAI(refuse), FakeOpenAI(refuse)]
    async with asking(fakes, journal) as model:
        both = await asyncio.gather(model.about("a").answer("bad", SAMPLING, 0), ask_all(model), return_exceptions=True)
    assert isinstance(both[0], InfrastructureError)
    assert all(len(asked(fake)) > 1 for fake in fakes)


async def test_none_that_answers_is_one_clear_line(journal):
    with pytest.raises(InfrastructureError, match="no OpenAI-compatible server answers there") as caught:
        async with asking([], journal, down=["http://127.0.0.1:9/v1", "http://127.0.0.1:10/v1"]):
            pass
    assert "\n" not in str(caught.value)


async def test_servers_that_do_not_agree_are_said(journal):
    one, other = FakeOpenAI(), FakeOpenAI()
    other.models = ["huge"]
    with pytest.raises(InputError, match=r"serve different models .*name one as the checkpoint's model"):
        async with asking([one, other], journal):
            pass
    with pytest.raises(InputError, match=r"contexts of different lengths .*--max-model-len"):
        async with asking([FakeOpenAI(context=100), FakeOpenAI(context=200)], journal):
            pass
    async with asking(
        [FakeOpenAI(context=100), FakeOpenAI(context=200)], journal, server_args=("--max-model-len=64",)
    ) as model:
        assert await model.context_length() == 64


async def test_addresses_that_come_go_or_change_places_ask_nothing_again(journal):
    fakes = [FakeOpenAI() for _ in range(3)]
    async with asking(fakes[:2], journal) as model:
        await ask_all(model)
    async with asking(fakes[::-1], journal) as model:
        await ask_all(model)
    assert sum(len(fake.questions) for fake in fakes) == 2 * len(INSTANCES)


def test_a_revision_is_the_same_at_one_address_and_at_several():
    one = CheckpointConfig(name="tiny", endpoint="http://a:1/v1", revision="step-7")
    several = CheckpointConfig(name="tiny", endpoints=["http://a:1/v1", "http://b:1/v1"], revision="step-7")
    assert endpoint_revision(one, "m") == endpoint_revision(several, "m") == "m@step-7"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"endpoints": ["http://a:1/v1"] * 2}, "endpoints has http://a:1/v1 more than once"),
        ({"endpoint": "http://a:1/v1", "endpoints": ["http://b:1/v1"]}, "give endpoint or endpoints, not both"),
        ({"endpoints": []}, "give either a path or an endpoint"),
        ({"endpoint": "http://a:1/v1", "replicas": 2}, "replicas is for weights that are served here"),
    ],
)
def test_what_cannot_be_meant_is_said(keys, said):
    with pytest.raises(ValueError, match=said):
        CheckpointConfig(name="tiny", **keys)


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """A checkpoint in the working folder, and the stub in vLLM's place."""
    monkeypatch.setenv("PYTHONPATH", str(STUB))
    monkeypatch.syspath_prepend(str(STUB))
    monkeypatch.chdir(tmp_path)
    write_random_checkpoint(tmp_path / "checkpoint", seed=1)


async def test_the_next_checkpoints_server_is_up_before_its_turn_and_asked_at_it(stub, journal, tmp_path):
    places = Places(ahead=1)
    configs = [
        CheckpointConfig(name=name, path=tmp_path / "checkpoint", server_args=(f"--seed={name}",)) for name in "12"
    ]

    async def ask(config, done: asyncio.Event) -> str:
        async with places.take(config) as place:
            place.memory = lambda: (1 << 50, 1 << 50)
            async with open_model(config, ServingConfig(), 8, tmp_path, journal, place) as model:
                text = (await model.answer("why?", SAMPLING, 0)).text
                await done.wait()
                return text

    done = asyncio.Event()
    first = asyncio.create_task(ask(configs[0], done))
    while len(journal) < 2:  # its prompt and its answer
        await asyncio.sleep(0.01)
    second = asyncio.create_task(ask(configs[1], done))
    while "POST" not in (log.read_text() if (log := tmp_path / "2.server.log").exists() else ""):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    assert len(journal) == 2
    done.set()
    assert await asyncio.gather(first, second) == ["ok", "ok"]
    ended = list(json_lines(journal_path(tmp_path, "servers")))
    assert {end["checkpoint"]: end["ahead"].partition(":")[0] for end in ended} == {"1": "", "2": "loaded"}


async def test_replicas_share_the_instances_of_a_checkpoint(stub, journal, tmp_path):
    config = CheckpointConfig(name="tiny", path=tmp_path / "checkpoint", replicas=2)
    place = Place([Spot(0, ("0",)), Spot(1, ("1",))])
    async with open_model(config, ServingConfig(), 8, tmp_path, journal, place) as model:
        await ask_all(model)
    starts = list(json_lines(journal_path(tmp_path, "servers")))
    found = sorted((start["checkpoint"], start["log"], start["devices"]) for start in starts)
    assert found == [("tiny", "tiny.server.log", ["0"]), ("tiny", "tiny@2.server.log", ["1"])]
    assert all(start["start_seconds"] <= start["seconds"] for start in starts)
