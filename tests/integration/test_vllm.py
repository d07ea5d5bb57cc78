"""The real server on a CPU: what the unit tests' stub stands for. Each start takes half a minute or more."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.common.journal import Journal
from harness.common.run_folder import journal_path
from harness.compare.frames import json_lines
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import ContextOverflow, Sampling
from harness.errors import ServerError
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model import checkpoint as checks
from harness.model import served, server
from harness.model.client import open_model
from harness.model.cpu_engine import engine_environment
from harness.model.server import VllmServer
from harness.model.serving_places import Places
from harness.model.supervisor import living, shared_memory

pytestmark = pytest.mark.vllm

ARGS = ("--enforce-eager", "--kv-cache-memory-bytes=256M")
SERVING = ServingConfig(args=ARGS, startup_seconds=400, request_seconds=120)
CORPUS = [path.read_text(encoding="utf-8") for path in sorted(Path(checks.__file__).parent.glob("*.py"))]
OWNER = """
import asyncio, sys
from pathlib import Path
from harness.model.server import VllmServer

async def own():
    async with VllmServer(Path(sys.argv[1]), "tiny", sys.argv[3:], Path(sys.argv[2]), startup_seconds=400):
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(own())
"""


@pytest.fixture
def checkpoint(tmp_path):
    write_random_checkpoint(tmp_path / "checkpoint", seed=1, corpus=CORPUS)
    return CheckpointConfig(name="tiny", path=tmp_path / "checkpoint")


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "answers.jsonl")
    yield journal
    journal.close()


def leader_of(note: Path) -> int:
    return json.loads(note.read_text())["leader"]["pid"]


def named(leader: int, name: bytes) -> list[int]:
    """Processes in a server's session, by the name that vLLM gives them."""
    return [pid for pid in living(leader) if name in Path(f"/proc/{pid}/cmdline").read_bytes()]


def engine_of(leader: int) -> int:
    """The engine's process in a server's session."""
    [engine] = named(leader, b"VLLM::EngineCore")
    return engine


async def said_at_the_start(model) -> set[str]:
    """The lines of its log that a server was seen to say last while it started."""
    said = set()
    async with asyncio.timeout(300):
        while not model.activity().starts:
            if (activity := model.activity()).detail:
                assert activity.doing == "starting vLLM"
                said.add(activity.detail)
            await asyncio.sleep(0.1)
    assert len(said) > 1
    return said


async def test_a_checkpoint_is_served_asked_and_resumed_without_a_server(checkpoint, journal, tmp_path, caplog):
    prompts = ["def total(values):\n    return sum(values)\n", "<eos> 漢字 🙂\t" * 40]
    greedy = Sampling(temperature=0.0, max_tokens=8)
    async with open_model(checkpoint, SERVING, 8, tmp_path, journal) as model:
        counts = [await model.count_tokens(prompt) for prompt in prompts]
        watching = asyncio.create_task(said_at_the_start(model))
        answers = [await model.answer(prompt, greedy, 0) for prompt in prompts]
        assert all(line and "\x1b" not in line for line in await watching), "the server's log says what it is at"
        assert len(model.activity().starts) == 1
        assert model.part("tiny").totals["completion_tokens"] == sum(answer.completion_tokens for answer in answers)
        sampled = await asyncio.gather(*(model.answer(prompts[0], Sampling(max_tokens=8), index) for index in range(4)))
        full = greedy.model_copy(update={"max_tokens": 8192 - counts[0]})
        filled = await model.answer(prompts[0], full, 0)
        with pytest.raises(ContextOverflow):
            await model.answer(prompts[0], full.model_copy(update={"max_tokens": full.max_tokens + 1}), 0)
        leader = leader_of(tmp_path / "tiny.server.json")
        assert engine_of(leader)
        assert os.getpriority(os.PRIO_PROCESS, engine_of(leader)) > os.getpriority(os.PRIO_PROCESS, 0)
        assert bool(named(leader, b"VLLM::Worker")) != bool(engine_environment(())), "the engine runs the model itself"
    assert [answer.prompt_tokens for answer in answers] == counts
    assert "another tokenizer" not in caplog.text
    assert len({answer.text for answer in sampled}) > 1
    assert filled.finish_reason in ("stop", "length")
    assert filled.finish_reason == "stop" or filled.completion_tokens == full.max_tokens
    assert living(leader) == []

    async with open_model(checkpoint, SERVING, 8, tmp_path, journal) as model:
        found = [await model.answer(prompt, greedy, 0) for prompt in prompts]
    assert (found, [answer.known for answer in found]) == (answers, [True] * len(prompts))


