"""Images of the project: listing and removing them, checking what is inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.common.docker_client import LABEL, translated
from harness.common.suggest import nearest
from harness.core.image_name import ImageName
from harness.core.interfaces import Snapshot
from harness.dataset.versions import is_published
from harness.errors import InfrastructureError, InputError

if TYPE_CHECKING:
    from docker import DockerClient

KIND_LABEL = f"{LABEL}.kind"  # "rootfs", "base", "environment", "sources", "instance"
PULLED = "pulled"  # kind of an image that the benchmark publishes
INSTANCE_LABEL = f"{LABEL}.instance"  # on instance images: the instance's id
CONTENT_LABEL = f"{LABEL}.content"  # hash of everything that the image was built from

REMOVAL_ORDER = {"sources": 1, "environment": 2, "base": 3, "rootfs": 4}  # an image goes before what it stands on
CHECK = "git rev-parse 'HEAD^{tree}' && git rev-list --count --all && git status --porcelain"


@dataclass(frozen=True)
class ImageInfo:
    """An image of the project on this machine."""

    name: str
    digest: str  # content id, "sha256:..."
    kind: str  # of its label, or PULLED
    instance_id: str | None
    size: int  # bytes, layers shared with other images included
    own_size: int  # bytes in layers that no other image has


def list_images(client: "DockerClient") -> list[ImageInfo]:
    """Every image of the project on this machine, and the benchmark's own, by kind and name.

    Each comes with its size and what is its alone.
    """
    with translated("listing images"):
        images = client.api.df()["Images"] or []
    found = [
        ImageInfo(
            name=name,
            digest=image["Id"],
            kind=kind,
            instance_id=(image["Labels"] or {}).get(INSTANCE_LABEL),
            size=image["Size"],
            own_size=image["Size"] - max(image["SharedSize"], 0),
        )
        for image in images
        for name in _names(image)
        if (kind := (image["Labels"] or {}).get(KIND_LABEL) or _published(name))
    ]
    return sorted(found, key=lambda image: (image.kind, image.name))


def _published(name: str) -> str | None:
    return PULLED if is_published(ImageName.parse(name)) else None


def _names(image: Mapping[str, Any]) -> list[str]:
    """Tags of an image in the daemon's listing; its id if it has none, as what a failed build left behind."""
    return [tag for tag in image["RepoTags"] or () if tag != "<none>:<none>"] or [image["Id"]]


def remove_images(client: "DockerClient", ids: Sequence[str] | None = None) -> list[str]:
    """Remove the images built for these instances, or (None) every image of the project; their names.

    Raises InputError, with the nearest ids, for an instance that has no image here, and
    InfrastructureError when an image is in use.
    """
    with translated("listing images"):
        images = client.images.list(filters={"label": KIND_LABEL})
    if ids is not None:
        known = {image.labels[INSTANCE_LABEL] for image in images if INSTANCE_LABEL in image.labels}
        unknown = [f"{wanted}{nearest(wanted, known)}" for wanted in ids if wanted not in known]
        if unknown:
            raise InputError(f"no image built for instance {' | '.join(unknown)}")
        images = [image for image in images if image.labels.get(INSTANCE_LABEL) in ids]
    removed = []
    images.sort(key=lambda image: str(image.attrs["Created"]), reverse=True)  # sources lie on older ones
    for image in sorted(images, key=lambda image: REMOVAL_ORDER.get(image.labels[KIND_LABEL], 0)):
        for name in image.tags or [str(image.id)]:
            with translated(f"removing image {name}"):
                client.images.remove(name)
            removed.append(name)
    return removed


def verify_image(client: "DockerClient", name: str, snapshot: Snapshot) -> None:
    """Check that an instance's image tests the tree that the host reads: the same tree, clean, and one commit in all.

    Raises InfrastructureError saying what differs.
    """
    command = ["/bin/sh", "-c", f"cd /testbed && {CHECK}"]
    with translated(f"{name}: /testbed can't be checked"):
        output = client.containers.run(name, command, remove=True, network_mode="none", labels={LABEL: "verify"})
    tree, count, *changes = output.decode("utf-8", "replace").splitlines()
    problems = []
    if tree != snapshot.tree:
        problems.append(f"its tree is {tree}, the host reads {snapshot.tree}")
    if count != "1":
        problems.append(f"its repository holds {count} commits, not one")
    if changes:
        problems.append(f"its tree is not clean: {', '.join(changes[:5])}{' ...' if changes[5:] else ''}")
    if problems:
        raise InfrastructureError(f"{name}: {'; '.join(problems)}")
