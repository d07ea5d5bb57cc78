"""What every evaluation and script of one instance needs to know of it, found once for a run."""

from dataclasses import dataclass

from harness.core.instance import Instance
from harness.grading.specification import Specification, files_of


@dataclass(frozen=True)
class Testbed:
    """One instance, and how and in which image it is tested."""

    __test__ = False  # no class of tests, whatever pytest makes of its name

    instance: Instance
    specification: Specification
    image: str  # name of its local image, or of the one that comes when it is wanted
    restored: tuple[str, ...] = ()  # files beside the row's own test files that have to hold what git says

    @property
    def watched(self) -> tuple[str, ...]:
        """Paths, from the repository's root, of all files that no patch may change."""
        return tuple(sorted({*watched_files(self.instance), *self.restored}))


def watched_files(instance: Instance) -> tuple[str, ...]:
    """Paths of the row's test files, from the repository's root."""
    found, added = files_of(instance.test_patch)
    return tuple(sorted({*found, *added}))
