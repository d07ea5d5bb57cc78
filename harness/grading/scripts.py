"""Running a script in an instance's image, with or without a patch put in first; the same question never twice.

What ran is kept in the journal beside the verdicts, its output in a log of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.common.hashing import content_key
from harness.common.journal import Journal, Record
from harness.common.resources import resource
from harness.core.interfaces import Command, CommandResult, Job, Limits, Sandbox
from harness.grading.journaled import Finished, JournaledRunner, Question
from harness.grading.testbed import Testbed

PATCH_PATH = "/harness/patch.diff"
APPLY_PATH = "/harness/apply.sh"
SCRIPT_PATH = "/harness/command.sh"


@dataclass(frozen=True)
class Script:
    """What to run: bash, and the files that it needs beside it."""

    text: str
    files: Mapping[str, str]  # absolute path in the container -> content


@dataclass(frozen=True)
class CommandRun:
    """What one script did."""

    applied: bool  # whether the patch was put in; the script did not run if it was not
    exit_status: int | None  # of the script, or of putting the patch in; None if a limit ended it
    output: str  # of the script; empty if it did not run
    seconds: float
    known: bool = field(default=False, compare=False)  # found in the journal, not run now
    key: str = field(default="", compare=False)  # of its record in the journal


class CommandRunner:
    """Runs scripts in fresh containers, from the journal if it holds the run. Safe for threads."""

    def __init__(self, sandbox: Sandbox, journal: Journal, logs: Path, limits: Limits) -> None:
        """``logs`` is the folder for one log per run."""
        self._sandbox = sandbox
        self._limits = limits
        self._runner = JournaledRunner(journal, logs, _recall)

    def run(self, testbed: Testbed, script: Script, patch: str = "") -> CommandRun:
        """Run ``script`` on the testbed's base state with ``patch``; equal questions under way wait for the same run.

        Raises InfrastructureError if the machine fails again and again; that is not journaled.
        """
        return self._runner.run(testbed.instance.instance_id, lambda: self._question(testbed, script, patch))

    def _question(self, testbed: Testbed, script: Script, patch: str) -> Question[CommandRun]:
        digest = self._sandbox.digest(testbed.image)
        key = command_key(script, patch, digest, self._limits)

        def work() -> Finished[CommandRun]:
            job = replace(_job(testbed.image, script, patch, self._limits), digest=digest)
            done = replace(_read(self._sandbox.run(job), bool(patch)), key=key)
            facts = {"applied": done.applied, "exit_status": done.exit_status, "seconds": done.seconds}
            return Finished(done, {"instance_id": testbed.instance.instance_id, "command": facts}, done.output.encode())

        return Question(key, work)


def _recall(record: Record, log: Path) -> CommandRun | None:
    if not log.is_file():
        return None
    return CommandRun(output=log.read_bytes().decode("utf-8", "replace"), known=True, key=log.stem, **record["command"])


def command_key(script: Script, patch: str, digest: str, limits: Limits) -> str:
    """Hash of everything that determines what a script does."""
    return content_key(
        kind="command",
        digest=digest,
        script=script.text,
        files=dict(script.files),
        patch=patch,
        limits=limits.key_facts(),
        apply=(resource("docker") / "apply.sh").read_text(encoding="utf-8"),
    )


def _job(image: str, script: Script, patch: str, limits: Limits) -> Job:
    files = {SCRIPT_PATH: script.text.encode("utf-8", "surrogateescape")}
    files |= {path: content.encode("utf-8", "surrogateescape") for path, content in script.files.items()}
    commands: tuple[Command, ...] = (Command(("/bin/bash", SCRIPT_PATH)),)
    if patch:
        files[PATCH_PATH] = patch.encode("utf-8", "surrogateescape")
        files[APPLY_PATH] = (resource("docker") / "apply.sh").read_bytes()
        commands = (Command(("/bin/bash", APPLY_PATH, PATCH_PATH)), *commands)
    return Job(image=image, files=files, commands=commands, limits=limits)


def _read(results: tuple[CommandResult, ...], patched: bool) -> CommandRun:
    if patched and len(results) == 1:
        return CommandRun(False, results[0].exit_status, "", round(results[0].seconds, 3))
    ran = results[-1]
    return CommandRun(True, ran.exit_status, ran.output.decode("utf-8", "replace"), round(ran.seconds, 3))
