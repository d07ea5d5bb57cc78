"""What a checkpoint's servers reserve of a cluster: values in, values out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

GPU = "GPU"  # Ray's own resource
SERVER = "server"  # the resource of nodes that run servers without a GPU: how many at a time


@dataclass(frozen=True)
class Reservation:
    """One placement group, so that a checkpoint's servers get all of their room or wait for it."""

    resource: str
    amount: int  # of it in each bundle; a bundle lies on one node
    servers: int
    nodes: int  # bundles of each server, in which it has equal parts

    @property
    def bundles(self) -> list[dict[str, float]]:
        """Those of the first server, then those of the next."""
        return [{self.resource: float(self.amount)} for _ in range(self.servers * self.nodes)]

    @property
    def strategy(self) -> Literal["STRICT_PACK", "PACK"]:
        """All on one node if that is one server's own, else on as few as possible."""
        return "STRICT_PACK" if self.servers * self.nodes == 1 else "PACK"


def reservation(
    servers: int, devices: int, resources: Sequence[Mapping[str, float]], on_cpu: bool
) -> Reservation | None:
    """What servers of ``devices`` GPUs each reserve on nodes with these ``resources``; None if there is no room for it.

    A server stays within one node if any is large enough. Else it is divided over as few as hold equal parts of it.
    With ``on_cpu`` a server needs no GPU, and a node whose own resource says how many it runs.
    """
    if on_cpu:
        return _found(Reservation(SERVER, 1, servers, 1), resources)
    for nodes in range(1, devices + 1):
        if devices % nodes == 0 and (found := _found(Reservation(GPU, devices // nodes, servers, nodes), resources)):
            return found
    return None


def _found(wanted: Reservation, resources: Sequence[Mapping[str, float]]) -> Reservation | None:
    room = sum(int(node.get(wanted.resource, 0)) // wanted.amount for node in resources)
    return wanted if room >= wanted.servers * wanted.nodes else None
