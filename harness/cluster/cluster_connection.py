"""The driver's connection to a Ray cluster: its nodes, one keeper on each, and the conductor."""

import logging
import signal
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from harness.cluster.conductor import Conductor
from harness.cluster.keeper import BRINGING, Keeper, code_version
from harness.cluster.values import CONDUCTOR, SANDBOX, Failed, Opened, Picture, keeper_name
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.errors import HarnessError, InfrastructureError, InputError
from harness.images.supply import LocalImage

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0  # for the first answer of a cluster whose address is given
LOOK_SECONDS = 1.0  # between two looks at the nodes
SPARE_THREADS = 16  # of a keeper, beyond one for each job; as many more bring images
OFFER = f"""ray start --head --resources='{{"{SANDBOX}": 4}}'"""


@contextmanager
def connected(evaluation: EvaluationConfig, run: str) -> Iterator["Connection"]:
    """A connection for one run, whose containers carry the label ``run``; its actors end with it.

    Raises InputError if there is no cluster at the address, or none of its nodes takes jobs.
    """
    address = evaluation.ray_address
    _require_listening(address)
    namespace = f"harness-{run}-{uuid.uuid4().hex[:8]}"  # an earlier driver's actors may not be gone yet
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, namespace=namespace, log_to_driver=False, logging_level=logging.ERROR)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray's own ends the process with another status
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _no_cluster(address, first_line(error)) from error
    try:
        connection = Connection(evaluation, run, namespace)
        try:
            yield connection
        finally:
            connection.close()
    finally:
        ray.shutdown()


def _require_listening(address: str) -> None:
    """Raises InputError if nothing answers at a host and port: Ray itself would try for minutes."""
    if address.startswith("ray://"):
        raise InputError(
            f"evaluation.ray_address={address}: the run's driver has to be a machine of the cluster; start it there "
            "(`ray job submit`), and leave the address out"
        )
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise _no_cluster(address, str(error)) from error


def _no_cluster(address: str, reason: str) -> InputError:
    return InputError(
        f"no Ray cluster answers at {address} ({reason}); start one with `{OFFER}`, or name the address of one in "
        "evaluation.ray_address"
    )


