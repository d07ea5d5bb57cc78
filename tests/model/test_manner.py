"""The route of a question and what goes with its prompt: as the run file says, and as the record shows."""

import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from fake_openai import FakeOpenAI
from pydantic import ValidationError

from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Sampling
from harness.errors import InputError
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model.checkpoint import checkpoint_revision, defaults_in_force, server_arguments
from harness.model.client import open_model
from harness.model.manner import Manner
from harness.model.recorded import question
from harness.model.served import ServedCheckpoint
from harness.model.tokens import PromptTokens

SAMPLING = Sampling(temperature=0.5, max_tokens=10, seed=40)
SERVING = ServingConfig()


@asynccontextmanager
async def asking(fake, journal, **checkpoint):
    async with fake.running():
        config = CheckpointConfig(name="tiny", endpoint=fake.base_url, revision="1", **checkpoint)
        async with open_model(config, SERVING, 8, journal.path.parent, journal) as model:
            yield model


def text_completion(text: str = "yes") -> web.Response:
    choice = {"index": 0, "finish_reason": "stop", "text": text}
    return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 1}})


def kept(journal) -> list[dict]:
    return [record for record in journal.records() if record["kind"] == "answer"]


@pytest.mark.parametrize("tokenizes", [True, False])
async def test_without_a_template_auto_falls_back_to_completions_and_says_so(journal, tokenizes, caplog):
    fake = FakeOpenAI(text_completion(), template=False, tokenizes=tokenizes)
    async with asking(fake, journal) as model:
        assert [(await model.answer("why?", SAMPLING, index)).text for index in range(2)] == ["yes", "yes"]
        assert model.routes == {"completions"}
    assert [sent.get("prompt") for sent in fake.questions][-2:] == ["why?", "why?"]
    assert len(fake.questions) == (2 if tokenizes else 3)
    assert [record["route"] for record in kept(journal)] == ["completions"] * 2
    assert len([record for record in caplog.records if "no chat template" in record.message]) == 1
    async with asking(fake, journal) as model:
        await model.answer("why?", SAMPLING, 0)
        assert model.routes == {"completions"}, "the journal's answers were asked that way"


async def test_chat_is_the_route_of_a_model_with_a_template(journal):
    async with asking(FakeOpenAI(), journal) as model:
        await model.answer("why?", SAMPLING, 0)
        assert model.routes == {"chat"}
    assert kept(journal)[0]["route"] == "chat"


@pytest.mark.parametrize("said", [{"chat": "chat"}, {"system": "Be brief."}, {"chat_template_kwargs": {"a": 1}}])
async def test_what_needs_a_template_is_not_sent_without_one(journal, said):
    async with asking(FakeOpenAI(text_completion(), template=False), journal, **said) as model:
        with pytest.raises(InputError, match=f"no chat template, which {next(iter(said))}"):
            await model.answer("why?", SAMPLING, 0)


async def test_the_prompt_is_sent_as_it_is_if_the_run_file_says_so(journal):
    fake = FakeOpenAI(text_completion())
    async with asking(fake, journal, chat="completions") as model:
        assert await model.count_tokens("why not?") == 2
        await model.answer("why?", SAMPLING, 0)
    assert fake.questions[0]["prompt"] == "why?"
    assert "messages" not in fake.questions[0]


async def test_system_template_and_further_fields_are_sent_and_counted(journal, tmp_path):
    (tmp_path / "own.jinja").write_text("{{ messages }}")
    said = {
        "system": "Be brief.",
        "chat_template": tmp_path / "own.jinja",
        "chat_template_kwargs": {"enable_thinking": False},
        "extra_body": {"reasoning_effort": "low"},
    }
    fake = FakeOpenAI()
    async with asking(fake, journal, **said) as model:
        assert await model.count_tokens("why?") == 6
        await model.answer("why?", SAMPLING, 0)
    (sent,) = fake.questions
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "why?"}]
    assert sent["chat_template"] == "{{ messages }}"
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}
    assert sent["reasoning_effort"] == "low"
    assert fake.counted[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert kept(journal)[0]["in_force"] == SAMPLING.parameters() | {"reasoning_effort": "low"}


@pytest.mark.parametrize(
    "said", [{"chat": "completions"}, {"system": "x"}, {"chat_template_kwargs": {"a": 1}}, {"extra_body": {"b": 1}}]
)
async def test_another_manner_is_another_question(journal, said):
    fake = FakeOpenAI(text_completion())
    async with asking(fake, journal) as model:
        await model.answer("why?", SAMPLING, 0)
    async with asking(fake, journal, **said) as model:
        await model.answer("why?", SAMPLING, 0)
        await model.answer("why?", SAMPLING, 0)
    assert len(fake.questions) == 2
    recording = CheckpointConfig(name="told", answers=journal.path, **said)
    async with open_model(recording, SERVING, 1, journal.path.parent, journal) as model:
        assert (await model.answer("why?", SAMPLING, 0)).finish_reason == "stop"


def test_nothing_said_leaves_the_key_as_it_was():
    assert question("r", "why?", SAMPLING, 0, Manner()).keys() == {"revision", "prompt", "sampling", "seed", "index"}


async def test_a_prompt_is_counted_once_however_many_samples_it_has(journal):
    fake = FakeOpenAI()
    async with asking(fake, journal) as model:
        for index in range(5):
            await model.count_tokens("why?")
            await model.answer("why?", SAMPLING, index)
    assert len(fake.counted) == 1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"chat": "completions", "system": "x"}, "system belongs to the chat route"),
        ({"extra_body": {"top_k": 1}}, "extra_body can't set top_k"),
        ({"extra_body": {"messages": []}}, "extra_body can't set messages"),
        ({"extra_body": {"max_completion_tokens": 9}}, "extra_body can't set max_completion_tokens"),
        ({"extra_body": {"x": float("nan")}}, "JSON can't hold it"),
        ({"generation_config": True}, "generation_config is for a checkpoint with a path"),
        ({"chat": "caht"}, "chat"),
    ],
)
def test_what_can_not_go_together_is_the_run_files_error(said, message):
    with pytest.raises(ValidationError, match=message):
        CheckpointConfig(name="tiny", endpoint="http://host/v1", **said)


