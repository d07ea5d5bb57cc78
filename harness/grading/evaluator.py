"""Evaluating a patch: a fresh container, the patch, the tests, the verdict; the same question never twice."""

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.common.hashing import content_key
from harness.common.journal import Journal, Record
from harness.common.paths import cache_folder
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult, Limits, Sandbox
from harness.core.verdict import Outcome, Phase, Verdict
from harness.errors import InfrastructureError, SandboxError
from harness.grading.applied import Applied, take_changes
from harness.grading.image_facts import ImageFacts
from harness.grading.job import evaluation_job, new_nonce, protocol, split_script, write_log
from harness.grading.journaled import Finished, JournaledRunner, Question
from harness.grading.judge import Weigh, infrastructure, judge, weigh
from harness.grading.log_grading import grader_version
from harness.grading.patch_checks import change_flags, link_out, may_be_configuration, named_files, refusal
from harness.grading.shadows import newcomers, shadow_flags
from harness.grading.testbed import Testbed
from harness.grading.unapplied import unapplied

SET_BY_SCRIPT = {"time_zone": "TZ", "hash_seed": "PYTHONHASHSEED"}  # circumstance -> environment variable


class Evaluator:
    """Gives verdicts on patches, from the journal if it holds one. Safe for threads.

    Verdicts of outcome INFRASTRUCTURE are not journaled: a later run asks again.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        journal: Journal,
        logs: Path,
        limits: Limits,
        weigh: Weigh = weigh,
    ) -> None:
        """``logs`` is the folder for one log per evaluation; ``weigh`` reads the tests' logs."""
        self._weigh = weigh
        self._sandbox = sandbox
        self._limits = limits
        self._facts = ImageFacts(sandbox, limits, cache_folder() / "names")
        self._runner = JournaledRunner(journal, logs, _recall)

    def log_path(self, verdict: Verdict) -> Path:
        """Where the log of a verdict lies (there is none for an empty patch)."""
        return self._runner.log_path(verdict.key)

    def checksum(self, key: str) -> int | None:
        """What tells a record of the journal from any other that had or will have its key; None if there is none."""
        return self._runner.checksum(key)

    def circumstances(self, testbed: Testbed, digest: str) -> str:
        """Hash of everything beside the patch that determines a verdict in the image of that digest."""
        return content_key(tests=evaluation_key(testbed, None, digest, self._limits), restored=testbed.restored)

    def evaluate(self, testbed: Testbed, patch: str | None, repeat: int = 0, patient: bool = False) -> Verdict:
        """The verdict on a patch; equal questions asked meanwhile by other threads wait for the same one.

        Another ``repeat`` of the same patch is a question of its own, and so is one with more time (``patient``).
        """
        return untested(testbed.instance, patch or "") or self._evaluate(testbed, patch, repeat, patient)

    def evaluate_base(self, testbed: Testbed, repeat: int = 0) -> Verdict:
        """The verdict on the base state itself: the tests without any patch."""
        return self._evaluate(testbed, None, repeat)

    def _evaluate(self, testbed: Testbed, patch: str | None, repeat: int, patient: bool = False) -> Verdict:
        instance = testbed.instance
        try:
            found = self._runner.run(instance.instance_id, lambda: self._question(testbed, patch, repeat, patient))
        except InfrastructureError as error:
            command = error.command if isinstance(error, SandboxError) else None
            return infrastructure(instance, str(error), command)
        if found.instance_id == instance.instance_id:
            return found
        # two instances may share image, tests and patch, and so one record; each has the verdict under its own id
        return found.model_copy(update={"instance_id": instance.instance_id})

    def _question(self, testbed: Testbed, patch: str | None, repeat: int, patient: bool) -> Question[Verdict]:
        digest = self._sandbox.digest(testbed.image)
        key = evaluation_key(testbed, patch, digest, self._limits, repeat, patient)
        seen = {"key": key, "image": testbed.image, "image_digest": digest}

        def work() -> Finished[Verdict]:
            found, log = self._test(testbed, digest, patch, patient)
            verdict = found.model_copy(update=seen)
            record = {"verdict": verdict.model_dump(mode="json"), "patch": patch_key(patch, repeat)}
            return Finished(verdict, record, log)

        return Question(key, work)

    def _test(self, testbed: Testbed, digest: str, patch: str | None, patient: bool) -> tuple[Verdict, bytes]:
        """The verdict of one container, and its log."""
        started = time.monotonic()
        job = evaluation_job(testbed, digest, patch, self._limits)
        results = self._sandbox.run(replace(job, patient=patient))
        said, applied = take_changes(results[0])
        results = (replace(results[0], output=said), *results[1:])
        nonce = new_nonce()
        flags = self._flags(testbed, digest, applied) if patch is not None and len(results) > 1 else ()
        verdict = self._judged(testbed, patch, applied, results, nonce, flags)
        log = write_log(results, nonce)
        seen = {
            "seconds": round(time.monotonic() - started, 3),
            "circumstances": dict(results[0].circumstances) | set_by(testbed.specification.script),
        }
        return verdict.model_copy(update=seen), log

    def _judged(
        self,
        testbed: Testbed,
        patch: str | None,
        applied: Applied | None,
        results: Sequence[CommandResult],
        nonce: str,
        flags: Sequence[str],
    ) -> Verdict:
        reason = refused_as_applied(patch, applied) if patch is not None and applied else ""
        if reason:
            return refused(testbed.instance, reason)
        return judge(testbed, results, nonce, flags, self._weigh)

    def _flags(self, testbed: Testbed, digest: str, applied: Applied | None) -> tuple[str, ...]:
        """What in the changes could bend the results; the image is asked only where the changes need it."""
        restored = testbed.watched
        if applied is None:
            return change_flags(applied, restored)
        asked = newcomers(applied, restored)
        known = self._facts.answered(testbed.image, digest, asked.keys()) if asked else frozenset[str]()
        command, read = split_script(testbed.specification.script)[1], frozenset[str]()
        if may_be_configuration(applied, restored):
            read = self._facts.configuration(testbed.image, digest, command)
        flags = change_flags(applied, restored, read, named_files(command))
        return (*flags, *shadow_flags(applied, restored, known))


