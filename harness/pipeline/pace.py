"""In which order a run's instances are begun, and how far it goes."""

from collections.abc import Sequence
from typing import Protocol

from harness.core.instance import Instance
from harness.report.write import Result


class Pace(Protocol):
    """What a run asks before it begins an instance, and shows each result to."""

    def order(self, instances: Sequence[Instance]) -> Sequence[Instance]:
        """The instances in the order in which they are begun."""

    async def may_begin(self, number: int) -> bool:
        """Wait until the instance with this number in the order may begin; False if the run needs no more."""

    def ended(self, result: Result) -> None:
        """Take notice of a result."""


class Everything:
    """All instances, in the run's order, without waiting."""

    def order(self, instances: Sequence[Instance]) -> Sequence[Instance]:
        """The instances as they come."""
        return instances

    async def may_begin(self, number: int) -> bool:
        """Every one that there is."""
        return number >= 0

    def ended(self, result: Result) -> None:
        """Nothing depends on it."""
