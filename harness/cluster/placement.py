"""Where a job should run: values in, values out."""

from collections.abc import Collection, Hashable, Mapping
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def chosen_node(having: Collection[Node], slots: Mapping[Node, int], busy: Mapping[Node, int]) -> Node | None:
    """The node for a job, None if there is no node.

    ``having`` are the nodes that have the job's image or are getting it, ``slots`` the places of every node that takes
    part, ``busy`` the jobs that were sent there. Of the nodes with the image it is the one with the largest share of
    places free. If they are full, it is any other one with a free place. If all are full, the job waits on a node with
    the image: with every job on the next place that is free, most of the time would go by in pulling each image onto
    each node.
    """

    def taken(node: Node) -> float:
        return busy.get(node, 0) / slots[node]

    known = [node for node in having if slots.get(node)]
    best = min(known, key=taken, default=None)
    if best is not None and taken(best) < 1:
        return best
    other = min(slots, key=taken, default=None)
    return best if best is not None and other is not None and taken(other) >= 1 else other
