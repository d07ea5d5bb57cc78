"""Names of an instance's images: ours, the benchmark's, and where other registries keep them."""

from typing import TYPE_CHECKING

from harness.core.image_name import HUB, _ending, parse
from harness.core.instance import Instance
from harness.dataset.versions import published_image

if TYPE_CHECKING:
    from harness.config.schema import ImagesConfig


def built_name(instance_id: str) -> str:
    """Name of the image that the project builds for an instance."""
    return f"harness/sweb.eval.x86_64.{instance_id.lower()}:latest"


def local_names(instance: Instance) -> list[str]:
    """Under which names an instance's image may be here, best first; the last is the one that is pulled.

    A row that names an image has that one and no other; a classic row has our built one or else the official one.
    """
    ours = [built_name(instance.instance_id), published_image(instance.instance_id)]
    return [instance.image] if instance.image else ours


def sources(name: str, images: "ImagesConfig", instance: Instance | None = None) -> list[str]:
    """Where to pull the image ``name`` from, in the order to try: the mirror, its own registry, the other registries.

    Other registries hold images of instances only.
    """
    found = [name]
    reference = parse(name)
    if images.mirror and reference.registry == HUB:
        found.insert(0, f"{images.mirror.rstrip('/')}/{reference.repository}{_ending(reference.version)}")
    if instance:
        found += [_elsewhere(name, registry, instance) for registry in images.registries]
    return list(dict.fromkeys(found))


def _elsewhere(name: str, registry: str, instance: Instance) -> str:
    if "{" not in registry:
        return f"{registry.rstrip('/')}/{name.rpartition('/')[2]}"
    instance_id = instance.instance_id.lower()
    owner, _, rest = instance_id.partition("__")
    return registry.format(instance=instance_id, owner=owner, name=rest)
