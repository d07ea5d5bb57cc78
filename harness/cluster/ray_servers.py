"""Model servers on the nodes of a Ray cluster: the room that they reserve, and each one's actors."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from harness.cluster.bundles import GPU, SERVER, Reservation, reservation
from harness.cluster.cluster_connection import first_line
from harness.cluster.server_node import ServedNode, ServerNode
from harness.cluster.values import Failed
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.errors import InfrastructureError, InputError, ServerError
from harness.model.checkpoint import server_arguments, serves_on_cpu
from harness.model.devices import devices_of_server
from harness.model.server_host import Host, Launch

log = logging.getLogger(__name__)

LOSSES = 3  # times that a server's start is tried whose node is lost meanwhile
# Ray kills the children of an actor that ends, and with them the supervisor, which alone ends a server as a whole
LET_LIVE = {"RAY_kill_child_processes_on_worker_exit": "false"}
# what Python runs for a part of a server that listens to the first one alone
HEADLESS = ("-m", "vllm.entrypoints.cli.main", "serve")


class ClusterServers:
    """The nodes of a cluster as places for servers. Ray says who comes next."""

    def __init__(self, resources: Sequence[Mapping[str, float]]) -> None:
        """``resources`` of each node that is there when the run begins."""
        self._resources = resources
        self._on_cpu = serves_on_cpu()
        resource = SERVER if self._on_cpu else GPU
        self._has = [int(node[resource]) for node in resources if node.get(resource, 0) >= 1]
        self.most = max(1, sum(self._has))

    def check(self, checkpoint: CheckpointConfig, serving: ServingConfig) -> None:
        """Raises InputError if a checkpoint's servers find no room, however long they wait."""
        servers, devices = checkpoint.replicas, devices_of_server(server_arguments(checkpoint, serving))
        if reservation(servers, devices, self._resources, self._on_cpu) is not None:
            return
        each = f"{servers} servers of " if servers > 1 else "a server of "
        has = ", ".join(map(str, sorted(self._has, reverse=True))) or "none"
        if self._on_cpu:
            wanted = f"{servers} of the resource {SERVER}, which is how many servers without a GPU a node runs"
            hint = f"""start nodes with `ray start --resources='{{"{SERVER}": 1}}'`"""
        else:
            wanted = f"{each}{devices} GPUs"
            hint = "start nodes that have more, or let the checkpoint take fewer"
        raise InputError(
            f"checkpoint {checkpoint.name}: the Ray cluster has no room for {wanted}; its nodes have {has}; {hint}"
        )

    @asynccontextmanager
    async def reserved(self, servers: int, devices: int) -> AsyncIterator[Sequence[Host]]:
        """Wait for room for one checkpoint's servers, and keep it for the block. Raises InfrastructureError."""
        wanted = reservation(servers, devices, self._resources, self._on_cpu)
        assert wanted is not None, "every checkpoint is checked before"
        group = placement_group(wanted.bundles, wanted.strategy)
        try:
            try:
                await group.ready()
            except ray.exceptions.RayError as error:
                raise InfrastructureError(f"the Ray cluster has no room for servers: {first_line(error)}") from error
            yield [RayHost(group, wanted, number) for number in range(servers)]
        finally:
            remove_placement_group(group)


@dataclass(frozen=True)
class RayHost:
    """The room of one server."""

    group: Any
    reserved: Reservation
    number: int  # of the server in its group

    async def start(self, launch: Launch) -> "RayServer":
        """Start a server on the node, or its parts on several.

        Raises InputError for what the user must mend there, and ServerError if a node is lost meanwhile.
        """
        lost = ""
        for _ in range(LOSSES):
            try:
                return await self._started(launch)
            except ray.exceptions.RayTaskError:
                raise  # a fault of this program
            except ray.exceptions.RayError as error:  # Ray takes a while to see that a node is gone
                lost = f"a server's node was lost at its start: {first_line(error)}"
                log.warning("%s", lost)
        raise ServerError(lost)

    async def _started(self, launch: Launch) -> "RayServer":
        actors = [self._actor(part) for part in range(self.reserved.nodes)]
        try:
            nodes = await asyncio.gather(*(actor.open.remote() for actor in actors))
            launches = _divided(launch, nodes)
            ports = await asyncio.gather(*(a.start.remote(one) for a, one in zip(actors, launches, strict=True)))
            for node, port in zip(nodes, ports, strict=True):
                if isinstance(port, Failed):
                    raise port.error(node.id)
        except BaseException:
            _end(actors)
            raise
        return RayServer(actors, nodes, ports[0], launch.log)

    def _actor(self, part: int) -> Any:
        bundle = self.number * self.reserved.nodes + part
        amount = self.reserved.amount
        resources = {"num_gpus": amount} if self.reserved.resource == GPU else {"resources": {SERVER: amount}}
        place = PlacementGroupSchedulingStrategy(self.group, placement_group_bundle_index=bundle)
        actor = ray.remote(ServerNode).options(
            num_cpus=0, scheduling_strategy=place, runtime_env={"env_vars": LET_LIVE}, **resources
        )
        return actor.remote()


