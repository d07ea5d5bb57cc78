"""The bench that a candidate is tried on: one instance's image, and scripts run in it by the evaluation engine."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from harness.core.instance import Instance
from harness.grading.scripts import CommandRun, Script
from harness.grading.test_spec import Specification

Submit = Callable[[Instance, Script, str], "Future[CommandRun]"]


@dataclass(frozen=True)
class Bench:
    """One instance, and the engine's queue of scripts."""

    instance: Instance
    specification: Specification
    submit: Submit

    async def run(self, script: Script, patch: str = "") -> CommandRun:
        """What the script did on the base state with the patch. Raises InfrastructureError as the engine does."""
        return await asyncio.wrap_future(self.submit(self.instance, script, patch))
