"""What travels between the driver and the nodes."""

from dataclasses import dataclass, field
from typing import Literal

from harness.core.interfaces import CommandResult, Job, SandboxKind
from harness.errors import HarnessError, InputError, SandboxError, Stopped
from harness.images.supply import LocalImage

SANDBOX = "sandbox"  # the resource of Ray nodes: how many jobs one runs at a time
CONDUCTOR = "conductor"  # name of the actor in the run's namespace


def keeper_name(node: str) -> str:
    """Name of the actor that keeps a node, likewise."""
    return f"keeper-{node}"


@dataclass(frozen=True)
class Order:
    """One job, and what the node needs to know to run it."""

    token: str  # of this try
    run: str  # label of the run
    namespace: str  # in which the run's actors have their names
    job: Job
    sandbox: SandboxKind | Literal["auto"]  # what runs containers on the node


@dataclass(frozen=True)
class Failed:
    """What went wrong on a node, as a value: an exception would come back wrapped, with a stack of Ray's own."""

    message: str
    kind: Literal["machine", "input", "stopped"] = "machine"
    command: int | None = None  # that did not get to its end; None: before the first began

    @classmethod
    def of(cls, error: HarnessError) -> "Failed":
        """The value of an exception of ours."""
        if isinstance(error, (InputError, Stopped)):
            return cls(str(error), "input" if isinstance(error, InputError) else "stopped")
        return cls(str(error), command=error.command if isinstance(error, SandboxError) else None)

    def error(self, node: str) -> HarnessError:
        """The exception that says the same, of the node with that id."""
        if self.kind == "stopped":
            return Stopped(self.message)
        message = f"node {node[:8]}: {self.message}"
        return InputError(message) if self.kind == "input" else SandboxError(message, self.command)


@dataclass(frozen=True)
class Opened:
    """What a node's keeper says when it opens."""

    version: str  # of the code
    not_enforced: tuple[str, ...]  # names of the limits that do not hold in its engine's containers
    images: dict[str, LocalImage]  # by instance id


@dataclass(frozen=True)
class Brought:
    """An image that a node has for a job, or why it has none."""

    node: str  # id
    image: LocalImage | Failed


@dataclass(frozen=True)
class Came:
    """What came back from a node."""

    node: str  # id
    value: tuple[CommandResult, ...] | Failed


@dataclass(frozen=True)
class Begun:
    """A try that a node has begun."""

    nodes: tuple[str, ...]  # ids of all that did, in their order: all but the last were lost under it
    seconds: float  # since the last one began it


@dataclass(frozen=True)
class Picture:
    """How the run stands in the cluster, at most a second or two ago."""

    begun: dict[str, Begun] = field(default_factory=dict)  # by token
    images: dict[str, frozenset[str]] = field(default_factory=dict)  # digest -> ids of the nodes that have it
