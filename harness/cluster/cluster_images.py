"""Images of instances that lie on the nodes of a cluster, none of them on the driver's machine."""

import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from harness.cluster.cluster_connection import Connection
from harness.cluster.values import Failed
from harness.common.once import Once
from harness.config.schema import EvaluationConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.errors import InfrastructureError, InputError
from harness.images.git_copy import extract_git
from harness.images.names import local_names
from harness.images.supply import LocalImage


class ClusterImages:
    """What `ImageProvider` is for one machine. Safe for threads."""

    on_demand = True  # a node brings what its jobs need

    def __init__(self, connection: Connection, evaluation: EvaluationConfig) -> None:
        self._connection = connection
        self._pull = evaluation.pull
        self._advice = (
            "unpack it there (`harness images convert`)"
            if evaluation.sandbox == "apptainer"
            else "make it there, or let it be pulled (evaluation.pull=true, or --pull)"
        )
        self._folder = evaluation.images.folder
        self._once: Once[LocalImage] = Once(lambda _: None)

    def find(self, instance: Instance) -> LocalImage | None:
        """The instance's image on some node, as it was seen first; None if none has it by now."""
        return self._connection.known.get(instance.instance_id)

    def wanted(self, instance: Instance) -> ImageName:
        """Name that the instance's image comes under. Raises InputError if it is not saved and may not be pulled."""
        if self._folder:  # which nodes see, and this machine need not
            name: ImageName = self._connection.ask(self._node(instance), lambda keeper: keeper.wanted.remote(instance))
            return name
        names = local_names(instance)
        if not self._pull:
            raise InputError(
                f"{instance.instance_id}: no image on any node of the cluster ({', '.join(map(str, names))}); "
                f"{self._advice}"
            )
        return names[-1]

    def obtain(self, instance: Instance) -> LocalImage:
        """The instance's image, which is on some node now. Raises InputError or InfrastructureError."""
        return self.find(instance) or self._once.get(instance.instance_id, lambda: self._brought(instance))

    def _brought(self, instance: Instance) -> LocalImage:
        known = self.find(instance)
        if known is not None:
            return known
        self.wanted(instance)
        image: LocalImage = self._connection.ask(self._node(instance), lambda keeper: keeper.obtain.remote(instance))
        self._connection.known[instance.instance_id] = image
        return image

    def _node(self, instance: Instance) -> str:
        """The node that is asked for an image first: one that has it, or else each for its share."""
        nodes = sorted(self._connection.keepers())
        if not nodes:
            raise InfrastructureError("no node of the Ray cluster is left that takes jobs")
        image = self.find(instance)
        having = sorted(self._connection.picture.images.get(image.digest, frozenset()) & set(nodes)) if image else []
        return (having or nodes)[zlib.crc32(instance.instance_id.encode()) % len(having or nodes)]

    @contextmanager
    def hold(self, instance: Instance) -> Iterator[LocalImage]:
        """The same as `obtain`: the node that a job comes to holds the image while it runs."""
        yield self.obtain(instance)

    def finish(self, instance: Instance) -> None:
        """Nothing more is wanted of the instance's image: under a node's budget it may go."""
        for keeper in self._connection.keepers().values():
            keeper.finish.remote(instance)

    def settle(self) -> None:
        """Nothing is left to do: the keepers see to it when they end."""

    def close(self) -> None:
        """Nothing is left to do: what a node pulls ends with its keeper."""

    def repository(self, instance: Instance) -> "RemoteImage":
        """The instance's image as a place to read its repository from."""
        return RemoteImage(self._connection, self._node(instance), instance, self.obtain(instance))


@dataclass(frozen=True)
class RemoteImage:
    """An instance's image on a node."""

    connection: Connection
    node: str
    instance: Instance
    image: LocalImage

    @property
    def digest(self) -> str:
        """Its content id."""
        return self.image.digest

    def unpack_git(self, folder: Path) -> Path:
        """Put a copy of the image's repository below ``folder`` and give its path; it comes in pieces.

        Raises InputError if the image has none, InfrastructureError if the node or its Docker fails.
        """
        pieces: Any = self.connection.keepers()[self.node].git.options(num_returns="streaming").remote(self.instance)
        archive = io.BytesIO()
        for piece in pieces:
            content = self._piece(piece)
            archive.write(content)
        archive.seek(0)
        return extract_git(archive, folder, str(self.image.name))

    def _piece(self, piece: Any) -> bytes:
        try:
            content: bytes | Failed = ray.get(piece)
        except ray.exceptions.RayError as error:
            raise InfrastructureError(f"node {self.node[:8]} is gone") from error
        if isinstance(content, Failed):
            raise content.error(self.node)
        return content
