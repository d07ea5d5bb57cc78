from pathlib import Path

import pytest

from harness.common.journal import Journal
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult
from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.evaluator import patch_key
from harness.grading.job import write_log
from harness.grading.judge import TEST_FILE, weigh
from harness.grading.log_flags import CONTRADICTION, NO_CLOSING
from harness.grading.patch_checks import MAX_PATCH_BYTES
from harness.grading.regrade import regraded, stored_verdicts
from harness.grading.specification import Specification

SPECIFICATION = Specification("", "parse_log_pytest", "pass_and_fail")
NEW, OLD = "tests/test_a.py::test_new", "tests/test_a.py::test_old"
PASSING = f"PASSED {NEW}\nPASSED {OLD}\n==== 2 passed in 0.1s ====\n"
NONCE = "0123456789abcdef"


@pytest.fixture
def stored(tmp_path: Path):
    """Puts one evaluation into a journal and grades it again."""

    def again(
        instance: Instance, output: str = PASSING, patch: str | None = "p", repeat: int = 0, **columns
    ) -> Verdict:
        verdict = Verdict(
            **{
                "instance_id": instance.instance_id,
                "outcome": Outcome.UNRESOLVED,
                "phase": Phase.GRADE,
                "key": "k",
                "nonce": NONCE,
                "exit_status": 0,
                **columns,
            }
        )
        results = [CommandResult(0, b"applied\n", 0.1), CommandResult(0, output.encode(), 0.1)]
        (tmp_path / "k.log").write_bytes(write_log(results, NONCE))
        with Journal(tmp_path / "journal.jsonl") as journal:
            journal.put("k", {"verdict": verdict.model_dump(mode="json"), "patch": patch_key(patch, repeat)})
            journal.put("other", {"output": "a record of another kind"})
        with Journal(tmp_path / "journal.jsonl") as journal:
            return regraded(instance, SPECIFICATION, patch, repeat, stored_verdicts(journal), tmp_path, weigh)

    return again


def test_a_log_gets_the_verdict_of_today_s_rules(stored, instance: Instance) -> None:
    found = stored(instance, fail_to_pass_failure=(NEW,), seconds=3.0)
    assert found.outcome is Outcome.RESOLVED
    assert found.fail_to_pass_success == (NEW,)
    assert found.fail_to_pass_failure == ()
    assert (found.seconds, found.key) == (3.0, "k")
    assert stored(instance, f"FAILED {NEW} - no\nPASSED {OLD}\n", exit_status=1).outcome is Outcome.UNRESOLVED


def test_repeats_and_the_base_state_are_told_apart(stored, instance: Instance, tmp_path: Path) -> None:
    assert stored(instance, repeat=2).outcome is Outcome.RESOLVED
    assert stored(instance, patch=None).outcome is Outcome.RESOLVED
    missing = regraded(instance, SPECIFICATION, "another", 0, {}, tmp_path, weigh)
    assert missing.outcome is Outcome.INFRASTRUCTURE
    assert "not evaluated" in missing.detail


def test_changed_test_files_stay_a_reason_to_refuse(stored, instance: Instance) -> None:
    found = stored(instance, flags=(f"{TEST_FILE}tests/test_a.py changed while the tests ran", "start-up hook: a.pth"))
    assert found.outcome is Outcome.NO_RESULTS
    assert "tests/test_a.py changed" in found.detail
    assert len(found.flags) == 2


def test_flags_from_the_output_are_made_anew(stored, instance: Instance) -> None:
    found = stored(instance, f"PASSED {NEW}\nPASSED {OLD}\n", flags=(f"{CONTRADICTION}x", "start-up hook: a.pth"))
    assert [flag.split(":")[0] + ": " for flag in found.flags] == ["start-up hook: ", NO_CLOSING]


@pytest.mark.parametrize("phase", [Phase.PATCH, Phase.SETUP, Phase.TESTS])
def test_what_ended_before_its_tests_did_keeps_its_verdict(stored, instance: Instance, phase: Phase) -> None:
    assert stored(instance, phase=phase, outcome=Outcome.TIMEOUT).outcome is Outcome.TIMEOUT


def test_patches_that_need_no_container_need_no_log(instance: Instance, tmp_path: Path) -> None:
    assert regraded(instance, SPECIFICATION, " \n", 0, {}, tmp_path, weigh).outcome is Outcome.EMPTY_PATCH
    giant = "x" * (MAX_PATCH_BYTES + 1)
    assert regraded(instance, SPECIFICATION, giant, 0, {}, tmp_path, weigh).outcome is Outcome.PATCH_FAILED


def test_a_log_that_is_gone_or_cut_is_told(stored, instance: Instance, tmp_path: Path) -> None:
    verdict = stored(instance)
    path = tmp_path / "k.log"
    index = {(instance.instance_id, patch_key("p")): verdict}
    for damage in (lambda: path.write_bytes(path.read_bytes()[:-5]), path.unlink):
        damage()
        found = regraded(instance, SPECIFICATION, "p", 0, index, tmp_path, weigh)
        assert found.outcome is Outcome.INFRASTRUCTURE
        assert "gone or damaged" in found.detail
