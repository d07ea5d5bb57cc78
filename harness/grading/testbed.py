"""What every evaluation and script of one instance needs to know of it, found once for a run."""

from dataclasses import dataclass

from harness.core.instance import Instance
from harness.grading.specification import Specification


@dataclass(frozen=True)
class Testbed:
    """One instance, and how and in which image it is tested."""

    __test__ = False  # no class of tests, whatever pytest makes of its name

    instance: Instance
    specification: Specification
    image: str  # name of its local image, or of the one that comes when it is wanted
