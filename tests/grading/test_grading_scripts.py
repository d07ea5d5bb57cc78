import threading
from pathlib import Path

import pytest
from doubles import ScriptedSandbox, limits_with

from harness.common import retry
from harness.common.journal import Journal
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult
from harness.errors import InfrastructureError
from harness.grading import scripts as module
from harness.grading.scripts import CommandRunner, Script
from harness.grading.specification import Specification
from harness.grading.testbed import Testbed

SCRIPT = Script("echo hello\n", {"/harness/a.py": "x = 1\n"})
APPLIED = CommandResult(0, b"Applied patch a.py cleanly.\n", 0.1)
DONE = CommandResult(3, b"hello\xff\n", 0.5)


def bed(instance: Instance) -> Testbed:
    return Testbed(instance, Specification("", "parse_log_pytest", "pass_and_fail"), "image")


@pytest.fixture
def make(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(retry, "RETRY_SECONDS", (0.0, 0.0))
    journals = []

    def runner(machine: ScriptedSandbox, **limits) -> CommandRunner:
        journals.append(Journal(tmp_path / "journal.jsonl"))
        return CommandRunner(machine, journals[-1], tmp_path / "logs", limits_with(**limits))

    yield runner
    for journal in journals:
        journal.close()


def test_a_run_is_journaled_and_never_repeated(make, instance: Instance) -> None:
    machine = ScriptedSandbox(APPLIED, DONE)
    first = make(machine).run(bed(instance), SCRIPT, "a patch")
    assert (first.applied, first.exit_status, first.output) == (True, 3, "hello\ufffd\n")
    again = make(machine).run(bed(instance), SCRIPT, "a patch")
    assert (again, first.known, again.known) == (first, False, True)
    [job] = machine.jobs
    assert job.digest == machine.id
    assert job.files["/harness/a.py"] == b"x = 1\n"
    assert job.files[module.SCRIPT_PATH] == b"echo hello\n"


def test_whatever_determines_a_run_makes_it_another_question(make, instance: Instance) -> None:
    machine = ScriptedSandbox(APPLIED, DONE)
    make(machine).run(bed(instance), SCRIPT, "a patch")
    make(machine).run(bed(instance), SCRIPT, "another patch")
    make(machine).run(bed(instance), Script("echo other\n", SCRIPT.files), "a patch")
    make(machine).run(bed(instance), Script(SCRIPT.text, {}), "a patch")
    make(machine, seconds=1.0).run(bed(instance), SCRIPT, "a patch")
    make(machine, not_enforced=("memory",)).run(bed(instance), SCRIPT, "a patch")
    machine.id = "sha256:2"
    make(machine).run(bed(instance), SCRIPT, "a patch")
    assert len(machine.jobs) == 7


def test_a_lost_log_is_made_again(make, instance: Instance, tmp_path: Path) -> None:
    machine = ScriptedSandbox(DONE)
    make(machine).run(bed(instance), SCRIPT)
    next((tmp_path / "logs").iterdir()).unlink()
    assert make(machine).run(bed(instance), SCRIPT).exit_status == 3
    assert len(machine.jobs) == 2


def test_without_a_patch_only_the_script_runs(make, instance: Instance) -> None:
    machine = ScriptedSandbox(DONE)
    assert make(machine).run(bed(instance), SCRIPT).applied
    assert len(machine.jobs[0].commands) == 1
    assert module.PATCH_PATH not in machine.jobs[0].files


def test_a_patch_that_does_not_go_in(make, instance: Instance) -> None:
    run = make(ScriptedSandbox(CommandResult(1, b"error: patch failed", 0.1))).run(bed(instance), SCRIPT, "a patch")
    assert (run.applied, run.exit_status, run.output) == (False, 1, "")


def test_a_failing_machine_is_tried_again_and_never_journaled(make, instance: Instance) -> None:
    assert make(ScriptedSandbox(DONE, failures=2)).run(bed(instance), SCRIPT).exit_status == 3
    with pytest.raises(InfrastructureError, match="daemon gone"):
        make(ScriptedSandbox(failures=99)).run(bed(instance), SCRIPT, "a patch")
    assert make(ScriptedSandbox(APPLIED, DONE)).run(bed(instance), SCRIPT, "a patch").applied


def test_equal_questions_under_way_are_asked_once(make, instance: Instance) -> None:
    machine = ScriptedSandbox(DONE)
    machine.gate.clear()
    runner = make(machine)
    runs = []
    threads = [threading.Thread(target=lambda: runs.append(runner.run(bed(instance), SCRIPT))) for _ in range(6)]
    for thread in threads:
        thread.start()
    machine.gate.set()
    for thread in threads:
        thread.join()
    assert len(machine.jobs) == 1
    assert [run.known for run in runs] == [False] * 6
