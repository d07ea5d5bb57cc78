"""Unpacked images of instances, which no engine has: they are found and read, never brought and never removed."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from harness.config.schema import EvaluationConfig
from harness.core.image_name import ImageName
from harness.core.instance import Instance
from harness.errors import InfrastructureError, InputError
from harness.images.git_copy import UnpackedImage
from harness.images.names import local_names
from harness.images.supply import LocalImage
from harness.sandbox.apptainer import ApptainerSandbox
from harness.sandbox.apptainer_machine import enforced_by_apptainer
from harness.sandbox.image_folders import ImageFolders
from harness.sandbox.job_folders import JobFolders
from harness.sandbox.same_platform import require_own_platform


def check_unpacked(evaluation: EvaluationConfig) -> None:
    """Raises InputError, naming their keys, for settings that need an engine."""
    asked = {
        "pull": evaluation.pull,
        "build": evaluation.build,
        "image_budget": evaluation.image_budget,
        "images.folder": evaluation.images.folder,
    }
    if given := [f"evaluation.{key}" for key, value in asked.items() if value]:
        raise InputError(
            f"{', '.join(given)}: sandbox apptainer neither pulls, loads, builds nor removes images; leave "
            f"{'it' if len(given) == 1 else 'them'} out, and unpack the images before (`harness images convert`)"
        )


class UnpackedImages:
    """Images in folders of this machine. Safe for threads."""

    on_demand = False

    def __init__(self, folders: ImageFolders, evaluation: EvaluationConfig) -> None:
        """Raises InputError as `check_unpacked` does."""
        check_unpacked(evaluation)
        self._folders = folders
        self._pins = evaluation.images.pins

    def find(self, instance: Instance) -> LocalImage | None:
        """The instance's image, None if there is none, or none that fits its pin."""
        pin = self._pins.get(instance.instance_id)
        for name in local_names(instance):
            image = self._folders.find(str(name))
            if image and pin in (None, image.id):
                require_own_platform(image.platform, f"{instance.instance_id}: its image {name}")
                return LocalImage(name, image.id)
        return None

    def wanted(self, instance: Instance) -> ImageName:
        """Raises InputError: none comes."""
        raise self._missing(instance)

    def _missing(self, instance: Instance) -> InputError:
        pin = self._pins.get(instance.instance_id)
        looked = f"{', '.join(map(str, local_names(instance)))}{f' as {pin}' if pin else ''}"
        return InputError(
            f"{instance.instance_id}: no unpacked image in {self._folders.folder} ({looked}); unpack it with "
            "`harness images convert`"
        )

    def obtain(self, instance: Instance) -> LocalImage:
        """The instance's image. Raises InputError if there is none."""
        found = self.find(instance)
        if found is None:
            raise self._missing(instance)
        return found

    @contextmanager
    def hold(self, instance: Instance) -> Iterator[LocalImage]:
        """The same: all stay."""
        yield self.obtain(instance)

    def finish(self, instance: Instance) -> None:
        """Nothing is removed."""

    def settle(self) -> None:
        """Nothing is removed."""

    def close(self) -> None:
        """Nothing is under way."""

    def repository(self, image: LocalImage) -> UnpackedImage:
        """An image that is there, to read its repository from."""
        found = self._folders.find(image.digest)
        if found is None:
            raise InfrastructureError(f"image {image.name} is gone from {self._folders.folder}")
        return UnpackedImage(found.root, str(image.name), image.digest)

    def size(self, images: Collection[LocalImage]) -> None:
        """Not known: it would take counting every file."""

    def sandbox(self, run: str, turns: int) -> ApptainerSandbox:
        """Containers of Apptainer."""
        return ApptainerSandbox(self._folders, run, turns)

    def not_enforced(self) -> tuple[str, ...]:
        """Names of the limits that do not hold in these."""
        return enforced_by_apptainer().missing_of_note

    def left_over(self, run: str) -> JobFolders:
        """The folders of the run's jobs."""
        return JobFolders(run)