class Connection:
    """The nodes that take jobs. Safe for threads; close it when done."""

    def __init__(self, evaluation: EvaluationConfig, run: str, namespace: str) -> None:
        self.run = run
        self.namespace = namespace
        self.sandbox = evaluation.sandbox
        self.picture = Picture()
        self.under_way: set[str] = set()  # tokens of the tries that were sent out and have not come back
        self.not_enforced: tuple[str, ...] = ()  # limits that do not hold on every node that was there at the start
        self.known: dict[str, LocalImage] = {}  # instance id -> image, of those that a node has
        self._evaluation = evaluation
        self._instances: Sequence[Instance] = ()
        self._keepers: dict[str, Any] = {}  # by node id
        self.refused: set[str] = set()  # ids of nodes that can't take part
        self._ended = threading.Event()
        self.slots = self._nodes()  # id -> jobs at a time, of the nodes that are alive and take any
        if not self.slots:
            raise InputError(
                f"no node of the Ray cluster at {evaluation.ray_address} takes jobs: start nodes with the resource "
                f"{SANDBOX}, as in `{OFFER}`, which is how many of them it runs at a time"
            )
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        conductor = ray.remote(Conductor).options(
            name=CONDUCTOR, num_cpus=0, max_concurrency=10_000, max_restarts=-1, scheduling_strategy=here
        )
        self.conductor = conductor.remote()
        self._watcher = threading.Thread(target=self._watch, name="nodes", daemon=True)

    def _nodes(self) -> dict[str, int]:
        return {
            node["NodeID"]: int(node["Resources"][SANDBOX])
            for node in ray.nodes()
            if node["Alive"] and node["Resources"].get(SANDBOX, 0) >= 1
        }

    def resources(self) -> list[dict[str, float]]:
        """What each node has that is alive, whether or not it takes jobs."""
        return [node["Resources"] for node in ray.nodes() if node["Alive"]]

    def begin(self, instances: Sequence[Instance]) -> None:
        """Start a keeper on every node, which reaps what earlier runs left there and says what the node has.

        Raises InputError if a node can't take part.
        """
        self._instances = instances
        problems = self._join(self.slots)
        if problems:
            raise InputError("; ".join(problems))
        if self.not_enforced:
            named = ", ".join(self.not_enforced).replace("_", " ")
            log.warning("not every node limits: %s; docs/sandboxes.md says what follows", named)
        self._watcher.start()

    def keepers(self) -> dict[str, Any]:
        """The keepers of the nodes that are alive, by node id."""
        return dict(self._keepers)

    def ask(self, node: str, question: Callable[[Any], Any]) -> Any:
        """What a node's keeper answers.

        Raises InfrastructureError if it failed or is gone, and InputError for what the user must mend there.
        """
        try:
            answer = ray.get(question(self._keepers[node]))
        except (ray.exceptions.RayError, KeyError) as error:
            raise InfrastructureError(f"node {node[:8]} is gone: {first_line(error)}") from error
        if isinstance(answer, Failed):
            raise answer.error(node)
        return answer

    def _join(self, nodes: dict[str, int]) -> list[str]:
        """Start keepers on nodes that have none; what is wrong with those that can't take part."""
        begun = {}
        for node, slots in nodes.items():
            threads = slots + SPARE_THREADS
            keeper = ray.remote(concurrency_groups={BRINGING: threads})(Keeper).options(
                name=keeper_name(node),
                num_cpus=0,
                max_concurrency=threads,
                max_restarts=-1,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
            )
            self._keepers[node] = keeper.remote(node, self.run, self._evaluation)
            begun[node] = self._keepers[node].open.remote(list(nodes), list(self._instances))
        return [problem for node, opened in begun.items() if (problem := self._opened(node, opened))]

    def _opened(self, node: str, opened: Any) -> str:
        """What is wrong with a node whose keeper opens; nothing if it takes part."""
        try:
            answer: Opened = self.ask(node, lambda _: opened)
        except HarnessError as error:
            problem = str(error)
        else:
            problem = self._unlike(node, answer)
            if not problem:
                self.known.update({i: image for i, image in answer.images.items() if i not in self.known})
                return ""
        self.refused.add(node)
        self._keepers.pop(node, None)
        return problem

    def _unlike(self, node: str, opened: Opened) -> str:
        """Why a node would give other verdicts than the run's keys say; empty if it would not."""
        if opened.version != code_version():
            return f"node {node[:8]} has another version of this program: {opened.version}, here {code_version()}"
        fewer = [name for name in opened.not_enforced if name not in self.not_enforced]
        if fewer and self._watcher.is_alive():  # the run has begun, and its keys say what holds
            return f"node {node[:8]} does not limit what the others do: {', '.join(fewer).replace('_', ' ')}"
        self.not_enforced = tuple(sorted({*self.not_enforced, *opened.not_enforced}))
        return ""

    def _watch(self) -> None:
        """Keep the picture, welcome new nodes, and forget those that are gone."""
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self._look()
            except ray.exceptions.RayError as error:
                log.warning("the Ray cluster does not answer: %s", first_line(error))

    def _look(self) -> None:
        self.picture = ray.get(self.conductor.picture.remote(set(self.under_way)))
        self.slots = nodes = self._nodes()
        gone = self._keepers.keys() - nodes.keys()
        for node in gone:
            log.warning("node %s is gone; what ran there is tried elsewhere", node[:8])
            del self._keepers[node]
            ray.get(self.conductor.lost.remote(node))
        if gone:
            for keeper in self.keepers().values():
                keeper.reap.remote(list(nodes))
        fresh = {node: slots for node, slots in nodes.items() if node not in self._keepers.keys() | self.refused}
        for problem in self._join(fresh):
            log.warning("%s; it takes no part in this run", problem)

    def every(self, question: Callable[[Any], Any]) -> list[Any]:
        """What the keepers answer that are there."""
        answers = []
        for node in self.keepers():
            with suppress(HarnessError):
                answers.append(self.ask(node, question))
        return answers

    def close(self) -> None:
        """End the keepers, and with them what still runs in containers."""
        self._ended.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self.every(lambda keeper: keeper.close.remote())


def first_line(error: BaseException) -> str:
    """The first line of what Ray says, which may be long."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
