"""Building one layer of an image from a Dockerfile template: never twice from the same content."""

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common.docker_client import LABEL, translated
from harness.common.hashing import content_hash
from harness.common.resources import resource, templates
from harness.core.image_name import ImageName
from harness.core.machine_platform import in_content
from harness.errors import InfrastructureError
from harness.images.inventory import CONTENT_LABEL, KIND_LABEL
from harness.images.pull import find

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image

LINES_SHOWN = 15  # of a failing step's output
INTERMEDIATE = re.compile(r" ---> [0-9a-f]{12}")  # how the builder reports an image between two steps


@dataclass(frozen=True)
class Layer:
    """What determines one image."""

    repository: str  # name without tag
    kind: str
    dockerfile: str  # rendered
    inputs: tuple[str, ...] = ()  # hashes or text of what the build context holds
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> str:
        """Hash of everything that the image is built from."""
        return content_hash(self.dockerfile, *self.inputs, *in_content())

    @property
    def name(self) -> ImageName:
        """The image's name, tagged with its content: equal layers are one image."""
        return ImageName.parse(f"{self.repository}:{self.content[:12]}")


def render(template: str, **values: Any) -> str:
    """A Dockerfile from a template of the folder docker/."""
    return templates(resource("docker")).get_template(template).render(values)


def is_built(client: "DockerClient", name: ImageName, content: str) -> bool:
    """Whether an image of that name is here and was built from that content."""
    image = find(client, str(name))
    return image is not None and image.labels.get(CONTENT_LABEL) == content


def build(
    client: "DockerClient",
    layer: Layer,
    name: ImageName,
    fill: Callable[[Path], None],
    network: bool = False,
    arguments: Mapping[str, str] | None = None,
) -> None:
    """Build ``layer`` under ``name``; ``fill`` puts what the Dockerfile copies into the build's folder.

    ``arguments`` are build arguments; steps reach a network only if ``network`` says so. An older image
    of that name is removed. Raises InfrastructureError with the last lines of the step that failed.
    """
    replaced = find(client, str(name))
    options = {
        "labels": {LABEL: "image", KIND_LABEL: layer.kind, CONTENT_LABEL: layer.content, **layer.labels},
        "buildargs": dict(arguments or {}),
        "network_mode": None if network else "none",
    }
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        (Path(folder) / "Dockerfile").write_text(layer.dockerfile, encoding="utf-8")
        _run(client, name, folder, options)
    if replaced is not None:
        _remove_nameless(client, replaced)


def _run(client: "DockerClient", name: ImageName, folder: str, options: Mapping[str, Any]) -> None:
    from docker.errors import BuildError

    with translated(f"building {name}"):
        try:
            client.images.build(path=folder, tag=str(name), rm=True, forcerm=True, **options)
        except BuildError as error:
            lines = "".join(str(event.get("stream", "")) for event in error.build_log).splitlines()
            if unfinished := [line for line in lines if INTERMEDIATE.fullmatch(line)]:
                image = find(client, unfinished[-1].split()[-1])
                if image is not None:
                    _remove_nameless(client, image)
            raise InfrastructureError(f"building {name} failed: {error.msg}\n{_last_step(lines)}") from error


def _remove_nameless(client: "DockerClient", image: "Image") -> None:
    """Remove an image that has lost its name, unless something still uses it."""
    from docker.errors import APIError, ImageNotFound

    with translated(f"removing image {image.id}"), suppress(ImageNotFound):
        image.reload()
        if image.tags:
            return
        try:
            client.images.remove(str(image.id))
        except APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise


def _last_step(lines: Sequence[str]) -> str:
    """The step that a build's output ends in, and the last lines of what it said."""
    begun = max((number for number, line in enumerate(lines) if line.startswith("Step ")), default=0)
    return "\n".join([*lines[begun : begun + 1], *lines[begun + 1 :][-LINES_SHOWN:]])
