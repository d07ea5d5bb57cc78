"""Model servers on a real Ray cluster whose nodes share this machine: a stub of vLLM's server, then vLLM itself."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from test_run import answers, journaled, scores, start

from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.errors import InputError, ServerError
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model.devices import Spot
from harness.model.server import VllmServer
from harness.model.server_host import Launch

ray = pytest.importorskip("ray")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning:ray.*")

STUB = Path(__file__).parents[1] / "model" / "stub_server"
SEEN = {"PYTHONPATH": str(STUB)}  # by the server alone
NODE = {"num_cpus": 2, "object_store_memory": 100 << 20, "include_dashboard": False}
SERVES = {**NODE, "resources": {"server": 1}}
OWNER = """
import asyncio, sys, ray
from pathlib import Path
from test_ray_servers import on_cluster, server

async def own():
    ray.init(address=sys.argv[1], log_to_driver=False)
    async with on_cluster(1) as spot, server(Path(sys.argv[2]), spot):
        print("up", flush=True)
        await asyncio.sleep(600)

asyncio.run(own())
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    """A head that takes jobs, a node that runs a server, and one with two GPUs by its own word."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "resources": {"sandbox": 2}})
    cluster.add_node(**SERVES)
    cluster.add_node(**NODE, num_gpus=2)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def connected(cluster) -> Iterator:
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    write_random_checkpoint(tmp_path / "checkpoint", seed=1)
    return tmp_path / "checkpoint"


@asynccontextmanager
async def on_cluster(devices: int) -> AsyncIterator[Spot]:
    from harness.cluster.ray_servers import ClusterServers

    servers = ClusterServers([node["Resources"] for node in ray.nodes() if node["Alive"]])
    async with servers.reserved(1, devices) as [host]:
        yield Spot(host=host)


def server(checkpoint: Path, spot: Spot, environment: dict[str, str] | None = None) -> VllmServer:
    environment = {**SEEN, **(environment or {})}
    return VllmServer(checkpoint, "tiny", (), checkpoint.parent, 0, 60, spot=spot, environment=environment)


@contextmanager
def with_gpus() -> Iterator[None]:
    """As with vLLM's build for GPUs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.cluster.ray_servers.serves_on_cpu", lambda: False)
        yield