def _divided(launch: Launch, nodes: Sequence[ServedNode]) -> list[Launch]:
    """A server's launch on each of its nodes: vLLM's workers meet at the first one, which alone is asked."""
    if len(nodes) == 1:
        return [launch]
    first = nodes[0]
    shared = (*launch.arguments, "--distributed-executor-backend", "mp", "--nnodes", str(len(nodes)))
    shared = (*shared, "--master-addr", first.address, "--master-port", str(first.meeting_port))
    whole = replace(launch, arguments=(*shared, "--node-rank", "0"))
    others = [
        replace(launch, arguments=(*shared, "--node-rank", str(rank), "--headless"), entry=HEADLESS, port=0)
        for rank in range(1, len(nodes))
    ]
    return [whole, *others]


def _end(actors: Sequence[Any]) -> None:
    for actor in actors:
        ray.kill(actor)


class LogHere:
    """The log of a server elsewhere. A disk that has no room for it costs the log, and not the server."""

    def __init__(self, path: Path) -> None:
        """Its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._failed = False

    def add(self, text: bytes) -> None:
        """Add to its end; the first failure is warned of."""
        try:
            with self._path.open("ab") as file:
                file.write(text)
        except OSError as error:
            if not self._failed:
                log.warning("%s: %s; the server goes on without what it says there", self._path, error.strerror)
            self._failed = True


class RayServer:
    """A server on the nodes of a cluster. It has ended as soon as one of its parts has, or that one's node is lost."""

    def __init__(self, actors: Sequence[Any], nodes: Sequence[ServedNode], port: int, log: Path) -> None:
        """What the parts say is added to the ``log`` here."""
        self.address = nodes[0].address
        self.port = port
        self._actors = actors
        self._log = LogHere(log)
        for node in nodes:
            self._log.add(f"on node {node.id} at {node.address}, GPUs: {node.devices or 'none'}\n".encode())
        self._ended = asyncio.create_task(self._follow(nodes))

    async def _follow(self, nodes: Sequence[ServedNode]) -> None:
        parts = [asyncio.create_task(self._read(*part)) for part in zip(self._actors, nodes, strict=True)]
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        await self._stop_parts()
        await asyncio.gather(*parts)
        _end(self._actors)

    async def _read(self, actor: Any, node: ServedNode) -> None:
        """Add what a part logs to the log, up to its end."""
        try:
            while piece := await actor.piece.remote():
                self._log.add(piece)
        except ray.exceptions.RayError as error:
            self._log.add(f"\nServerError: lost with node {node.id[:8]}: {first_line(error)}\n".encode())

    async def _stop_parts(self) -> None:
        await asyncio.gather(*(_awaited(actor.stop.remote()) for actor in self._actors))

    @property
    def ended(self) -> bool:
        """Whether all parts are gone."""
        return self._ended.done()

    async def wait_ended(self) -> None:
        """Return once they are."""
        await asyncio.shield(self._ended)

    def resident(self) -> int:
        """Bytes of this machine's memory: none of it is reckoned with."""
        return 0

    async def stop(self) -> None:
        """End all parts."""
        if not self.ended:
            await self._stop_parts()
        await self._ended


async def _awaited(reference: Any) -> None:
    """Wait for a call whose actor may be gone."""
    with suppress(ray.exceptions.RayError):
        await reference
