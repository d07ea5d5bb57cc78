"""The second oracle: the tests of every test file, with the gold patch as the reference and with the selected one.

The official verdict asks the tests that the row names. What else a patch breaks shows in the others. The reference is
run several times: a test that does not pass in all of these runs says nothing. Only what is resolved is compared.
"""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from harness.common.files import write_json
from harness.common.hashing import content_key
from harness.common.journal import Journal
from harness.common.once import Once
from harness.core.interfaces import Limits
from harness.core.verdict import Outcome, Verdict
from harness.core.whole_suite import SuiteState, WholeSuite
from harness.errors import InfrastructureError
from harness.grading.evaluator import Evaluator, evaluation_key
from harness.grading.judge import TEST_FILE, TOUCHED
from harness.grading.kept_log import Statuses, kept_statuses
from harness.grading.log_grading import PASSING
from harness.grading.scripts import CommandRunner
from harness.grading.suite_testbed import NoSuiteError, suite_testbed, tracked_files
from harness.grading.testbed import Testbed

VERSION = "2"  # part of every key: raise it when the same logs may be compared in another way
GRADED = (Outcome.RESOLVED, Outcome.UNRESOLVED)
NO_RESULT = "no result"


@dataclass(frozen=True)
class SuiteSettings:
    """What is run, how often, and within which limits."""

    limits: Limits
    files: tuple[str, ...] = ()  # paths or patterns of the test files; all if empty
    repeats: int = 3  # of the reference


class Reference(BaseModel):
    """What the whole suite does with the gold patch."""

    problem: str = ""  # why there is nothing to compare with, in one line
    passing: frozenset[str] = frozenset()  # in every run
    flaky: tuple[str, ...] = ()  # tests that pass in some runs only
    flags: tuple[str, ...] = ()  # of all runs
    keys: tuple[str, ...] = ()


