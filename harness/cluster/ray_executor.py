"""The `Executor` of a Ray cluster."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.cluster.cluster_connection import Connection, connected
from harness.cluster.cluster_images import ClusterImages, RemoteImage
from harness.cluster.executions import Executions
from harness.cluster.ray_sandbox import RaySandbox
from harness.cluster.ray_servers import ClusterServers
from harness.common.progress import Progress
from harness.common.run_folder import run_label
from harness.config.schema import CheckpointConfig, EvaluationConfig
from harness.config.serving_keys import ServingConfig
from harness.core.instance import Instance
from harness.errors import InputError
from harness.images.names import local_names
from harness.images.unpacked_images import check_unpacked
from harness.model.devices import served_here
from harness.model.serving_places import Places


@contextmanager
def open_cluster(evaluation: EvaluationConfig, output: Path) -> Iterator["RayExecutor"]:
    """The cluster that ``evaluation`` names, for the run in the folder ``output``.

    Raises InputError if there is none, or what the settings ask for is not done on a cluster.
    """
    if evaluation.build:
        raise InputError("evaluation.build=true needs evaluation.executor=local: on a cluster, images are pulled")
    if evaluation.sandbox == "apptainer":
        check_unpacked(evaluation)
    with connected(evaluation, run_label(output)) as connection:
        yield RayExecutor(connection, evaluation, Executions(output))


class RayExecutor:
    """Jobs run on the nodes; journals, schedule and tables stay with the driver."""

    def __init__(self, connection: Connection, evaluation: EvaluationConfig, executions: Executions) -> None:
        self.images = ClusterImages(connection, evaluation)
        self._connection = connection
        self._executions = executions
        self._by_image: dict[str, Instance] = {}

    def prepare(self, instances: Sequence[Instance], recipes: Path | None, progress: Progress) -> None:
        """Ask each node for the images that it has; it pulls what it needs when it needs it.

        Raises InputError if a node can't take part. What ``recipes`` say is the driver's own affair.
        """
        del recipes
        self._by_image = {str(name): instance for instance in instances for name in local_names(instance)}
        with progress.doing("looking at the nodes and their images"):
            self._connection.begin(instances)

    def places(self, checkpoints: Sequence[CheckpointConfig], serving: ServingConfig) -> Places:
        """Nodes with GPUs, or those that take servers without any. Raises InputError if a checkpoint fits on none."""
        servers = ClusterServers(self._connection.resources())
        for checkpoint in filter(served_here, checkpoints):
            servers.check(checkpoint, serving)
        return Places(cluster=servers)

    def workers(self) -> int:
        """As many as the nodes take now; a run that asks for more makes a cluster grow that can."""
        return sum(self._connection.slots.values())

    def sandbox(self, turns: int) -> RaySandbox:
        """Tasks on the nodes, whose resources bound how many run at a time; ``turns`` bounds nothing more."""
        del turns
        return RaySandbox(self._connection, self._instance_of, self._executions)

    def _instance_of(self, image: str) -> Instance:
        found = self._by_image.get(image)
        if found is None:  # a name by digest of another registry, under which a node has it
            known = self._connection.known
            found = next(i for i in self._by_image.values() if str(known[i.instance_id].name) == image)
        return found

    @contextmanager
    def repositories(self) -> Iterator[Callable[[Instance], RemoteImage]]:
        """Images of the nodes, whose repositories come here in pieces."""
        yield self.images.repository