def tie(folder: Path) -> None:
    """Let a checkpoint's last layer be its embeddings."""
    from safetensors.torch import load_file, save_file

    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    tensors = load_file(folder / "model.safetensors")
    del tensors["lm_head.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
async def test_weights_are_read_into_a_running_server_unless_they_answer_otherwise_there(tied, tmp_path, caplog):
    """Some builds of this vLLM reload tied embeddings wrongly, without a word: then no server takes other weights."""
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for seed, folder in enumerate(folders):
        write_random_checkpoint(folder, seed, corpus=CORPUS)
        if tied:
            tie(folder)

    async def answer(folder: Path, places: Places, output: Path, switch: str) -> str:
        config, serving = CheckpointConfig(name=folder.name, path=folder), SERVING.model_copy(update={"switch": switch})
        with Journal(output / "answers.jsonl") as journal:
            async with places.take(config) as place, open_model(config, serving, 8, output, journal, place) as model:
                return (await model.answer("def total(values):", Sampling(temperature=0.0, max_tokens=16), 0)).text

    async with Places(reload=True) as places:
        answers = [await answer(folder, places, tmp_path, "reload") for folder in folders]
        notes = [tmp_path / f"{folder.name}.server.json" for folder in folders]
        waiting = [leader_of(note) for note in notes if note.exists()]
        trusted = "serving.switch: reload is not used" not in caplog.text
        assert [bool(engine_of(leader)) for leader in waiting] == ([True] if trusted else [])
    assert trusted or tied
    assert not any(map(living, waiting))
    reloaded = [record["reloaded"] for record in json_lines(journal_path(tmp_path, "servers"))]
    assert reloaded == [False, False, trusted]
    if trusted:
        async with Places() as places:
            assert await answer(folders[-1], places, tmp_path / "alone", "restart") == answers[-1]
    assert len(set(answers)) == len(answers)


def write_adapter(folder: Path, base: Path) -> Path:
    """A random LoRA adapter of the attention's queries, strong enough to change every answer."""
    import numpy as np
    from safetensors.numpy import save_file

    config = json.loads((base / "config.json").read_text())
    width, rng, tensors = config["hidden_size"], np.random.default_rng(1), {}
    queries = config["num_attention_heads"] * config["head_dim"]
    for layer in range(config["num_hidden_layers"]):
        name = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        tensors[f"{name}.lora_A.weight"] = rng.standard_normal((4, width)).astype("float32")
        tensors[f"{name}.lora_B.weight"] = rng.standard_normal((queries, 4)).astype("float32")
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 16, "target_modules": ["q_proj"]})
    )
    return folder


async def test_the_adapter_is_asked_and_not_its_base(checkpoint, journal, tmp_path):
    greedy = Sampling(temperature=0.0, max_tokens=16)
    adapter = write_adapter(tmp_path / "adapter", checkpoint.path)
    adapted = CheckpointConfig(name="tiny", base=checkpoint.path, adapter=adapter)
    answers = []
    for config in (checkpoint, adapted):
        async with open_model(config, SERVING, 8, tmp_path, journal) as model:
            answers.append(await model.answer("def total(values):", greedy, 0))
    assert answers[0].text != answers[1].text
    assert answers[0].prompt_tokens == answers[1].prompt_tokens


