"""Settings that can't work are reported before anything is pulled, served or asked."""

import asyncio
import json
from pathlib import Path

import pytest
from fake_openai import FakeOpenAI, failure

from harness.config.schema import RunConfig
from harness.errors import InputError
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model import connection
from harness.pipeline.lengths import stage_samplings
from harness.pipeline.preflight import preflight


@pytest.fixture
def config(tmp_path: Path, row):
    (tmp_path / "rows.jsonl").write_text(json.dumps(row(problem_statement="x should be 2 " * 20)) + "\n")

    def make(checkpoint: dict, **keys: object) -> RunConfig:
        document = {"dataset": {"path": str(tmp_path / "rows.jsonl")}, "output": str(tmp_path / "out"), **keys}
        return RunConfig.model_validate(document | {"checkpoints": [{"name": "tiny", **checkpoint}]})

    return make


def local(tmp_path: Path, **keys: object) -> dict:
    write_random_checkpoint(tmp_path / "checkpoint", seed=1)
    return {"path": tmp_path / "checkpoint", **keys}


@pytest.mark.parametrize(
    ("context", "said"),
    [
        (1024, "sampling.repair.max_tokens of 1024 leaves no room for a prompt; lower"),
        (1100, "sampling.repair.max_tokens of 1024 leaves 76 tokens, too few for any issue; lower"),
        (300, "context has 300 tokens: sampling.repair.*no room.*sampling.localize.max_tokens of 300 leaves no room"),
        (1320, "leaves 296 tokens, too few for any issue; lower"),  # it fits, but not with the words around it
        (4096, None),
    ],
)
def test_answers_that_leave_no_room_in_the_context_are_told(config, tmp_path, context, said):
    made = config(local(tmp_path, server_args=[f"--max-model-len={context}"]))
    if said is None:
        preflight(made)
    else:
        with pytest.raises(InputError, match=f"checkpoint tiny: .*{said}"):
            preflight(made)


def test_a_presets_long_answers_at_a_short_context_are_told(config, tmp_path):
    made = config(
        local(tmp_path, server_args=["--max-model-len=4096"]), sampling={"repair": {"max_tokens": 4096}},
        validation={"reproduction": {"samples": 1, "sampling": {"max_tokens": 4096}}}, conditions=["gt-file"],
    )  # fmt: skip
    with pytest.raises(InputError, match=r"sampling.repair.*; validation.reproduction.sampling.max_tokens of 4096"):
        preflight(made)


def test_only_stages_that_are_asked_need_room(config, tmp_path):
    asked = config(local(tmp_path)), config(local(tmp_path), conditions=["gt-file"])
    assert [list(stage_samplings(made)) for made in asked] == [
        ["sampling.repair", "sampling.localize"], ["sampling.repair"],
    ]  # fmt: skip


def test_a_recording_without_a_context_has_room_for_all(config, tmp_path):
    line = {"instance_id": "owner__name-1", "stage": "repair", "text": ""}
    (tmp_path / "told.jsonl").write_text(json.dumps(line) + "\n")
    named = preflight(config({"answers": tmp_path / "told.jsonl"}, sampling={"repair": {"max_tokens": 1 << 20}}))
    assert [instance.instance_id for instance in named.instances] == ["owner__name-1"]


@pytest.mark.parametrize(
    ("fake", "checkpoint", "said"),
    [
        (FakeOpenAI(context=2048), {}, None),
        (FakeOpenAI(context=1024), {}, r"sampling.repair.max_tokens of 1024 leaves no room"),
        (FakeOpenAI(context=None), {}, "does not say how long the context"),
        (FakeOpenAI(context=None), {"server_args": ["--max-model-len=2k"]}, None),
        (FakeOpenAI(context=None), {"server_args": ["--max-model-len=two"]}, "give a whole number of tokens"),
        (FakeOpenAI(), {"model": "tini"}, "serves tiny, not 'tini'; did you mean tiny"),
    ],
)
async def test_an_endpoint_is_asked_for_its_models_and_its_context(config, fake, checkpoint, said):
    async with fake.running():
        made = config({"endpoint": fake.base_url, **checkpoint})
        if said is None:
            await asyncio.to_thread(preflight, made)
        else:
            with pytest.raises(InputError, match=said):
                await asyncio.to_thread(preflight, made)
    assert fake.questions == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "refuses the key: nothing was asked"),
        (404, "does not know the model or the path"),
        (400, None),
        (500, None),
    ],
)
async def test_a_key_is_tried_where_everybody_may_list_the_models(config, status, said):
    """The list is open at llama.cpp and at gateways: a wrong key was found out by the questions of the run."""
    async with FakeOpenAI(context=2048).running() as fake:
        fake.refuses = status
        made = config({"endpoint": fake.base_url})
        if said is None:
            await asyncio.to_thread(preflight, made)
        else:
            with pytest.raises(InputError, match=said):
                await asyncio.to_thread(preflight, made)
    assert fake.questions == []


@pytest.mark.parametrize("chat", ["chat", "completions"])
async def test_an_endpoint_without_a_list_is_believed_if_model_and_context_are_given(config, chat):
    class Unlisted(FakeOpenAI):
        async def _models(self, _):
            return failure(404, "no such path")

    given = {"chat": chat, "model": "tiny", "server_args": ["--max-model-len=2k"]}
    async with Unlisted().running() as fake:
        await asyncio.to_thread(preflight, config({"endpoint": fake.base_url, **given}))
        for missing, said in (("model", "name one as the checkpoint's model"), ("server_args", "how long the context")):
            keys = {name: value for name, value in given.items() if name != missing}
            with pytest.raises(InputError, match=said):
                await asyncio.to_thread(preflight, config({"endpoint": fake.base_url, **keys}))


async def test_an_endpoint_that_is_down_or_closed_is_told_with_all_else(config, monkeypatch):
    class Closed(FakeOpenAI):
        async def _models(self, _):
            return failure(401, "no such key")

    monkeypatch.setattr(connection, "SIDE_RETRIES", 0)
    async with Closed().running() as fake:
        made = config({"endpoint": fake.base_url}, prompts="agentles")
        with pytest.raises(InputError, match=r"did you mean agentless.* \| .*refuses the key: no such key"):
            await asyncio.to_thread(preflight, made)
    with pytest.raises(InputError, match="no OpenAI-compatible server answers there"):
        await asyncio.to_thread(preflight, config({"endpoint": "http://127.0.0.1:9/v1"}))