def _recall(record: Record, _: Path) -> Verdict:
    return Verdict.model_validate(record["verdict"] | {"known": True})


def set_by(script: str) -> dict[str, str]:
    """Circumstances that an evaluation script sets by itself, over those of its image."""
    found = {name: re.findall(rf"\b{variable}=([\w/+-]+)", script) for name, variable in SET_BY_SCRIPT.items()}
    return {name: values[-1] for name, values in found.items() if values}


def untested(instance: Instance, patch: str) -> Verdict | None:
    """The verdict on a patch that needs no container: an empty one, or one that is refused unseen."""
    if not patch.strip():
        return Verdict(instance_id=instance.instance_id, outcome=Outcome.EMPTY_PATCH, phase=Phase.PATCH, known=True)
    reason = refusal(patch)
    return refused(instance, reason).model_copy(update={"known": True}) if reason else None


def refused(instance: Instance, reason: str) -> Verdict:
    """The verdict on a patch that is not taken, whatever its tests would say."""
    return Verdict(instance_id=instance.instance_id, outcome=Outcome.PATCH_FAILED, phase=Phase.PATCH, detail=reason)


def refused_as_applied(patch: str, applied: Applied) -> str:
    """Why a patch that went in is not taken, from what it did; empty if nothing speaks against it."""
    link = link_out(applied)
    if link:
        return f"the patch makes a symbolic link out of the repository: {link[:200]}"
    path = unapplied(patch, applied.touched)
    return f"the patch holds text that looks like a diff and that nothing applied: {path[:200]}" if path else ""


def patch_key(patch: str | None, repeat: int = 0) -> str:
    """What a journal's record knows its patch by, whatever else determined the verdict."""
    return content_key(patch=patch, repeat=repeat)


def evaluation_key(
    testbed: Testbed, patch: str | None, digest: str, limits: Limits, repeat: int = 0, patient: bool = False
) -> str:
    """Hash of everything that determines a verdict, and the number of the repeat."""
    instance, specification = testbed.instance, testbed.specification
    return content_key(
        digest=digest,
        script=specification.script,
        log_parser=specification.log_parser,
        eval_type=specification.eval_type,
        fail_to_pass=instance.fail_to_pass,
        pass_to_pass=instance.pass_to_pass,
        patch=patch,
        limits=limits.key_facts(),
        protocol=protocol(),
        grader=grader_version(),
        **({"repeat": repeat} if repeat else {}),
        **({"patient": True} if patient else {}),
    )
