"""The server's life cycle, against a stub of vLLM's server module that starts at once (see stub_server)."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ended_servers import WAYS, end_server

from harness.common.journal import Journal
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Sampling
from harness.errors import InputError, ServerError
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model import server_host, supervisor
from harness.model.checkpoint import serves_on_cpu
from harness.model.client import open_model
from harness.model.connection import StatusError, connect
from harness.model.devices import Spot
from harness.model.orphans import note_server, reap_servers
from harness.model.port import HeldPort
from harness.model.server import VllmServer
from harness.model.server_log import find_reason
from harness.model.supervisor import living, shared_memory

STUB = Path(__file__).with_name("stub_server")
OWNER = """
import asyncio, os, sys, time
from pathlib import Path
from harness.model.port import HeldPort
from harness.model.server import VllmServer

async def own():
    async with VllmServer(Path(sys.argv[1]), "tiny", (), Path(sys.argv[2])):
        child = os.fork() if sys.argv[3:] == ["fork"] else -1
        if child == 0:
            time.sleep(600)
        print(child, flush=True)
        await asyncio.sleep(600)

asyncio.run(own())
"""


@pytest.fixture
def checkpoint(tmp_path):
    write_random_checkpoint(tmp_path / "checkpoint", seed=1)
    return tmp_path / "checkpoint"


@pytest.fixture
def stub(monkeypatch, tmp_path):
    """Put the stub in vLLM's place; called with the way it shall behave."""
    monkeypatch.setenv("PYTHONPATH", f"{STUB}{os.pathsep}{Path(__file__).parents[2]}")
    monkeypatch.syspath_prepend(str(STUB))  # where the check that vLLM is installed looks
    monkeypatch.chdir(tmp_path)
    return lambda case: monkeypatch.setenv("STUB_VLLM", case)


def gone(leader: int, within: float = 5.0) -> bool:
    end = time.monotonic() + within
    while living(leader):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def leader_of(folder: Path) -> int:
    return json.loads((folder / "tiny.server.json").read_text())["leader"]["pid"]


async def test_starts_quiet_and_offline_and_leaves_nothing(checkpoint, stub, tmp_path):
    async with VllmServer(checkpoint, "tiny", ("--enforce-eager",), tmp_path / "run") as running:
        leader = leader_of(tmp_path / "run")
        assert len(living(leader)) == 3  # supervisor, server, its engine
        log = running.log.read_text()
        assert "offline: 1" in log
        whole_prompts = "'--no-enable-chunked-prefill', '--max-num-batched-tokens', '8192', " if serves_on_cpu() else ""
        assert f"'--max-model-len', '8192', {whole_prompts}'--enforce-eager'" in log
    assert living(leader) == []
    assert not (tmp_path / "run" / "tiny.server.json").exists()


async def test_a_server_answers_nobody_without_its_key(checkpoint, stub, tmp_path):
    async with VllmServer(checkpoint, "tiny", (), tmp_path) as running:
        async with connect(running.base_url, running.key, own=True) as client:
            assert b"tiny" in (await client.get("/models")).body
        async with connect(running.base_url, own=True) as client:
            with pytest.raises(StatusError, match="401"):
                await client.get("/models")
        assert running.key not in running.log.read_text()


async def test_a_server_that_ignores_sigterm_is_killed(checkpoint, stub, tmp_path, monkeypatch):
    stub("stubborn")
    monkeypatch.setattr(server_host, "STOP_SECONDS", 0.3)
    async with VllmServer(checkpoint, "tiny", (), tmp_path):
        leader = leader_of(tmp_path)
    assert living(leader) == []


async def test_a_taken_port_is_found_before_anything_starts(checkpoint, stub, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} can't be used"):
            async with VllmServer(checkpoint, "tiny", (), tmp_path, port):
                pass
    assert not (tmp_path / "tiny.server.log").exists()


async def test_servers_beside_each_other_have_ports_devices_and_logs_of_their_own(checkpoint, stub, tmp_path):
    async with (
        VllmServer(checkpoint, "tiny", (), tmp_path, spot=Spot(0, ("0", "1"))) as one,
        VllmServer(checkpoint, "tiny", (), tmp_path, spot=Spot(1, ("2", "3")), label="@2") as other,
    ):
        assert one.port != other.port
        assert "devices: 0,1\n" in one.log.read_text()
        assert "devices: 2,3\n" in other.log.read_text()
        assert (one.log.name, other.log.name) == ("tiny.server.log", "tiny@2.server.log")
        assert one.resident() > 0
    assert one.resident() == 0


