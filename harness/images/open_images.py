"""The images that a run's settings name: an engine's, or unpacked ones."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from harness.common.docker_client import connect
from harness.config.schema import EvaluationConfig
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
    if evaluation.sandbox == "apptainer" or (evaluation.sandbox == "auto" and _apptainer_alone()):
        yield UnpackedImages(image_folders(), evaluation)
        return
    with open_engine_images(evaluation) as images:
        yield images


def _apptainer_alone() -> bool:
    """Whether Apptainer is the only one here that can run containers."""
    if shutil.which(PROGRAM) is None:
        return False
    try:
        connect(sandbox="auto").close()
    except EngineUnreachable:
        return True
    return False
