"""The counter-evaluation: what is resolved must fail if a test expects something else.

The ordinary evaluation once more, in a fresh container, with the row's own test patch in which an expectation of one
or two FAIL_TO_PASS tests was changed. A patch that bends the runner or the log passes there, too. Nothing in the
container says which of the two runs it is: names, paths, owners and times are the same.

The FAIL_TO_PASS tests that nobody changed must hold still: what bends only some runs, or knows that this one is not the
first, can't tell these from the changed ones.

A change may only speak against a patch if its test fails with the gold patch. That is asked when a test did not fail
that should have, or failed that should not: an honest patch costs the price of its tests, and no more.

A flag is no reason to leave it out: what a patch is flagged for may be its task, as in the repository of a test runner.

A run that meets a limit says nothing of its tests: it has a second try with more time. To excuse it would excuse a
patch that knows a changed test file and sleeps; to count it as not failed would accuse a slow one.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from harness.common.hashing import content_key
from harness.common.journal import Journal
from harness.common.once import Once
from harness.control.change import Change, changed
from harness.control.draw import draw, find_changes
from harness.control.test_patch import TestFile, added_lines, changed_test_patch
from harness.core.control import Control, ControlState, DrawnChange
from harness.core.instance import Instance
from harness.core.interfaces import PATIENCE
from harness.core.verdict import Outcome, Verdict
from harness.errors import InfrastructureError, PatchError
from harness.grading.evaluator import Evaluator
from harness.grading.kept_log import Statuses, kept_statuses
from harness.grading.log_grading import PASSING
from harness.grading.scripts import CommandRunner
from harness.grading.test_files import read_test_files
from harness.grading.testbed import Testbed

# How flags begin.
CONTROL_FAILED = "control-failed: "
CONTROL_STOPPED = "control-stopped: "
FLAGS = {ControlState.FAILED: CONTROL_FAILED, ControlState.STOPPED: CONTROL_STOPPED}
LIMITED = (Outcome.TIMEOUT, Outcome.OUT_OF_MEMORY)
FAILING = ("FAILED", "ERROR")
DRAWS = 3  # until a change is found that the gold patch confirms
VERSION = "3"  # part of every key: raise it when other changes are drawn, or they are judged in another way


@dataclass
class _Trial:
    """What was tried for one patch by now."""

    seed: str
    changes: list[DrawnChange] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    spent: list[Change] = field(default_factory=list)  # changes that do not fail with the gold patch

    def ended(self, state: ControlState, detail: str = "") -> Control:
        keys = tuple(dict.fromkeys(self.keys))
        return Control(state=state, detail=detail, seed=self.seed, changes=tuple(self.changes), keys=keys)


@dataclass(frozen=True)
class _Run:
    """What one patch did to the changed tests."""

    failed: Mapping[Change, bool]
    lost: tuple[str, ...] = ()  # FAIL_TO_PASS tests that nobody changed, and that do not hold
    stopped: str = ""  # the limit that it met, in two tries; then no test counts as failed


class CounterEvaluation:
    """Adds to each verdict its control, from the journal if it holds one. Safe for threads."""

    def __init__(
        self,
        evaluator: Evaluator,
        commands: CommandRunner,
        journal: Journal,
        statuses: Statuses,
        new_seed: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        """``new_seed`` seeds the draws.

        ``evaluator`` and ``commands`` keep what they do apart from the verdicts on the patches.
        """
        self._evaluator = evaluator
        self._commands = commands
        self._journal = journal
        self._statuses = statuses
        self._new_seed = new_seed
        self._once = Once(lambda key: _recorded(journal, key))

    def checked(self, testbed: Testbed, patch: str, verdict: Verdict) -> Verdict:
        """The verdict with its control; the same verdict if it needs none. Equal verdicts wait for the same control.

        A control that the machine ended is not kept: a later run tries again.
        """
        if not verdict.resolved:
            return verdict
        known = recalled(self._journal, verdict)
        if known.control is not None:
            return known
        key = control_key(verdict)
        control = self._once.get(key, lambda: self._kept(key, testbed, patch))
        return with_control(verdict.model_copy(update={"known": False}), control)

    def _kept(self, key: str, testbed: Testbed, patch: str) -> Control:
        started = time.monotonic()
        try:
            control = self._control(testbed, patch)
        except InfrastructureError as error:
            control = Control(state=ControlState.UNDONE, detail=str(error))
        control = control.model_copy(update={"seconds": round(time.monotonic() - started, 3)})
        if control.state is not ControlState.UNDONE:
            self._journal.put(key, {"control": control.model_dump(mode="json")})
        return control

    def _control(self, testbed: Testbed, patch: str) -> Control:
        trial = _Trial(self._new_seed())
        rng = Random(trial.seed)
        instance = testbed.instance
        try:
            added = added_lines(instance.test_patch)
        except PatchError as error:
            return trial.ended(ControlState.NONE_DRAWN, f"the row's test patch is {error}")
        files = read_test_files(self._commands, testbed)
        texts = {path: file.after for path, file in files.items()}
        pool = find_changes(texts, {p: n for p, n in added.items() if p in texts}, instance.fail_to_pass, rng)
        for _ in range(DRAWS):
            drawn = draw(pool, texts, rng, trial.spent)
            bed = changed_testbed(testbed, files, drawn) if drawn else None
            if bed is None:
                break
            control = self._try(bed, testbed, patch, drawn, texts, trial)
            if control is not None:
                return control
        return trial.ended(ControlState.NONE_DRAWN, "no expectation of its FAIL_TO_PASS tests can be changed")

    def _try(
        self,
        bed: Testbed,
        testbed: Testbed,
        patch: str,
        drawn: Sequence[Change],
        texts: Mapping[str, bytes],
        trial: _Trial,
    ) -> Control | None:
        """The control that these changes decide; None if the gold patch confirms none of them."""
        run = self._run(bed, patch, drawn, trial)
        silent = [change for change in drawn if not run.failed[change]]
        by_gold = self._run(bed, testbed.instance.patch, drawn, trial) if silent or run.lost else _Run({})
        gold = {change: by_gold.failed[change] for change in silent}
        trial.changes += [_drawn(change, texts[change.path], run.failed[change], gold.get(change)) for change in drawn]
        bent = [change for change in silent if gold[change]]
        trial.spent += [change for change in silent if not gold[change]]
        if bent:
            tests = ", ".join(change.test for change in bent)
            if run.stopped:
                return trial.ended(ControlState.STOPPED, f"{tests}: {run.stopped}, and not with the gold patch")
            return trial.ended(ControlState.FAILED, tests)
        lost = [] if by_gold.stopped else [test for test in run.lost if test not in by_gold.lost]
        failing = [change for change in drawn if run.failed[change] and by_gold.failed.get(change)]
        if lost and (lost := lost_again(self._run(bed, patch, drawn, trial, repeat=1), lost, failing)):
            return trial.ended(ControlState.FAILED, f"{', '.join(lost)} failed unchanged, beside a changed test")
        return trial.ended(ControlState.PASSED) if len(silent) < len(drawn) else None

    def _run(self, bed: Testbed, patch: str, drawn: Sequence[Change], trial: _Trial, repeat: int = 0) -> _Run:
        """Whether the tests of each change failed with a patch, and whether the others held."""
        met: list[str] = []
        for patient in (False, True):
            verdict = self._evaluator.evaluate(bed, patch, repeat, patient)
            if verdict.outcome is Outcome.INFRASTRUCTURE:
                raise InfrastructureError(verdict.detail)
            trial.keys.append(verdict.key)
            if verdict.outcome not in LIMITED:
                statuses = kept_statuses(self._evaluator, self._statuses, bed, verdict)
                failed = {change: has_failed(change, bed.instance, statuses) for change in drawn}
                return _Run(failed, lost_tests(drawn, verdict))
            met.append(verdict.outcome.value)
        return _Run(dict.fromkeys(drawn, False), stopped=f"{met[0]}, then {met[1]} with {PATIENCE:g} times the time")


def has_failed(change: Change, instance: Instance, statuses: Mapping[str, str]) -> bool:
    """Whether a log says that a changed test failed. That it says nothing is no failure."""
    function = change.function
    own = [i for i in instance.fail_to_pass if function is None or function.runs_as(i)]
    found = [statuses[i] for i in own if i in statuses]
    if any(status in FAILING for status in found):
        return True
    if function is None or (any(status in PASSING for status in found) and not change.renames):
        return False
    known = {*instance.fail_to_pass, *instance.pass_to_pass}
    return any(
        status in FAILING and function.runs_as(test_id) for test_id, status in statuses.items() if test_id not in known
    )


def lost_tests(drawn: Sequence[Change], verdict: Verdict) -> tuple[str, ...]:
    """FAIL_TO_PASS tests that failed although none of these changes is theirs; none if a change may be of any test."""
    functions = [change.function for change in drawn]
    return tuple(
        test
        for test in verdict.fail_to_pass_failure
        if all(function is not None and not function.runs_as(test) for function in functions)
    )


def lost_again(again: _Run, lost: Sequence[str], failing: Sequence[Change]) -> list[str]:
    """Lost tests that another run does not excuse: it does if they hold, and every changed test fails as before."""
    if again.stopped or not all(again.failed[change] for change in failing):
        return list(lost)
    return [test for test in lost if test in again.lost]


def changed_testbed(testbed: Testbed, files: Mapping[str, TestFile], drawn: Sequence[Change]) -> Testbed | None:
    """The testbed with these changes in its test patch; None if its script does not hold that patch as it is."""
    texts = {
        path: changed(files[path].after, [change for change in drawn if change.path == path])
        for path in dict.fromkeys(change.path for change in drawn)
    }
    instance, script = testbed.instance, testbed.specification.script
    test_patch = changed_test_patch(instance.test_patch, files, texts)
    here = instance.test_patch.rstrip("\n")
    if test_patch is None or script.count(here) != 1:
        return None
    return replace(
        testbed,
        instance=instance.model_copy(update={"test_patch": test_patch}),
        specification=replace(testbed.specification, script=script.replace(here, test_patch.rstrip("\n"))),
    )


def _drawn(change: Change, text: bytes, failed: bool, gold_failed: bool | None) -> DrawnChange:
    number = text.count(b"\n", 0, change.start)
    before, after = (lines.split(b"\n")[number].decode("utf-8", "replace") for lines in (text, changed(text, [change])))
    return DrawnChange(
        test=change.test,
        kind=change.kind,
        line=number + 1,
        before=before.strip(),
        after=after.strip(),
        failed=failed,
        gold_failed=gold_failed,
    )


def control_key(verdict: Verdict) -> str:
    """Hash of everything that a control is of."""
    return content_key(control=VERSION, verdict=verdict.key)


def recalled(journal: Journal, verdict: Verdict) -> Verdict:
    """The verdict with its control if a journal holds one, for what is resolved."""
    control = _recorded(journal, control_key(verdict)) if verdict.resolved else None
    return verdict if control is None else with_control(verdict, control)


def _recorded(journal: Journal, key: str) -> Control | None:
    record = journal.get(key)
    return None if record is None else Control.model_validate(record["control"])


def with_control(verdict: Verdict, control: Control) -> Verdict:
    """The verdict with its control, and with the flag if that failed or was stopped."""
    flags = (f"{FLAGS[control.state]}{control.detail}",) if control.state in FLAGS else ()
    return verdict.model_copy(update={"control": control, "flags": (*verdict.flags, *flags)})