def processes(word: object) -> list[str]:
    lines = subprocess.run(["ps", "-wweo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [line for line in lines if str(word) in line and "vllm" in line]


@contextmanager
def one_more_node(cluster, **of: object) -> Iterator:
    node = cluster.add_node(**of)
    try:
        yield node
    finally:
        cluster.remove_node(node)


async def becomes_true(holds: Callable[[], object]) -> None:
    """The event loop goes on meanwhile, and with it what a server's log is told."""
    async with asyncio.timeout(120):  # processes begin slowly beside other tests
        while not holds():
            await asyncio.sleep(0.1)


async def test_a_server_on_a_node_logs_here_and_leaves_nothing(connected, checkpoint) -> None:
    async with on_cluster(1) as spot, server(checkpoint, spot) as running:
        assert len(processes(checkpoint)) == 2  # supervisor and server
        log = running.log.read_text()
        assert log.startswith("on node ")
        assert "GPUs: none\n" in log
    assert "offline: 1" in running.log.read_text()
    assert processes(checkpoint) == []
    assert not (checkpoint.parent / "tiny.server.json").exists()


async def test_what_a_server_says_at_its_death_is_the_reason(connected, checkpoint) -> None:
    async with on_cluster(1) as spot:
        with pytest.raises(ServerError, match="failed while starting: ValueError: the weights are not there"):
            await server(checkpoint, spot, {"STUB_VLLM": "crash"}).__aenter__()
    assert processes(checkpoint) == []


async def test_a_checkpoint_that_a_node_does_not_have_is_the_users_to_mend(connected, tmp_path) -> None:
    launch = Launch((), {}, tmp_path / "log", tmp_path / "note", folders=(tmp_path / "gone",))
    async with on_cluster(1) as spot:
        with pytest.raises(InputError, match=r"node \w{8}: .*gone is not there; all nodes need the folders"):
            await spot.host.start(launch)


async def test_a_server_whose_node_is_lost_has_ended_and_starts_again_elsewhere(connected, checkpoint) -> None:
    connected.add_node(**SERVES)
    async with on_cluster(1) as spot, server(checkpoint, spot) as running:
        [its] = [node for node in connected.worker_nodes if node.node_id in running.log.read_text()]
        connected.remove_node(its, allow_graceful=False)
        await asyncio.wait_for(running.wait_ended(), 60)
        assert "ServerError: lost with node" in str(running.failure("while answering"))
        await becomes_true(lambda: processes(checkpoint) == [])
        async with server(checkpoint, spot) as again:
            assert again.log.read_text().count("\non node ") == 1
            assert len(processes(checkpoint)) == 2


def test_a_server_ends_with_its_driver(cluster, checkpoint) -> None:
    command = [sys.executable, "-c", OWNER, cluster.address, str(checkpoint)]
    path = f"{Path(__file__).parent}{os.pathsep}{Path(__file__).parents[2]}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "up\n"
        assert len(processes(checkpoint)) == 2
        owner.send_signal(signal.SIGKILL)
    asyncio.run(becomes_true(lambda: processes(checkpoint) == []))


async def test_a_server_has_the_gpus_that_ray_gives_it(connected, checkpoint) -> None:
    with with_gpus():
        async with on_cluster(2) as spot, server(checkpoint, spot) as running:
            assert "devices: 0,1\n" in running.log.read_text()


async def test_a_server_over_two_nodes_has_a_part_on_each(connected, checkpoint) -> None:
    with one_more_node(connected, **NODE, num_gpus=2) as second, with_gpus():
        async with on_cluster(4) as spot, server(checkpoint, spot) as running:
            await becomes_true(lambda: "devices of the part: 0,1" in running.log.read_text())
            log = running.log.read_text()
            assert second.node_id in log
            [one] = [line for line in log.splitlines() if line.startswith("arguments: ")]
            [other] = [line for line in log.splitlines() if line.startswith("part: ")]
            for line in (one, other):
                assert "'--nnodes', '2', '--master-addr'" in line
            assert "'--node-rank', '0'" in one
            assert "'--node-rank', '1', '--headless'" in other
    assert processes(checkpoint) == []


def test_no_room_is_one_line(connected, checkpoint) -> None:
    from harness.cluster.ray_servers import ClusterServers

    resources = [node["Resources"] for node in ray.nodes()]
    one = CheckpointConfig(name="one", path=checkpoint)
    ClusterServers(resources).check(one, ServingConfig())
    with pytest.raises(InputError, match=r"checkpoint one: .* no room for 9 of the resource server.*have 1; start"):
        ClusterServers(resources).check(one.model_copy(update={"replicas": 9}), ServingConfig())
    with with_gpus(), pytest.raises(InputError, match=r"no room for a server of 16 GPUs; its nodes have 2; start"):
        ClusterServers(resources).check(one, ServingConfig(args=("-tp", "8", "-pp", "2")))


@pytest.mark.docker
@pytest.mark.vllm
@pytest.mark.beside
def test_a_run_whose_servers_are_on_nodes_ends_as_on_one_machine(one_after_the_other, tmp_path, cluster) -> None:
    run_file, here = one_after_the_other
    there = tmp_path / "there"
    with one_more_node(cluster, **SERVES) as second:
        process = start(run_file, there, "evaluation.executor=ray", f"evaluation.ray_address={cluster.address}")
        printed, _ = process.communicate(timeout=500)
        assert process.returncode == 0, printed
    assert scores(there) == scores(here)
    assert sorted(answers(there)) == sorted(answers(here)) != []
    texts = [
        {r["key"]: r["answer"]["text"] for r in journaled(out, "answers") if "answer" in r} for out in (here, there)
    ]
    assert texts[0] == texts[1]
    logs = [(there / f"seed-{seed}.server.log").read_text() for seed in (0, 1)]
    nodes = {log.split()[2] for log in logs}
    assert second.node_id in nodes
    assert len(nodes) == 2, "each server has a node of its own"
    assert processes(run_file.parent) == []
