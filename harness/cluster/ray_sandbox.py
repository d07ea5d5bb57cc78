"""The `Sandbox` of a Ray cluster: each job is a task that runs on some node, and comes back as a value."""

import logging
import statistics
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from harness.cluster.cluster_connection import Connection, first_line
from harness.cluster.executions import Executions, Try
from harness.cluster.job_task import run_job
from harness.cluster.placement import chosen_node
from harness.cluster.values import SANDBOX, Brought, Came, Failed, Order
from harness.common.under_way import UnderWay
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult, Job
from harness.errors import InfrastructureError, InputError, SandboxError, Stopped

log = logging.getLogger(__name__)

LOSSES = 3  # times that Ray starts a task again whose node or process was lost
POLL_SECONDS = 2.0  # between two looks at whether a job runs late
LATE_SECONDS, LATE_TIMES = 60.0, 3.0  # a job is late after this time, and this many times the median of those before
REMEMBERED = 200  # jobs that the median is taken of


@dataclass
class _Sent:
    """A task, and what becomes of it."""

    task: Any  # the reference of its result
    image: str
    aim: str = ""  # id of the node that it should run on, if it is one
    record: Try = field(default_factory=Try)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    began: float = field(default_factory=time.monotonic)


class RaySandbox:
    """Safe for threads; close it when done. What the machines failed is raised as SandboxError, worth another try."""

    def __init__(
        self,
        connection: Connection,
        instance_of: Callable[[str], Instance],
        executions: Executions,
        late_seconds: float = LATE_SECONDS,
        task: Callable[[Order, Instance, Brought | None], Came] = run_job,
    ) -> None:
        """``instance_of`` gives the instance that has an image of that name; ``task`` is what runs on a node."""
        self.containers = UnderWay()  # jobs that were sent out, by their images
        self._connection = connection
        self._instance_of = instance_of
        self._executions = executions
        self._late_seconds = late_seconds
        self._task = ray.remote(task)
        self._sent: dict[str, Any] = {}  # instance id -> reference of the instance
        self._under_way: dict[str, _Sent] = {}  # under way, by token
        self._took: deque[float] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()
        self._placing = threading.Lock()
        self._stopped = False

    @property
    def turns(self) -> "_Begun":
        """The jobs that a node has begun."""
        return _Begun(self._connection)

    @property
    def not_enforced(self) -> tuple[str, ...]:
        """Names of the limits that do not hold on every node."""
        return self._connection.not_enforced

    def __enter__(self) -> "RaySandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is left to do: the keepers take away what is left when the connection ends."""

    def reap(self) -> int:
        """Remove the containers that earlier processes of this run left on the nodes; returns their number."""
        return sum(self._connection.every(lambda keeper: keeper.reap.remote()))

    def stop(self) -> None:
        """End every job now and begin no other: their callers get `Stopped`."""
        self._stopped = True
        with self._lock:
            under_way = list(self._under_way.values())
        for one in under_way:
            ray.cancel(one.task, force=True)
        self._connection.every(lambda keeper: keeper.stop.remote())

    def digest(self, image: str) -> str:
        """Content id of an image that some node has. Raises InfrastructureError when none has it."""
        known = self._connection.known.get(self._instance_of(image).instance_id)
        if known is None:
            raise InfrastructureError(f"no node has the image {image}")
        return known.digest

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        """Run the job on some node; Ray sends it elsewhere if that is lost. What comes back first counts.

        Raises SandboxError when the machines fail, and Stopped after `stop`.
        """
        instance = self._instance_of(job.image)
        with self.containers.during(job.image):
            tries = [self._send(job, instance)]
            try:
                return self._first(tries, job, instance)
            finally:
                self._forget(tries, instance)

    def _first(self, tries: list[_Sent], job: Job, instance: Instance) -> tuple[CommandResult, ...]:
        waiting, failure = list(tries), SandboxError("no try came back")
        while waiting:
            ended, _ = ray.wait([one.task for one in waiting], num_returns=1, timeout=POLL_SECONDS)
            if not ended:
                if len(tries) == 1 and (node := self._late(tries[0])):
                    log.info("%s is late on node %s: started once more elsewhere", instance.instance_id, node[:8])
                    waiting.append(self._send(job, instance, avoid=node))
                    tries.append(waiting[-1])
                continue
            [one] = [one for one in waiting if one.task == ended[0]]
            waiting.remove(one)
            try:
                results = self._value(one)
            except (SandboxError, InputError) as error:
                # in the middle of a run a registry that has an image no longer is the machine's failure
                failure = SandboxError(str(error), getattr(error, "command", None))
                one.record.end, one.record.detail = "failed", str(error)
                continue
            one.record.end = "first"
            self._took.append(time.monotonic() - one.began)
            return results
        raise failure

    def _value(self, one: _Sent) -> tuple[CommandResult, ...]:
        try:
            came: Came = ray.get(one.task)
        except ray.exceptions.RayError as error:
            # a task has the error of the keeper that was to bring its image, or else one of this program
            lost = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
            if not isinstance(lost, ray.exceptions.RayError):
                raise
            if self._stopped:
                raise Stopped("the run is ending") from error
            raise SandboxError(f"lost with its machine: {type(lost).__name__}: {first_line(lost)}") from error
        one.record.nodes = [came.node]
        if isinstance(came.value, Failed):
            raise came.value.error(came.node)
        return came.value

    def _send(self, job: Job, instance: Instance, avoid: str = "") -> _Sent:
        if self._stopped:
            raise Stopped("the run is ending")
        one = _Sent(None, job.image)
        order = Order(one.token, self._connection.run, self._connection.namespace, job, self._connection.sandbox)
        options = {
            "name": instance.instance_id,
            "num_cpus": job.limits.cpus,
            "memory": job.limits.memory_bytes,
            "resources": {SANDBOX: 1},
            "max_retries": LOSSES,
        }
        held = self._put(instance)
        with self._placing:  # so that each job sees where the others go
            one.aim, place = self._place(job, avoid)
            one.task = self._task.options(**options, **place).remote(order, held, self._brought(one, held, job))
            with self._lock:
                self._under_way[one.token] = one
                self._connection.under_way.add(one.token)
        if self._stopped:  # what `stop` did not see yet
            ray.cancel(one.task, force=True)
        return one

    def _put(self, instance: Instance) -> Any:
        """The instance in Ray's store, where it lies once however many jobs it has."""
        with self._lock:
            if instance.instance_id not in self._sent:
                self._sent[instance.instance_id] = ray.put(instance)
            return self._sent[instance.instance_id]

    def _brought(self, one: _Sent, held: Any, job: Job) -> Any:
        """Reference of what the keeper says that brings the image: Ray starts a task, and takes a place for it, then.

        None where the job goes to no certain node, or to one whose keeper is gone.
        """
        keeper = self._connection.keepers().get(one.aim)
        return keeper and keeper.bring.remote(one.token, held, job.digest)

    def _place(self, job: Job, avoid: str) -> tuple[str, dict[str, Any]]:
        """The node for a job, which is never ``avoid``, and what Ray is told; no node where none takes part."""
        shunned = sorted({*self._connection.refused, avoid} - {""})
        slots = {node: places for node, places in self._connection.slots.items() if node not in shunned}
        where = self._where()
        getting = {node for one, node in where if one.image == job.image}
        having = self._connection.picture.images.get(job.digest or "", frozenset()) | getting
        if best := chosen_node(having, slots, Counter(node for _, node in where)):
            return best, {"scheduling_strategy": NodeAffinitySchedulingStrategy(best, soft=True)}
        if shunned:
            return "", {"label_selector": {"ray.io/node-id": f"!in({','.join(shunned)})"}}
        return "", {"scheduling_strategy": "SPREAD"}

    def _where(self) -> list[tuple[_Sent, str]]:
        """The tries that are under way, each with the node where it runs or is on its way to."""
        begun = self._connection.picture.begun
        with self._lock:
            under_way = dict(self._under_way)
        return [(one, begun[token].nodes[-1] if token in begun else one.aim) for token, one in under_way.items()]

    def _late(self, one: _Sent) -> str:
        """The node on which a try runs far longer than others did, if places are idle elsewhere; else empty."""
        slots, begun = self._connection.slots, self._connection.picture.begun.get(one.token)
        if begun is None or not self._took:
            return ""
        if begun.seconds <= max(self._late_seconds, LATE_TIMES * statistics.median(list(self._took))):
            return ""
        node, busy = begun.nodes[-1], Counter(at for _, at in self._where())
        elsewhere = sum(slots.values()) - slots.get(node, 0)
        return node if busy.total() - busy[node] < elsewhere else ""

    def _forget(self, tries: list[_Sent], instance: Instance) -> None:
        """Stop what is still under way, and record how each try ended."""
        for one in tries:
            with self._lock:
                del self._under_way[one.token]
                self._connection.under_way.discard(one.token)
            if one.record.end == "stopped":
                ray.cancel(one.task, force=True)
            keeper = self._connection.keepers().get(one.aim)
            if keeper and one.record.nodes != [one.aim]:  # its image waits for it there
                keeper.forget.remote(one.token)
            one.record.seconds = round(time.monotonic() - one.began, 3)
            begun = self._connection.picture.begun.get(one.token)
            nodes = (*(begun.nodes if begun else ()), *one.record.nodes)
            one.record.nodes = [node for n, node in enumerate(nodes) if nodes[n - 1 : n] != (node,)]
        if not self._stopped:
            self._executions.put(instance.instance_id, [one.record for one in tries])


class _Begun:
    """How many jobs run on nodes, by the last picture of the cluster."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __len__(self) -> int:
        return len(self._connection.picture.begun)
