"""Images of instances when they are wanted: found on this machine, pulled, and let go again under a budget."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from math import ceil
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from harness.common.docker_client import connect
from harness.common.once import Once
from harness.config.schema import EvaluationConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.errors import InfrastructureError, InputError
from harness.images.budget import Budget
from harness.images.disk import GIB, Layers, image_layers, together
from harness.images.git_copy import DockerImage
from harness.images.names import local_names, sources
from harness.images.pull import Puller, find, matches, platform_of
from harness.images.pull_progress import OnAmount
from harness.images.saved_images import SavedImage, SavedImages
from harness.images.supply import LocalImage
from harness.sandbox.docker import DockerSandbox
from harness.sandbox.enforced import enforced
from harness.sandbox.left_over import LeftContainers
from harness.sandbox.same_platform import require_own_platform

if TYPE_CHECKING:
    from docker import DockerClient


@contextmanager
def open_engine_images(evaluation: EvaluationConfig) -> Iterator["ImageProvider"]:
    """One connection to Docker or Podman and one provider for all stages of a run, which so keep to one budget.

    Raises EngineUnreachable if the engine does not answer, InputError if there is no such folder of saved images.
    """
    folder = evaluation.images.folder
    if folder and not folder.is_dir():
        raise InputError(f"evaluation.images.folder={folder}: no such folder here; `harness images save` makes one")
    workers = evaluation.workers or ceil((os.cpu_count() or 1) / evaluation.cpus)
    client = connect(connections=3 * workers + 6 + evaluation.images.pulls, sandbox=evaluation.sandbox)
    provider = ImageProvider(client, evaluation)
    try:
        yield provider
    finally:
        provider.close()
        client.close()


class ImageProvider:
    """An engine's images of instances. Safe for threads."""

    def __init__(self, client: "DockerClient", evaluation: EvaluationConfig) -> None:
        """``client`` is the run's connection to Docker, which its other parts use as well.

        ``evaluation`` says whether and from where images may be pulled, and the budget that they are kept within.
        """
        self.client = client
        self._images = evaluation.images
        self._pull = evaluation.pull
        self._puller = Puller(client, evaluation.images)
        self._saved = SavedImages(evaluation.images.folder) if evaluation.images.folder else None
        self._loads = BoundedSemaphore(evaluation.images.pulls)
        budget, comes = evaluation.image_budget, bool(self._pull or self._saved)
        self.on_demand = comes and budget is not None and not evaluation.build  # what is built is built ahead
        """Whether images come when wanted and not before: under a budget they may not all fit at once."""
        self._budget = (
            Budget(client, budget * GIB, evaluation.images.evict_built, self.on_demand, self._saved) if budget else None
        )
        self._once: Once[LocalImage] = Once(lambda _: None)

    def close(self) -> None:
        """End the pulls under way."""
        self._puller.close()

    def find(self, instance: Instance) -> LocalImage | None:
        """The instance's image on this machine, None if there is none, or none that fits its pin."""
        pin = self._images.pins.get(instance.instance_id)
        for name in local_names(instance):
            # a name by digest can't be given to an image that comes from elsewhere
            for known in sources(name, self._images, instance) if name.by_digest else [name]:
                image = find(self.client, str(known))
                if image and (pin is None or matches(image, pin)):
                    require_own_platform(platform_of(image), f"{instance.instance_id}: its image {known}")
                    return LocalImage(known, str(image.id))
        return None

    def wanted(self, instance: Instance) -> ImageName:
        """Name that the instance's image comes under.

        Raises InputError if it may not be pulled and is not in the folder of saved ones, if there is one.
        """
        names = local_names(instance)
        if saved := self.saved(instance):
            return saved[0]
        if not self._pull:
            pin = self._images.pins.get(instance.instance_id)
            looked = f"{', '.join(map(str, names))}{f' as {pin}' if pin else ''}"
            raise InputError(
                f"{instance.instance_id}: no image on this machine{self._or_folder} ({looked}); "
                "build it with `harness images build`, or let it be pulled (evaluation.pull=true, or --pull)"
            )
        return names[-1]

    @property
    def _or_folder(self) -> str:
        return f" or in {self._saved.folder}" if self._saved else ""

    def saved(self, instance: Instance) -> tuple[ImageName, Layers] | None:
        """Name and layers of the instance's image in the folder of saved ones; None if it is not there."""
        found = self._saved_image(instance)
        return (found[0], self._saved.sizes(found[1])) if self._saved and found else None

    def _saved_image(self, instance: Instance) -> tuple[ImageName, SavedImage] | None:
        if self._saved is None:
            return None
        pin = self._images.pins.get(instance.instance_id)
        for name in local_names(instance):
            image = None if name.by_digest else self._saved.find(name)
            if image and pin in (None, image.digest):
                return name, image
        return None

    def places(self, instance: Instance) -> list[ImageName]:
        """Where the instance's image is pulled from, in the order to try; none if it is not pulled."""
        if not self._pull or self._saved_image(instance):
            return []
        return sources(local_names(instance)[-1], self._images, instance)

    def obtain(self, instance: Instance, on_amount: OnAmount = lambda _: None) -> LocalImage:
        """The instance's image, which is on this machine now; pulled if it was not. Raises as `hold` does."""
        with self.hold(instance, on_amount) as image:
            return image

    @contextmanager
    def hold(self, instance: Instance, on_amount: OnAmount = lambda _: None) -> Iterator[LocalImage]:
        """The instance's image, which is on this machine, pulled if need be, and stays as long as the block runs.

        Raises InputError if there is none and none may be pulled or no registry holds it,
        InfrastructureError if no registry answers.
        """
        image = self._here(instance, on_amount)
        if self._budget is None:
            yield image
            return
        while not self._budget.take(image.name):
            image = self._here(instance, on_amount)
        try:
            yield image
        finally:
            self._budget.leave(image.name)

    def _here(self, instance: Instance, on_amount: OnAmount) -> LocalImage:
        return self.find(instance) or self._once.get(
            instance.instance_id, lambda: self.find(instance) or self._brought(instance, on_amount)
        )

    def _brought(self, instance: Instance, on_amount: OnAmount) -> LocalImage:
        name = self.wanted(instance)
        with self._budget.room(name) if self._budget else nullcontext():
            if self._saved and (saved := self._saved_image(instance)):
                with self._loads:
                    self._saved.load(self.client, saved[1], name)
            else:
                self._puller.pull(name, instance, on_amount)
        image = self.find(instance)
        if image is None:
            raise InfrastructureError(f"{instance.instance_id}: its image is gone again after it came")
        return image

    def finish(self, instance: Instance) -> None:
        """Nothing more is wanted of the instance's image: under a budget it may go."""
        if self._budget and (image := self.find(instance)):
            self._budget.finish(image.name)

    def settle(self) -> None:
        """Every container is gone: what they kept of finished instances' images may go as well."""
        if self._budget:
            self._budget.settle()

    def repository(self, image: LocalImage) -> DockerImage:
        """An image that is there, to read its repository from."""
        return DockerImage(self.client, str(image.name), image.digest)

    def size(self, images: Collection[LocalImage]) -> int:
        """Bytes that they take together, layers that they share counted once."""
        return together(image_layers(self.client, str(image.name)) for image in images)

    def sandbox(self, run: str, turns: int) -> DockerSandbox:
        """Containers of the engine."""
        return DockerSandbox(self.client, run, turns)

    def not_enforced(self) -> tuple[str, ...]:
        """Names of the limits that do not hold in these."""
        return enforced(self.client).missing_of_note

    def left_over(self, run: str) -> LeftContainers:
        """The run's containers."""
        return LeftContainers(self.client, run)