async def test_generation_config_and_manner_of_asking_are_the_run_files(checkpoint, journal, tmp_path, caplog):
    """A repetition penalty in the checkpoint's own generation config changed greedy answers without a word."""
    greedy, folder = Sampling(temperature=0.0, max_tokens=32), checkpoint.path
    (tmp_path / "own.jinja").write_text("{{ note }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")
    manner = {"system": "Be brief.", "chat_template": tmp_path / "own.jinja", "chat_template_kwargs": {"note": "!!!"}}
    none, penalty = (greedy.model_copy(update={"repetition_penalty": value}) for value in (1.0, 1.8))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 2, "repetition_penalty": 1.8}))
    async with open_model(checkpoint, SERVING, 8, tmp_path, journal) as model:
        plain = await model.answer("def total(values):", greedy, 0)
        assert (await model.answer("def total(values):", none, 0)).text == plain.text
        said = await model.answer("def total(values):", penalty, 0)
    held = checkpoint.model_copy(update={"generation_config": True, **manner})
    async with open_model(held, SERVING, 8, tmp_path, journal) as model:
        count = await model.count_tokens("def total(values):")
        answer = await model.answer("def total(values):", greedy, 0)
    assert said.text != plain.text
    assert answer.prompt_tokens == count > plain.prompt_tokens
    assert "another tokenizer" not in caplog.text
    [last] = [record for record in journal.records() if "asked" in record]
    assert last["in_force"]["repetition_penalty"] == 1.8


async def test_a_killed_engine_ends_the_wait(journal, tmp_path, monkeypatch):
    """Also the way of a checkpoint without a chat template, whose bare prompts go to the completions endpoint."""
    monkeypatch.setattr(served, "STARTS", 1)
    write_random_checkpoint(tmp_path / "checkpoint", seed=2, chat_template=False)
    config = CheckpointConfig(name="tiny", path=tmp_path / "checkpoint")
    async with open_model(config, SERVING, 4, tmp_path, journal) as model:
        answer = await model.answer("why?", Sampling(max_tokens=4), 0)
        assert answer.prompt_tokens == await model.count_tokens("why?") == 4
        leader = leader_of(tmp_path / "tiny.server.json")
        engine = engine_of(leader)
        shared = shared_memory(leader)
        assert shared
        os.kill(engine, signal.SIGSTOP)  # else a random model may well end its answer first
        waiting = asyncio.create_task(model.answer("why?", Sampling(max_tokens=4), 1))
        await asyncio.sleep(1)
        assert not waiting.done()
        os.kill(engine, signal.SIGKILL)
        with pytest.raises(ServerError, match="died without a word of its own"):
            await asyncio.wait_for(waiting, 60)
        assert living(leader) == []
    assert not [path for path in shared if path.exists()]
    assert len(journal) == 2  # the first question's prompt and answer


async def test_what_the_checks_let_pass_is_explained_from_the_log(checkpoint, tmp_path, monkeypatch):
    weights = tmp_path / "checkpoint" / "model.safetensors"
    os.truncate(weights, weights.stat().st_size - 1000)
    monkeypatch.setattr(server, "check_checkpoint", lambda path: None)
    with pytest.raises(ServerError, match=r"failed while starting: .*SafetensorError") as caught:
        async with VllmServer(checkpoint.path, "tiny", ARGS, tmp_path, startup_seconds=400):
            pass
    assert "\n" not in str(caught.value)


async def test_the_server_does_not_survive_its_owners_sigkill(checkpoint, tmp_path):
    command = [sys.executable, "-c", OWNER, str(checkpoint.path), str(tmp_path), *ARGS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "ready\n"
        leader = leader_of(tmp_path / "tiny.server.json")
        assert engine_of(leader)
        owner.kill()
    for _ in range(100):
        if not living(leader):
            break
        await asyncio.sleep(0.1)
    assert living(leader) == []


def test_the_head_sizes_are_those_of_the_installed_vllm():
    if not checks.serves_on_cpu():
        pytest.skip("the installed vLLM is not the CPU build")
    ask = (
        "from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend as b; print(*b.get_supported_head_sizes())"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert tuple(map(int, done.stdout.split())) == checks.CPU_HEAD_SIZES
