"""The images that a run's settings name: an engine's, or unpacked ones."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from harness.common.docker_client import connect
from harness.config.schema import EvaluationConfig
from harness.core.interfaces import SandboxKind
from harness.errors import EngineUnreachable
from harness.images.provider import ImageProvider, open_engine_images
from harness.images.unpacked_images import UnpackedImages
from harness.sandbox.apptainer_machine import image_folders
from harness.sandbox.image_folders import PROGRAM


@contextmanager
def open_images(evaluation: EvaluationConfig) -> Iterator[ImageProvider | UnpackedImages]:
    """One provider for all stages of a run.

    Raises EngineUnreachable if the engine does not answer, InputError for settings that the images do not allow.
    """
    if without_engine(evaluation.sandbox):
        yield UnpackedImages(image_folders(), evaluation)
        return
    with open_engine_images(evaluation) as images:
        yield images


def without_engine(sandbox: SandboxKind | Literal["auto"]) -> bool:
    """Whether Apptainer runs the containers: if it is asked for, or alone can run any here."""
    if sandbox != "auto" or shutil.which(PROGRAM) is None:
        return sandbox == "apptainer"
    try:
        connect(sandbox="auto").close()
    except EngineUnreachable:
        return True
    return False
