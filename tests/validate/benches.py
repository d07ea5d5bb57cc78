"""A bench whose containers answer from a function, for tests that need no Docker."""

from collections.abc import Callable

from harness.core.instance import Instance
from harness.errors import InfrastructureError
from harness.grading.scripts import CommandRun, Script
from harness.grading.specification import END_MARKER, START_MARKER, Specification, render_script
from harness.grading.testbed import Testbed
from harness.validate.runner import Bench

COMMAND = "python -m pytest -rA tests/test_a.py"


def printed(*lines: str, status: int = 0) -> CommandRun:
    """A run whose script printed these lines between its markers."""
    return CommandRun(True, status, "\n".join(["+ set-up", START_MARKER, *lines, END_MARKER, ""]), 0.1)


NOT_APPLIED = CommandRun(False, 1, "", 0.1)


class ScriptedBench:
    """Answers every script by ``answer(script, patch)``; None stands for a machine that fails. Keeps what it ran."""

    def __init__(self, instance: Instance, answer: Callable[[Script, str], CommandRun | None]) -> None:
        self.runs: list[tuple[Script, str]] = []
        self._answer = answer
        specification = Specification(render_script(instance, COMMAND), "parse_log_pytest", "pass_and_fail")
        self.bench = Bench(Testbed(instance, specification, "image"), self._run)

    async def _run(self, script: Script, patch: str) -> CommandRun:
        self.runs.append((script, patch))
        run = self._answer(script, patch)
        if run is None:
            raise InfrastructureError("daemon gone")
        return run