# Local checkpoints


def local(folder: Path, **said) -> CheckpointConfig:
    return CheckpointConfig(name="tiny", path=folder, **said)


def test_a_local_checkpoint_goes_by_its_own_template(tmp_path):
    write_random_checkpoint(tmp_path / "with", seed=1)
    write_random_checkpoint(tmp_path / "without", seed=1, chat_template=False)
    assert [PromptTokens(tmp_path / name).route for name in ("with", "without")] == ["chat", "completions"]
    assert PromptTokens(tmp_path / "with", (), Manner("completions")).count("why?") == 4
    with pytest.raises(InputError, match="no chat template, which system needs"):
        PromptTokens(tmp_path / "without", (), Manner(system="Be brief."))
    (tmp_path / "own.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}{{ end }}")
    given = local(tmp_path / "without", chat_template=tmp_path / "own.jinja")
    args = server_arguments(given, SERVING)
    assert args == (f"--chat-template={tmp_path / 'own.jinja'}",)
    assert PromptTokens(tmp_path / "without", args).route == "chat"
    more = Manner(system="12", template_kwargs={"end": "!!!"})
    assert PromptTokens(tmp_path / "without", args, more).count("why?") == 2 + 4 + 3


@pytest.mark.parametrize(
    ("config", "args", "generation_config", "started_with"),
    [
        ({"repetition_penalty": 1.1, "top_k": 20}, (), False, ("--generation-config=vllm",)),
        ({"repetition_penalty": 1.1}, (), True, ()),
        ({"repetition_penalty": 1.0, "temperature": 0.7, "top_p": 0.8, "eos_token_id": [1, 2]}, (), False, ()),
        ({"top_k": 20}, ("--generation-config", "auto"), False, ("--generation-config", "auto")),
        (None, (), False, ()),
    ],
)
def test_a_checkpoints_own_generation_config_holds_only_if_the_run_file_says_so(
    tmp_path, config, args, generation_config, started_with
):
    """It changed even greedy answers without a word; a checkpoint whose answers it can't change keeps its revision."""
    write_random_checkpoint(tmp_path, seed=1)
    (tmp_path / "generation_config.json").unlink()
    if config is not None:
        (tmp_path / "generation_config.json").write_text(json.dumps(config))
    checkpoint = local(tmp_path, server_args=args, generation_config=generation_config)
    assert server_arguments(checkpoint, SERVING) == started_with
    served = ServedCheckpoint(checkpoint, SERVING, 1, tmp_path)
    assert served.revision == checkpoint_revision(tmp_path, started_with)
    held = {"top_k": 20} if "auto" in args else {"repetition_penalty": 1.1} if generation_config else {}
    assert served.in_force(SAMPLING) == held | SAMPLING.parameters()
    said = SAMPLING.model_copy(update={"repetition_penalty": 1.3})
    assert served.in_force(said)["repetition_penalty"] == 1.3


@pytest.mark.parametrize(
    ("args", "held"),
    [
        ((), {"top_k": 20}),
        (("--generation-config=vllm",), {}),
        (("--generation-config", "auto"), {"top_k": 20}),
        (("--generation-config=OTHER",), {"min_p": 0.1}),
        (('--override-generation-config={"top_k": 5, "presence_penalty": 0.5, "temperature": 1}',),
         {"top_k": 5, "presence_penalty": 0.5}),
        (("--generation-config=vllm", '--override-generation-config={"min_p": 0.2}'), {"min_p": 0.2}),
        (('--override-generation-config={"top_k": 0}',), {}),
        (('--generation-config=vllm', '--override-generation-config={"max_new_tokens": 16}'), {"max_new_tokens": 16}),
    ],
)  # fmt: skip
def test_what_is_in_force_follows_from_the_servers_arguments(tmp_path, args, held):
    """Arguments that bring back a generation config, or another, drew with parameters that no record named."""
    for name, config in (("own", {"top_k": 20}), ("other", {"min_p": 0.1})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "generation_config.json").write_text(json.dumps(config))
    given = [arg.replace("OTHER", str(tmp_path / "other")) for arg in args]
    assert defaults_in_force(tmp_path / "own", given) == held


def test_an_override_that_is_not_json_is_told(tmp_path):
    with pytest.raises(InputError, match="--override-generation-config=top_k: not JSON"):
        defaults_in_force(tmp_path, ["--override-generation-config=top_k"])