class WholeSuites:
    """Adds the comparison to each resolved verdict, from the journal if it holds one. Safe for threads."""

    def __init__(
        self,
        evaluator: Evaluator,
        commands: CommandRunner,
        journal: Journal,
        statuses: Statuses,
        settings: SuiteSettings,
        references: Path,
    ) -> None:
        """``evaluator`` has the limits of ``settings`` and keeps its runs apart from the verdicts on the patches.

        ``references`` is the folder in which what gold patches do is kept for other runs, too.
        """
        self._evaluator = evaluator
        self._commands = commands
        self._journal = journal
        self._statuses = statuses
        self._settings = settings
        self._references = references
        self._once = Once(lambda key: _recorded(journal, key))
        self._reference_once = Once(self._known_reference)

    def compared(self, testbed: Testbed, patch: str, verdict: Verdict) -> Verdict:
        """The verdict with its comparison; the same verdict if it is not resolved.

        What the machine ended is not kept: a later run tries again.
        """
        if not verdict.resolved:
            return verdict
        key = self._key(verdict)
        known = _recorded(self._journal, key)
        if known is not None:
            return verdict.model_copy(update={"whole_suite": known})
        found = self._once.get(key, lambda: self._kept(key, testbed, patch, verdict))
        return verdict.model_copy(update={"whole_suite": found, "known": False})

    def _key(self, verdict: Verdict) -> str:
        settings = self._settings
        return content_key(
            whole_suite=VERSION,
            verdict=verdict.key,
            files=settings.files,
            repeats=settings.repeats,
            limits=settings.limits.key_facts(),
        )

    def _kept(self, key: str, testbed: Testbed, patch: str, verdict: Verdict) -> WholeSuite:
        started = time.monotonic()
        try:
            found = self._compare(testbed, patch, verdict)
        except InfrastructureError as error:
            found = WholeSuite(state=SuiteState.UNDONE, detail=str(error))
        found = found.model_copy(update={"seconds": round(time.monotonic() - started, 3)})
        if found.state is not SuiteState.UNDONE:
            self._journal.put(key, {"whole_suite": found.model_dump(mode="json"), "of": verdict.key})
        return found

    def _compare(self, testbed: Testbed, patch: str, verdict: Verdict) -> WholeSuite:
        try:
            bed, files = suite_testbed(testbed, tracked_files(self._commands, testbed), self._settings.files)
        except NoSuiteError as error:
            return WholeSuite(state=SuiteState.NOT_RUN, detail=str(error))
        reference = self._reference(bed, verdict.image_digest)
        begun = WholeSuite(
            state=SuiteState.NOT_RUN,
            detail=reference.problem,
            files=files,
            repeats=self._settings.repeats,
            passing=len(reference.passing),
            flaky=reference.flaky,
            keys=reference.keys,
        )
        return begun if reference.problem else self._against(reference, bed, patch, verdict, begun)

    def _against(
        self, reference: Reference, bed: Testbed, patch: str, verdict: Verdict, begun: WholeSuite
    ) -> WholeSuite:
        """What the patch does to the tests that pass with gold; what they fail is asked a second time."""
        asked, broken, found = set(reference.passing), dict[str, str](), begun
        for number in range(2):
            run = self._run(bed, patch, self._settings.repeats + number)  # gold itself is run anew, too
            flags = (*found.flags, *_new_flags(run.flags, (*verdict.flags, *reference.flags, *found.flags)))
            found = found.model_copy(update={"keys": (*found.keys, run.key), "flags": flags})
            if problem := _ungraded(run) or _tampering(run.flags, reference.flags):
                return found.model_copy(update={"detail": f"with the patch: {problem}"})
            broken = self._failing(bed, run, asked)
            unsteady = tuple(sorted(asked - broken.keys())) if number else ()
            asked = set(broken)
            if not broken:
                break
        return found.model_copy(update={"state": SuiteState.COMPARED, "breaks": broken, "unsteady": unsteady})

    def _failing(self, bed: Testbed, run: Verdict, asked: Collection[str]) -> dict[str, str]:
        """Those of the tests that do not pass in a run, and how they end."""
        found = kept_statuses(self._evaluator, self._statuses, bed, run)
        ended = {test: found.get(test, NO_RESULT) for test in sorted(asked)}
        return {test: status for test, status in ended.items() if status not in PASSING}

    def _reference(self, bed: Testbed, digest: str) -> Reference:
        gold = evaluation_key(bed, bed.instance.patch, digest, self._settings.limits)
        key = content_key(whole_suite=VERSION, gold=gold, repeats=self._settings.repeats)
        return self._reference_once.get(key, lambda: self._keep_reference(key, bed))

    def _keep_reference(self, key: str, bed: Testbed) -> Reference:
        runs: list[Verdict] = []
        passed: list[set[str]] = []
        problem = ""
        for repeat in range(self._settings.repeats):
            run = self._run(bed, bed.instance.patch, repeat)
            runs.append(run)
            if problem := _ungraded(run):
                problem = f"with the gold patch, run {repeat + 1} of {self._settings.repeats}: {problem}"
                break
            found = kept_statuses(self._evaluator, self._statuses, bed, run)
            passed.append({test for test, status in found.items() if status in PASSING})
        always, ever = (set.intersection(*passed), set.union(*passed)) if passed else (set[str](), set[str]())
        reference = Reference(
            problem=problem or ("" if always else "no test passes with the gold patch in every run"),
            passing=frozenset(always),
            flaky=tuple(sorted(ever - always)),
            flags=tuple(dict.fromkeys(flag for run in runs for flag in run.flags)),
            keys=tuple(run.key for run in runs),
        )
        if not reference.problem:  # another try may end otherwise
            write_json(self._references / f"{key}.json", reference.model_dump(mode="json"))
        return reference

    def _known_reference(self, key: str) -> Reference | None:
        path = self._references / f"{key}.json"
        return Reference.model_validate(json.loads(path.read_bytes())) if path.is_file() else None

    def _run(self, bed: Testbed, patch: str, repeat: int) -> Verdict:
        run = self._evaluator.evaluate(bed, patch, repeat)
        if run.outcome is Outcome.INFRASTRUCTURE:
            raise InfrastructureError(run.detail)
        log = self._evaluator.log_path(run)
        if run.outcome in GRADED and not log.is_file():
            raise InfrastructureError(f"{log} is gone; evaluate in another folder")
        return run


def _ungraded(run: Verdict) -> str:
    """Why a run says nothing of its tests; empty if it does."""
    return "" if run.outcome in GRADED else ": ".join(filter(None, (run.outcome.value, run.detail)))


def _new_flags(flags: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Flags of a kind that is not known yet."""
    kinds = {_kind(flag) for flag in known}
    return tuple(flag for flag in flags if _kind(flag) not in kinds)


def _kind(flag: str) -> str:
    return flag.partition(":")[0]


def _tampering(flags: Sequence[str], known: Sequence[str]) -> str:
    """What was done to test files, other than with the gold patch; nothing that these tests say counts then."""
    return next((flag for flag in flags if flag.startswith((TEST_FILE, TOUCHED)) and flag not in known), "")


def latest_suites(journal: Journal) -> dict[str, WholeSuite]:
    """The latest comparison of each verdict that a journal has one for, by its key, whatever the settings were."""
    return {
        record["of"]: WholeSuite.model_validate(record["whole_suite"]) for record in journal.records() if "of" in record
    }


def recalled_suite(suites: Mapping[str, WholeSuite], verdict: Verdict) -> Verdict:
    """A resolved verdict with its comparison, if it is among `latest_suites`; any other as it is."""
    found = suites.get(verdict.key) if verdict.resolved else None
    return verdict.model_copy(update={"whole_suite": found}) if found else verdict


def _recorded(journal: Journal, key: str) -> WholeSuite | None:
    record = journal.get(key)
    return None if record is None else WholeSuite.model_validate(record["whole_suite"])
