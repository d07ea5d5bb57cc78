"""Images of instances: their names, finding or pulling one, listing, removing, checking what is inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harness.errors import InfrastructureError, InputError
from harness.evaluate.container import LABEL, translated
from harness.evaluate.specifications import published_image
from harness.instance import Instance, nearest
from harness.seams import Snapshot

if TYPE_CHECKING:
    from docker import DockerClient

KIND_LABEL = f"{LABEL}.kind"  # "rootfs", "base", "environment", "instance"
INSTANCE_LABEL = f"{LABEL}.instance"  # on instance images: the instance's id
CONTENT_LABEL = f"{LABEL}.content"  # hash of everything that the image was built from

REMOVAL_ORDER = {"environment": 1, "base": 2, "rootfs": 3}  # an image goes before what it stands on
# of a registry that answered: it does not know the name, or does not let us have it
REFUSALS = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
CHECK = "git rev-parse 'HEAD^{tree}' && git rev-list --count --all && git status --porcelain"


@dataclass(frozen=True)
class ImageInfo:
    """An image of the project on this machine."""

    name: str
    digest: str  # content id, "sha256:..."
    kind: str
    instance_id: str | None
    size: int  # bytes, layers shared with other images included
    own_size: int  # bytes in layers that no other image has


def built_name(instance_id: str) -> str:
    """Name of the image that the project builds for an instance."""
    return f"harness/sweb.eval.x86_64.{instance_id.lower()}:latest"


def resolve(client: "DockerClient", instance: Instance, pull: bool = False) -> str:
    """Name of an image of the instance that is on this machine: the one that the row names, and no other.

    For a classic row, which names none, our built one or else the official one. Where it is not here, and ``pull``
    allows it, the row's image (on a classic row: the official one) is pulled.
    Raises InputError where there is none and none may be pulled or no registry holds it,
    InfrastructureError where no registry answers.
    """
    ours = [built_name(instance.instance_id), published_image(instance.instance_id)]
    names = [instance.image] if instance.image else ours
    for name in names:
        if _is_local(client, name):
            return name
    if not pull:
        raise InputError(
            f"{instance.instance_id}: no image on this machine ({', '.join(names)}); "
            "build it with `harness images build`, or let it be pulled (evaluation.pull=true, or --pull)"
        )
    pull_image(client, names[-1])
    return names[-1]


def _is_local(client: "DockerClient", name: str) -> bool:
    from docker.errors import ImageNotFound

    with translated(f"looking for image {name}"):
        try:
            client.images.get(name)
        except ImageNotFound:
            return False
    return True


def pull_image(client: "DockerClient", name: str) -> None:
    """Pull an image (``latest`` where the name has no tag) from the registry that its name implies.

    Raises InputError when the name is none, or the registry does not hold the image or refuses,
    InfrastructureError when no registry answers.
    """
    from docker.errors import APIError

    with translated(f"image {name} can't be pulled"):
        try:
            client.images.pull(name)
        except APIError as error:
            said = f"image {name} can't be pulled: {error.explanation}"
            if error.status_code in REFUSALS:
                raise InputError(f"{said}; check its name, or `docker login` first") from error
            raise InfrastructureError(
                f"{said}; where no registry answers, build it with `harness images build` or load it with `docker load`"
            ) from error


def list_images(client: "DockerClient") -> list[ImageInfo]:
    """Every image of the project on this machine, by kind and name, with its size and what is its alone."""
    with translated("listing images"):
        images = client.api.df()["Images"] or []
    found = [
        ImageInfo(
            name=name,
            digest=image["Id"],
            kind=image["Labels"][KIND_LABEL],
            instance_id=image["Labels"].get(INSTANCE_LABEL),
            size=image["Size"],
            own_size=image["Size"] - max(image["SharedSize"], 0),
        )
        for image in images
        if KIND_LABEL in (image["Labels"] or {})
        for name in _names(image)
    ]
    return sorted(found, key=lambda image: (image.kind, image.name))


def _names(image: Mapping[str, Any]) -> list[str]:
    """Tags of an image in the daemon's listing; its id where it has none, as what a failed build left behind."""
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