async def test_a_port_is_kept_for_its_server_from_before_its_start(checkpoint, stub, tmp_path):
    """The port was found free and then let go for the half minute in which vLLM imports itself."""
    stub("never-ready")
    starting = VllmServer(checkpoint, "tiny", (), tmp_path)
    task = asyncio.create_task(starting.__aenter__())
    while not (tmp_path / "tiny.server.json").exists():
        await asyncio.sleep(0.01)
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", starting.port))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with socket.socket() as other:
        other.bind(("127.0.0.1", starting.port))


async def test_a_fixed_port_is_the_first_of_the_ports_of_all_servers(checkpoint, stub, tmp_path):
    with HeldPort(0) as free:
        port = free.number
    async with VllmServer(checkpoint, "tiny", (), tmp_path, port - 2, spot=Spot(2)) as third:
        assert third.port == port


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("crash", "failed while starting: ValueError: the weights are not there"),
        ("refuse-first", "RuntimeError: Unsupported head_dim=16"),
    ],
)
async def test_a_failed_start_gives_the_logs_reason(checkpoint, stub, tmp_path, case, reason):
    stub(case)
    with pytest.raises(ServerError, match=reason) as caught:
        async with VllmServer(checkpoint, "tiny", (), tmp_path):
            pass
    assert str(tmp_path / "tiny.server.log") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "tiny.server.json").exists()


async def test_a_server_that_never_answers_is_given_up_and_ended(checkpoint, stub, tmp_path):
    stub("never-ready")
    asking = VllmServer(checkpoint, "tiny", (), tmp_path, startup_seconds=1.0)
    with pytest.raises(ServerError, match="did not answer within 1 s"):
        await asking.__aenter__()
    assert asking.ended
    assert asking._process is not None
    assert living(asking._process.leader) == []


async def test_a_cancelled_start_leaves_nothing(checkpoint, stub, tmp_path):
    stub("never-ready")
    starting = VllmServer(checkpoint, "tiny", (), tmp_path)
    task = asyncio.create_task(starting.__aenter__())
    while not (tmp_path / "tiny.server.json").exists():
        await asyncio.sleep(0.01)
    leader = leader_of(tmp_path)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert living(leader) == []


@pytest.mark.parametrize("flag", ["--port=1", "--host=0.0.0.0", "--served-model-name=x", "--served_model_name=x"])
def test_arguments_that_the_harness_sets_are_refused(checkpoint, stub, tmp_path, flag):
    with pytest.raises(InputError, match="is set by the harness"):
        VllmServer(checkpoint, "tiny", (flag,), tmp_path)


def own_a_server(checkpoint: Path, folder: Path, *args: str) -> tuple[subprocess.Popen[str], int]:
    """A process that has a server running, and the id of the child that it forked then, where args say so."""
    command = [sys.executable, "-c", OWNER, str(checkpoint), str(folder), *args]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    owner.stdout.close()
    return owner, child


def test_the_server_does_not_survive_its_owners_sigkill(checkpoint, stub, tmp_path):
    owner, _ = own_a_server(checkpoint, tmp_path)
    leader = leader_of(tmp_path)
    assert living(leader)
    owner.kill()
    owner.wait()
    assert gone(leader, within=server_host.STOP_SECONDS + 2)


def test_nor_where_a_child_of_the_owner_still_holds_the_pipe(checkpoint, stub, tmp_path):
    owner, child = own_a_server(checkpoint, tmp_path, "fork")
    leader = leader_of(tmp_path)
    owner.kill()
    owner.wait()
    try:
        assert gone(leader, within=server_host.STOP_SECONDS + 2)
    finally:
        os.kill(child, signal.SIGKILL)


async def test_the_server_does_not_survive_its_supervisors_sigkill(checkpoint, stub, tmp_path):
    async with VllmServer(checkpoint, "tiny", (), tmp_path) as running:
        leader = leader_of(tmp_path)
        os.kill(leader, signal.SIGKILL)
        await asyncio.wait_for(running.wait_ended(), 5)
        assert gone(leader)


def test_what_survived_everything_is_ended_at_the_next_start(checkpoint, stub, tmp_path):
    owner, _ = own_a_server(checkpoint, tmp_path)
    leader = leader_of(tmp_path)
    os.kill(leader, signal.SIGSTOP)  # so that it can't act on its owner's death
    owner.kill()
    owner.wait()
    os.kill(leader, signal.SIGKILL)
    assert living(leader)
    assert reap_servers(tmp_path) == 1
    assert gone(leader)
    assert not (tmp_path / "tiny.server.json").exists()


def test_another_living_runs_server_stays(checkpoint, stub, tmp_path):
    owner, _ = own_a_server(checkpoint, tmp_path)
    assert reap_servers(tmp_path) == 0
    assert living(leader_of(tmp_path))
    owner.terminate()
    owner.wait()


def alter(note: Path, who: str) -> None:
    """Make the note name another process of the same id."""
    content = json.loads(note.read_text())
    content[who]["started"] -= 1
    note.write_text(json.dumps(content))


