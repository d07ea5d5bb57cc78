"""Whether the disk under Docker has room for images to pull or load: asked before the first of them."""

from collections.abc import Sequence

from harness.core.instance import Instance
from harness.images.disk import GIB, docker_root, expected, image_layers, require_free, together
from harness.images.provider import ImageProvider


def require_room(images: ImageProvider, instances: Sequence[Instance], budget: float | None = None) -> None:
    """See that the disk under Docker holds the images that are still to come, or the ``budget`` (bytes) of them.

    Raises InputError, saying what is needed and what is free; a daemon elsewhere is not looked at.
    """
    local = {instance.instance_id: images.find(instance) for instance in instances}
    missing = [instance for instance in instances if local[instance.instance_id] is None]
    root = docker_root(images.client)
    if not missing or root is None:
        return
    layers = [image_layers(images.client, image.digest) for image in local.values() if image]
    need, assumed = expected([places for instance in missing if (places := images.places(instance))], layers)
    need += together(saved[1] for instance in missing if (saved := images.saved(instance)))
    need = int(min(need, budget)) if budget else need
    about = f"about {need / GIB:.1f} GiB{' (partly assumed)' if assumed else ''}"
    require_free(
        root,
        need,
        f"{len(missing)} images that are missing take {about}",
        "name fewer instances, or set evaluation.image_budget",
    )
