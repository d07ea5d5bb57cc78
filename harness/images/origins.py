"""Where images are unpacked from: an engine that has them, or a registry."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.common.docker_client import translated
from harness.core.image_name import ImageName
from harness.images.pull import platform_of
from harness.images.registry import LOCAL, Registries, credentials
from harness.sandbox.image_folders import Origin

if TYPE_CHECKING:
    from docker import DockerClient


def in_engine(client: "DockerClient", name: ImageName) -> Origin:
    """An image that an engine has. Raises InfrastructureError if it lacks it."""
    with translated(f"looking for image {name}"):
        image = client.images.get(str(name))

    def saved(folder: Path) -> str:
        archive = folder / "image.tar"
        with translated(f"saving image {name}"), archive.open("wb") as file:
            for chunk in image.save():
                file.write(chunk)
        return f"docker-archive:{archive}"

    return Origin(str(image.id), tuple(image.attrs["Config"].get("Env") or ()), platform_of(image), 0, saved)


def in_registry(registries: Registries, name: ImageName) -> Origin:
    """An image that a registry holds, for this platform; its id is the one that an engine would give it.

    Raises InputError if it holds none or refuses, InfrastructureError if it does not answer.
    """
    found = registries.configuration(name)
    plain = ("--no-https",) if name.registry.startswith(LOCAL) else ()
    user = credentials(name.registry)
    settings = {"APPTAINER_DOCKER_USERNAME": user[0], "APPTAINER_DOCKER_PASSWORD": user[1]} if user else {}
    address = f"docker://{name.registry}/{name.repository}@{found.manifest}"
    return Origin(found.id, found.environment, found.platform, found.size, lambda _: address, plain, settings)
