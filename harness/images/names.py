"""Names of an instance's images: ours, the benchmark's, and where other registries keep them."""

from typing import TYPE_CHECKING

from harness.core.image_name import HUB, ImageName
from harness.core.instance import Instance
from harness.core.machine_platform import in_names
from harness.dataset.versions import published_image

if TYPE_CHECKING:
    from harness.config.schema import ImagesConfig


def built_name(instance_id: str) -> ImageName:
    """Name of the image that the project builds for an instance, which says for which architecture."""
    return ImageName.parse(f"harness/sweb.eval.{in_names()}.{instance_id.lower()}:latest")


def local_names(instance: Instance) -> list[ImageName]:
    """Under which names an instance's image may be here, best first; the last is the one that is pulled.

    A row that names an image has that one and no other; a classic row has our built one or else the official one.
    """
    if instance.image:
        return [ImageName.parse(instance.image)]
    return [built_name(instance.instance_id), published_image(instance.instance_id)]


def sources(name: ImageName, images: "ImagesConfig", instance: Instance | None = None) -> list[ImageName]:
    """Where to pull the image ``name`` from, in the order to try: the mirror, its own registry, the other registries.

    Other registries hold images of instances only.
    """
    found = [name]
    if images.mirror and name.registry == HUB:
        found.insert(0, ImageName.parse(f"{images.mirror.rstrip('/')}/{name.path}"))
    if instance:
        found += [_elsewhere(name, registry, instance) for registry in images.registries]
    return list(dict.fromkeys(found))


def _elsewhere(name: ImageName, registry: str, instance: Instance) -> ImageName:
    if "{" not in registry:
        return ImageName.parse(f"{registry.rstrip('/')}/{name.last}")
    instance_id = instance.instance_id.lower()
    owner, _, rest = instance_id.partition("__")
    return ImageName.parse(registry.format(instance=instance_id, owner=owner, name=rest))
