"""Environment images: one for each distinct set of pinned requirements on a base."""

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness.build.layer import Layer, build, is_built, render
from harness.common.docker_client import translated
from harness.core.image_name import ImageName
from harness.dataset.recipes import Environment
from harness.images.inventory import KIND_LABEL
from harness.repo.pip_settings import IndexSettings, read_settings

if TYPE_CHECKING:
    from docker import DockerClient

# A pip that still makes editable installs of setup.py projects, and what build backends need beside setuptools.
INSTALLERS = ("pip==24.0", "wheel==0.41.2")
STAGE = "stage"  # kind of the nameless image that the installing stage leaves behind
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def environment_layer(environment: Environment, base: ImageName) -> Layer:
    """The image of an environment on the base image ``base``; equal sets of requirements make equal layers."""
    dockerfile = render(
        "environment.Dockerfile.jinja", base=base, installers=INSTALLERS, kind_label=KIND_LABEL, stage_kind=STAGE
    )
    return Layer(f"harness/environment-py{environment.python}", "environment", dockerfile, (_pins(environment),))


def make_environment(client: "DockerClient", environment: Environment, base: ImageName) -> tuple[ImageName, bool]:
    """Name of the environment's image, and whether it had to be built (from the package index that pip uses here).

    The index's settings and the machine's certificates are used for the installation only; the image keeps neither.
    Raises InfrastructureError if building fails.
    """
    layer = environment_layer(environment, base)
    if is_built(client, layer.name, layer.content):
        return layer.name, False
    settings = read_settings()

    def fill(folder: Path) -> None:
        (folder / "host").mkdir()
        (folder / "host/requirements.txt").write_text(_pins(environment), encoding="utf-8")
        if settings.certificates:
            shutil.copyfile(settings.certificates, folder / "host/certificates.pem")

    build(client, layer, layer.name, fill, network=True, arguments=_arguments(settings))
    return layer.name, True


def remove_stages(client: "DockerClient") -> None:
    """Remove what the installing stages of finished builds left behind.

    Raises InfrastructureError if Docker fails.
    """
    with translated("removing left-over build stages"):
        client.images.prune(filters={"dangling": True, "label": f"{KIND_LABEL}={STAGE}"})


def _pins(environment: Environment) -> str:
    return "".join(f"{pin}\n" for pin in sorted(set(environment.requirements), key=str.lower))


def _arguments(settings: IndexSettings) -> dict[str, str]:
    # a build step can't reach what is a file on this machine
    extra = [url for url in settings.extra_urls if not url.startswith("file:")]
    arguments = {
        "PIP_CERT": "/host/certificates.pem" if settings.certificates else None,
        "PIP_INDEX_URL": settings.url,
        "PIP_EXTRA_INDEX_URL": " ".join(extra),
        "PIP_TRUSTED_HOST": " ".join(settings.trusted_hosts),
        **{name: os.environ.get(name) or os.environ.get(name.upper()) for name in PROXIES},
    }
    return {name: value for name, value in arguments.items() if value}
