"""From what an evaluation's commands did to its verdict, and to what a reader should look at before believing it."""

from collections.abc import Callable, Mapping, Sequence

from harness.core.instance import Instance
from harness.core.interfaces import CommandResult
from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.job import PATCH_REFUSED, ROOT, FileIds, file_ids, marked
from harness.grading.log_flags import run_flags
from harness.grading.log_grading import LogGrade, grade, log_text
from harness.grading.specification import Specification
from harness.grading.testbed import Testbed

# How flags begin.
TEST_FILE = "test file: "
TOUCHED = "test file put back: "
ENDED = "ended its container: "

Weighed = tuple[LogGrade, list[str]]  # what a log says, and the flags that it earns by itself
Weigh = Callable[[Instance, Specification, str, int | None, Sequence[str]], Weighed]  # as `weigh`


def judge(
    testbed: Testbed,
    results: Sequence[CommandResult],
    nonce: str,
    flags: Sequence[str],
    weigh: Weigh,
) -> Verdict:
    """The verdict on what preparing and testing did.

    ``flags`` are those that the patch itself earned. ``weigh`` reads the log: the function `weigh`, or one that does
    the same within limits (`harness.grading.log_workers`).
    """
    instance = testbed.instance
    if len(results) == 1:
        return _unprepared(instance, results[0], flags)
    tests = results[1]
    if tests.ended_container:
        return _ended(instance, tests, Phase.TESTS, flags)
    if tests.timed_out or tests.out_of_memory:
        return _stopped(instance, tests, Phase.TESTS, flags)
    log = log_text(marked(tests.output, nonce))
    files = file_ids(results[0])
    changed = changed_files(testbed.watched, files, tests.contents)
    found, evidence = weigh(instance, testbed.specification, log, tests.exit_status, changed)
    return Verdict(
        instance_id=instance.instance_id,
        phase=Phase.GRADE,
        test_seconds=round(tests.seconds, 3),
        exit_status=tests.exit_status,
        nonce=nonce,
        flags=(
            *flags,
            *(f"{TEST_FILE}{change}" for change in changed),
            *(f"{TOUCHED}{path}" for path in put_back(tests, changed)),
            *(("test files: their content could not be checked",) if files.expected is None else ()),
            *(("left a process behind: it held on to the tests' output",) if tests.lingering else ()),
            *evidence,
        ),
        **vars(found),
    )


def weigh(
    instance: Instance, specification: Specification, log: str, exit_status: int | None, changed: Sequence[str]
) -> Weighed:
    """What a marked log says if these test files had changed, and the flags that it earns by itself."""
    found = grade(instance, specification, log, exit_status)
    if found.outcome is Outcome.RESOLVED and changed:
        found = LogGrade(Outcome.NO_RESULTS, f"test files are not the data set's: {'; '.join(changed)}")
    return found, run_flags(instance, specification, log, exit_status, found)


def _unprepared(instance: Instance, preparing: CommandResult, flags: Sequence[str]) -> Verdict:
    if preparing.ended_container:
        return _ended(instance, preparing, Phase.SETUP, flags)
    if preparing.timed_out or preparing.out_of_memory:
        return _stopped(instance, preparing, Phase.SETUP, flags)
    refused = preparing.exit_status == PATCH_REFUSED
    return Verdict(
        instance_id=instance.instance_id,
        outcome=Outcome.PATCH_FAILED if refused else Outcome.NO_RESULTS,
        phase=Phase.PATCH if refused else Phase.SETUP,
        detail=_last_line(preparing.output) or "the set-up before the tests failed without a word",
        exit_status=preparing.exit_status,
        flags=tuple(flags),
    )


def _ended(instance: Instance, result: CommandResult, phase: Phase, flags: Sequence[str]) -> Verdict:
    return Verdict(
        instance_id=instance.instance_id,
        outcome=Outcome.NO_RESULTS,
        phase=phase,
        detail="the container was ended from inside",
        test_seconds=round(result.seconds, 3) if phase is Phase.TESTS else 0.0,
        flags=(*flags, f"{ENDED}neither the engine nor the kernel did"),
    )


def _stopped(instance: Instance, result: CommandResult, phase: Phase, flags: Sequence[str]) -> Verdict:
    return Verdict(
        instance_id=instance.instance_id,
        outcome=Outcome.TIMEOUT if result.timed_out else Outcome.OUT_OF_MEMORY,
        phase=phase,
        detail=f"stopped after {result.seconds:.0f} s" if result.timed_out else "a process was killed for memory",
        test_seconds=round(result.seconds, 3) if phase is Phase.TESTS else 0.0,
        exit_status=result.exit_status,
        flags=tuple(flags),
    )


def changed_files(watched: Sequence[str], files: FileIds, after: Mapping[str, str]) -> list[str]:
    """Test files that were not as the data set has them when the tests began, or when they had ended."""
    expected = files.present if files.expected is None else files.expected
    before = [path for path in watched if files.present.get(path) != expected.get(path)]
    ended = [path for path in watched if after.get(f"{ROOT}/{path}") != expected.get(path)]
    return [f"{path} was not restored" for path in before] + [
        f"{path} changed while the tests ran" for path in ended if path not in before
    ]


def put_back(tests: CommandResult, changed: Sequence[str]) -> list[str]:
    """Test files that were written to while the tests ran and hold in the end what they held."""
    paths = [path.removeprefix(f"{ROOT}/") for path in tests.touched]
    return [path for path in paths if not any(change.startswith(f"{path} ") for change in changed)]


def infrastructure(instance: Instance, reason: str, command: int | None) -> Verdict:
    """The verdict if the machine failed: says nothing of the patch."""
    phase = Phase.PREPARE if command is None else (Phase.SETUP, Phase.TESTS)[command]
    return Verdict(instance_id=instance.instance_id, outcome=Outcome.INFRASTRUCTURE, phase=phase, detail=reason)


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else ""
