"""Every kind of a sandbox that is here, with an image that Docker has."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

import pytest

from harness.common.docker_client import connect
from harness.core.image_name import ImageName
from harness.core.interfaces import SandboxKind
from harness.errors import InputError
from harness.images.pull import find
from harness.images.supply import AnySandbox
from harness.images.unpack_all import from_engine
from harness.sandbox.apptainer import ApptainerSandbox
from harness.sandbox.apptainer_machine import image_folders
from harness.sandbox.docker import DockerSandbox

KINDS = get_args(SandboxKind)
# Those under which the longer tests run, comma-separated; the contract of a sandbox is tested over all of them.
CHOSEN = os.environ.get("HARNESS_TEST_SANDBOXES", "docker").split(",")


@contextmanager
def opened(kind: str, docker_client, image: str, run: str) -> Iterator[AnySandbox]:
    """A sandbox of that kind that has an image of Docker's; the test is skipped where there is none, and says so."""
    if kind == "docker":
        with DockerSandbox(docker_client, run) as sandbox:
            yield sandbox
        return
    try:
        if kind == "apptainer":
            with ApptainerSandbox(image_folders(), run) as sandbox:
                from_engine(image_folders(), docker_client, [ImageName.parse(image)])
                yield sandbox
            return
        client = connect(sandbox=kind)
    except InputError as error:
        pytest.skip(str(error))
    known, wanted = find(client, image), docker_client.images.get(image)
    if known is None or known.id != wanted.id:
        client.images.load(b"".join(wanted.save(named=True)))
    with DockerSandbox(client, run) as sandbox:
        yield sandbox
    client.close()
