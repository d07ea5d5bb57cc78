"""The bench that a candidate is tried on: one instance's image, and scripts run in it by the evaluation engine."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from harness.grading.scripts import CommandRun, Script
from harness.grading.testbed import Testbed

RunScript = Callable[[Script, str], Awaitable[CommandRun]]  # with a patch put in first, unless that is empty


@dataclass(frozen=True)
class Bench:
    """One instance's testbed, and the engine that runs scripts in its image; what raises there is raised here."""

    testbed: Testbed
    run: RunScript