def test_a_process_that_got_the_servers_old_id_stays(tmp_path):
    note = tmp_path / "tiny.server.json"
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as stranger:
        note_server(note, stranger.pid)
        alter(note, "leader")
        alter(note, "owner")
        assert reap_servers(tmp_path) == 0
        assert stranger.poll() is None
        stranger.kill()
    assert not note.exists()


@pytest.mark.parametrize(("name", "ended"), [("VLLM::EngineCore", 1), ("somebodys-daemon", 0)])
def test_an_engine_without_its_leader_is_known_by_its_name(tmp_path, name, ended):
    """vLLM's engine renames itself, so killing all of Python's processes leaves just it."""
    note = tmp_path / "tiny.server.json"
    script = f"(exec -a {name} sleep 600 >/dev/null) & read"
    with subprocess.Popen(["bash", "-c", script], stdin=subprocess.PIPE, start_new_session=True) as leader:
        note_server(note, leader.pid)
        alter(note, "owner")
    (engine,) = living(leader.pid)
    assert reap_servers(tmp_path) == ended
    assert gone(leader.pid, within=0.5) == bool(ended)
    if not ended:
        os.kill(engine, signal.SIGKILL)


def test_a_torn_note_is_removed(tmp_path):
    (tmp_path / "tiny.server.json").write_text('{"lead')
    assert reap_servers(tmp_path) == 0
    assert not (tmp_path / "tiny.server.json").exists()


PREFIX = "(EngineCore pid=20583) ERROR 11-23 21:41:06 [core.py:1510] "


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            [
                "(APIServer pid=1) WARNING 11-23 21:37:52 [x.py:255] fd limit errors like `OSError: [Errno 24] Too`",
                "(Worker-1 pid=7) ERROR 11-23 21:38:09 [m.py:953] safetensors.SafetensorError: not fully covered",
                PREFIX + "Exception: WorkerProc initialization failed due to an exception in a background process.",
                "RuntimeError: Engine core initialization failed. See root cause above.",
            ],
            "safetensors.SafetensorError: not fully covered",
        ),
        (
            [
                "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig",
                "  Value error, Model architectures ['Foo'] are not supported for now.",
            ],
            "Model architectures ['Foo'] are not supported for now.",
        ),
        (["usage: ...", "api_server.py: error: unrecognized arguments: --foo"], "error: unrecognized arguments: --foo"),
        (
            [PREFIX + "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."],
            "died without a word of its own",
        ),
        (["INFO loading", "Illegal instruction", ""], "no error in the log, which ends: Illegal instruction"),
        ([], "the log is empty"),
    ],
)
def test_the_reason_is_the_first_cause_in_this_starts_part_of_the_log(tmp_path, lines, reason):
    log = tmp_path / "log"
    log.write_text("ValueError: of an earlier start\n" + "\n".join(lines))
    assert reason in find_reason(log, start=len("ValueError: of an earlier start\n"))


async def test_the_batch_invariant_mode_is_vllms_own_and_part_of_the_revision(checkpoint, stub, tmp_path):
    config, journal = CheckpointConfig(name="tiny", path=checkpoint), Journal(tmp_path / "answers.jsonl")
    revisions = []
    for serving in (ServingConfig(), ServingConfig(batch_invariant=True)):
        async with open_model(config, serving, 4, tmp_path, journal) as model:
            await model.answer("why?", Sampling(max_tokens=4), 0)
            revisions.append(model.revision)
    journal.close()
    said = [line for line in (tmp_path / "tiny.server.log").read_text().splitlines() if line.startswith("batch inv")]
    assert said == ["batch invariant: None", "batch invariant: 1"]
    assert len(set(revisions)) == 2


SHARING = """
import os, signal, sys, time
from multiprocessing import resource_tracker, shared_memory
memory = shared_memory.SharedMemory(create=True, size=1 << 20)
resource_tracker.unregister(memory._name, "shared_memory")  # as when the tracker dies with the rest
time.sleep(float(sys.argv[1]))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", WAYS)
def test_a_servers_shared_memory_goes_with_it(tmp_path, how):
    """160 MB stayed for each engine that was killed on a busy machine."""
    script = tmp_path / "sharing.py"
    script.write_text(SHARING)
    command = [sys.executable, "-I", supervisor.__file__, str(os.getpid()), "5", sys.executable, str(script)]
    seconds = "3" if how == "it dies" else "600"
    with subprocess.Popen([*command, seconds], stdin=subprocess.PIPE, start_new_session=True) as leader:
        end = time.monotonic() + 20
        while not (shared := shared_memory(leader.pid)):
            assert time.monotonic() < end
            time.sleep(0.05)
        end_server(leader, how)
    assert gone(leader.pid)
    assert not [path for path in shared if path.exists()]
