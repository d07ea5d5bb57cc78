"""Base images: a Debian with a Python and git, bootstrapped from the package archive or made from a pulled image."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.build.layer import LINES_SHOWN, Layer, build, is_built, render
from harness.common.docker_client import LABEL, translated
from harness.common.hashing import content_hash
from harness.core.image_name import ImageName
from harness.core.machine_platform import in_content
from harness.errors import InfrastructureError, InputError
from harness.images.inventory import CONTENT_LABEL, KIND_LABEL
from harness.images.pull import Puller

if TYPE_CHECKING:
    from docker import DockerClient

REPOSITORY = "harness/base-py"  # of base images, before their Python's version

BaseChoice = Literal["auto", "debootstrap", "pull"]

SUITES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie"}  # Debian release whose python3 it is
PACKAGES = ("ca-certificates", "git", "patch", "python3", "python3-venv")
APT_SECONDS = 300  # for another installation to end
LEFT_OUT = ("var/cache/apt/archives/*.deb", "var/lib/apt/lists/*", "usr/share/doc/*", "usr/share/man/*")


def base_layer(python: str, choice: Literal["debootstrap", "pull"]) -> Layer:
    """The base image of one Python version.

    Raises InputError for a version that has to be bootstrapped and that no Debian release carries.
    """
    if choice == "pull":
        dockerfile = render("base.Dockerfile.jinja", root=f"python:{python}-slim", has_tools=False)
    else:
        if python not in SUITES:
            raise InputError(
                f"Python {python} can't be bootstrapped (only {', '.join(SUITES)} can); use `--base pull` instead"
            )
        dockerfile = render("base.Dockerfile.jinja", root=_root_name(SUITES[python]), has_tools=True)
    return Layer(f"{REPOSITORY}{python}", "base", dockerfile)


def make_base(client: "DockerClient", python: str, choice: BaseChoice) -> tuple[ImageName, bool]:
    """Name of the base image for a Python version, and whether it had to be made.

    ``auto`` takes whichever base is here already, else bootstraps one; only ``pull`` contacts a registry.
    Raises InputError if this machine can't make one, InfrastructureError if making it fails.
    """
    chosen: Literal["debootstrap", "pull"] = "pull" if choice == "pull" else "debootstrap"
    if choice == "auto":
        pulled = base_layer(python, "pull")
        if is_built(client, pulled.name, pulled.content):
            return pulled.name, False
    layer = base_layer(python, chosen)
    if is_built(client, layer.name, layer.content):
        return layer.name, False
    if chosen == "pull":
        Puller(client).pull(ImageName.parse(f"python:{python}-slim"))
    else:
        _bootstrap(client, SUITES[python])
    build(client, layer, layer.name, lambda _: None, network=chosen == "pull")
    return layer.name, True


def _root_content(suite: str) -> str:
    return content_hash(suite, *PACKAGES, *LEFT_OUT, *in_content())


def _root_name(suite: str) -> ImageName:
    return ImageName.parse(f"harness/rootfs-{suite}:{_root_content(suite)[:12]}")


def _bootstrap(client: "DockerClient", suite: str) -> None:
    """Make a minimal Debian with debootstrap and import it, if it is not on this machine yet."""
    name, content = _root_name(suite), _root_content(suite)
    if is_built(client, name, content):
        return
    require_debootstrap()
    with tempfile.TemporaryDirectory(prefix="rootfs-") as folder:
        # the folder becomes the image's root, and every user must be able to enter that
        root = Path(folder) / "root"
        root.mkdir(mode=0o755)
        run_command("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(root))
        _import(client, root, name, {KIND_LABEL: "rootfs", CONTENT_LABEL: content, LABEL: "image"})


def _import(client: "DockerClient", root: Path, name: ImageName, labels: dict[str, str]) -> None:
    excluded = [f"--exclude=./{pattern}" for pattern in LEFT_OUT]
    archiving = ["tar", "--directory", str(root), "--numeric-owner", *excluded, "--create", "."]
    with subprocess.Popen(archiving, stdout=subprocess.PIPE) as tar, translated(f"importing {name}"):
        client.api.import_image_from_data(
            tar.stdout,
            repository=name.familiar,
            tag=name.version,
            changes=[f"LABEL {key}={value}" for key, value in labels.items()],
        )
    if tar.returncode != 0:
        raise InfrastructureError(f"{root}: tar ended with status {tar.returncode}")


def require_debootstrap() -> None:
    """See that debootstrap can run here, installing it as root on Debian. Raises InputError if it can't."""
    if os.geteuid() != 0:
        raise InputError("making a base image with debootstrap needs root; run as root, or use `--base pull`")
    if shutil.which("debootstrap"):
        return
    if not shutil.which("apt-get"):
        raise InputError("making a base image needs debootstrap; install it, or use `--base pull`")
    run_command("apt-get", "update", "--quiet")
    install = ("apt-get", "install", "--yes", "--quiet", "--no-install-recommends")
    run_command(*install, "--option", f"DPkg::Lock::Timeout={APT_SECONDS}", "debootstrap")


def run_command(*command: str) -> None:
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )
    if done.returncode != 0:
        last = "\n".join(done.stdout.decode("utf-8", "replace").splitlines()[-LINES_SHOWN:])
        raise InfrastructureError(f"{command[0]} ended with status {done.returncode}:\n{last}")
