"""One server for several checkpoints; the real one is in tests/integration/test_vllm.py."""

import os
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from harness.common.run_folder import journal_path
from harness.compare.frames import json_lines
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Sampling
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model.client import open_model
from harness.model.devices import Spot
from harness.model.reloading import KeptServer, KeptServers, weights_kind
from harness.model.server import VllmServer
from harness.model.serving_places import Places

STUB = Path(__file__).with_name("stub_server")
SAMPLING = Sampling(temperature=0.5, max_tokens=10)
NAMES = ("one", "two", "three", "four")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Four checkpoints that differ in their weights alone."""
    folder = tmp_path_factory.mktemp("checkpoints")
    for seed, name in enumerate(NAMES):
        write_random_checkpoint(folder / name, seed)
    return folder


@pytest.fixture
def stub(monkeypatch, made):
    """How the server that stands in behaves."""
    monkeypatch.setenv("PYTHONPATH", str(STUB), prepend=os.pathsep)

    def behave(case: str = "") -> None:
        monkeypatch.setenv("STUB_VLLM", case)

    behave()
    return behave


async def run(folders: list[Path], journal, switch: str = "reload") -> tuple[list[str], list[dict]]:
    """What each checkpoint's server says that it is, asked one after another, and the records of the servers."""
    config = ServingConfig(switch=switch)
    said = []
    async with Places(reload=switch == "reload") as places:
        for folder in folders:
            checkpoint = CheckpointConfig(name=folder.name, path=folder)
            async with AsyncExitStack() as opened:
                place = await opened.enter_async_context(places.take(checkpoint))
                model = await opened.enter_async_context(
                    open_model(checkpoint, config, 8, journal.path.parent, journal, place)
                )
                said.append((await model.answer("why?", SAMPLING, 0)).text)
    return said, list(json_lines(journal_path(journal.path.parent, "servers")))


def starts(folder: Path) -> int:
    return sum(log.read_text().count("arguments: ") for log in folder.glob("*.server.log"))


async def test_the_third_checkpoint_is_read_into_the_server_of_the_second_and_nothing_is_left(stub, made, journal):
    said, servers = await run([made / name for name in NAMES], journal)
    assert said == list(NAMES)
    assert [(server["checkpoint"], server["reloaded"]) for server in servers] == [
        ("one", False), ("two", False), ("three", True), ("four", True),
    ]  # fmt: skip
    assert {server["log"] for server in servers} == {"one.server.log", "two.server.log"}
    assert starts(journal.path.parent) == 2
    assert not list(journal.path.parent.glob("*.server.json"))  # the notes of servers that run


@pytest.mark.parametrize("case", ["reload-nothing", "reload-half", "reload-dies", "keeps-cache"])
async def test_a_reload_that_answers_otherwise_is_never_used(stub, made, journal, caplog, case):
    stub(case)
    said, servers = await run([made / name for name in NAMES[:3]], journal)
    assert said == list(NAMES[:3])
    assert not any(server["reloaded"] for server in servers)
    assert caplog.text.count("serving.switch: reload is not used") == 1
    assert starts(journal.path.parent) == 4  # the second's was tried and started again


async def test_by_default_each_checkpoint_has_a_server_of_its_own(stub, made, journal):
    said, servers = await run([made / name for name in NAMES[:3]], journal, "restart")
    assert said == ["ok"] * 3  # the stub's word where it offers no reload
    assert starts(journal.path.parent) == len(servers) == 3


async def test_weights_of_another_kind_get_a_server_of_their_own(stub, made, journal, tmp_path):
    other = Path(shutil.copytree(made / "three", tmp_path / "other"))
    (other / "generation_config.json").write_text('{"temperature": 0.1}')
    said, servers = await run([made / "one", made / "two", other, made / "four"], journal)
    assert said == ["one", "two", "other", "four"]
    assert [server["reloaded"] for server in servers] == [False, False, False, False]


async def test_replicas_without_devices_wait_side_by_side_and_servers_in_the_way_end(stub, made, tmp_path):
    def kept(number: int, *devices: str) -> KeptServer:
        server = VllmServer(made / "one", "one", (), tmp_path, spot=Spot(number, devices))
        return KeptServer(server, "k", made / "one")

    first, second, third = kept(0), kept(1), kept(2, "0", "1")
    servers = KeptServers([first, second])
    assert await servers.take(Spot(1)) is second
    assert servers.waiting == [first]
    servers = KeptServers([third, kept(1, "2")])
    assert await servers.take(Spot(0, ("1",))) is None
    assert [one.server.spot.devices for one in servers.waiting] == [("2",)]
    assert await servers.take(Spot(5, ("2",))) is not None
    assert servers.waiting == []


def test_the_kind_is_everything_but_the_numbers_in_the_weights(made, tmp_path):
    kinds = {weights_kind(made / name, ["--enforce-eager"]) for name in NAMES}
    assert len(kinds) == 1
    assert weights_kind(made / "one", ["--dtype=float32"]) not in kinds
    for number, change in enumerate(("tokenizer.json", "config.json")):
        other = Path(shutil.copytree(made / "one", tmp_path / f"{number}"))
        (other / change).write_text((other / change).read_text() + " ")
        assert weights_kind(other, ["--enforce-eager"]) not in kinds
    bare = Path(shutil.copytree(made / "one", tmp_path / "bare"))
    (bare / "model.safetensors").write_bytes(b"no header")
    assert weights_kind(bare, ["--enforce-eager"]) is None


@pytest.mark.parametrize("key", ["ahead", "port"])
def test_a_server_that_is_kept_for_reloading_leaves_out_what_it_stands_in_the_way_of(key):
    with pytest.raises(ValueError, match=f"with switch: reload .* leave {key if key == 'port' else 'one of them'} out"):
        ServingConfig.model_validate({"switch": "reload", key: 1})
