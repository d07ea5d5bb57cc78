"""What runs on a node as one Ray task: one job, in the sandbox that the node has."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import ray

from harness.cluster.values import Brought, Came, Failed, Order, keeper_name
from harness.common.docker_client import connect
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult, Sandbox, SandboxKind
from harness.errors import HarnessError, InfrastructureError
from harness.images.open_images import without_engine
from harness.images.supply import AnySandbox
from harness.sandbox.apptainer import ApptainerSandbox
from harness.sandbox.apptainer_machine import image_folders
from harness.sandbox.docker import DockerSandbox
from harness.sandbox.left_over import NODE_LABEL, TOKEN_LABEL


def run_job(order: Order, instance: Instance, brought: Brought | None) -> Came:
    """What the job's commands did, or why they could not.

    ``brought`` is what the keeper of the node said to which the job was sent, None if it was sent to no certain one.
    Ray sends it elsewhere if that node is lost.
    """
    return kept(order, instance, brought, _sandbox)


def kept(order: Order, instance: Instance, brought: Brought | None, sandbox: Callable[[Order], Sandbox]) -> Came:
    """The same in a sandbox of ``sandbox``. The node's keeper holds the image meanwhile, and knows this process."""
    node = ray.get_runtime_context().get_node_id()
    if brought and brought.node == node and isinstance(brought.image, Failed):
        return Came(node, brought.image)
    return Came(node, _ran(order, instance, node, sandbox))


def _ran(
    order: Order, instance: Instance, node: str, sandbox: Callable[[Order], Sandbox]
) -> tuple[CommandResult, ...] | Failed:
    try:
        keeper = _keeper(order.namespace, node)
        image = ray.get(keeper.begin.remote(order.token, os.getpid(), instance, order.job.digest))
    except (ValueError, ray.exceptions.RayActorError) as error:  # a node that just joined has none yet
        return Failed(f"its keeper is not there: {error}")
    if isinstance(image, Failed):
        return image
    labels = {**order.job.labels, NODE_LABEL: node, TOKEN_LABEL: order.token}
    try:
        return sandbox(order).run(replace(order.job, image=str(image.name), labels=labels))
    except HarnessError as error:
        return Failed.of(error)
    finally:
        keeper.end.remote(order.token)


@cache
def _keeper(namespace: str, node: str) -> Any:
    return ray.get_actor(keeper_name(node), namespace)


def _sandbox(order: Order) -> Sandbox:
    opened = _opened(order.run, order.sandbox)
    # a node that joined late may get a job before it is refused
    if fewer := set(opened.not_enforced) - set(order.job.limits.not_enforced):
        raise InfrastructureError(f"the run's other nodes limit what this one does not: {', '.join(sorted(fewer))}")
    return opened


@cache
def _opened(run: str, kind: SandboxKind | Literal["auto"]) -> AnySandbox:
    """One sandbox for all jobs of a run that this process runs; what it leaves behind, the node's keeper reaps."""
    if without_engine(kind):
        return ApptainerSandbox(image_folders(), run)
    return DockerSandbox(connect(connections=8, sandbox=kind), run)
