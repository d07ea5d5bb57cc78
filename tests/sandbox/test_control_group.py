"""Killed processes that do not go: a job says so, and waits no longer for them."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from harness.errors import InfrastructureError
from harness.sandbox import apptainer, control_group
from harness.sandbox.control_group import ControlGroup


@pytest.fixture
def process(monkeypatch) -> Iterator[subprocess.Popen]:
    """A process that no signal of the harness ends, as one in uninterruptible sleep."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        with monkeypatch.context() as patched:
            patched.setattr(os, "kill", lambda number, signal: None)
            patched.setattr(os, "killpg", lambda number, signal: None)
            for module in (control_group, apptainer):
                patched.setattr(module, "END_SECONDS", 0.2)
            yield process
        process.kill()


@pytest.fixture
def groups(monkeypatch, tmp_path) -> ControlGroup:
    """A job's groups in a folder that anybody may write to."""
    monkeypatch.setattr(control_group, "ROOT", tmp_path)
    (tmp_path / "pids/harness/job").mkdir(parents=True)
    return ControlGroup("job")


def test_a_process_that_can_not_be_killed_is_waited_for_no_longer_than_the_limit(process):
    with pytest.raises(InfrastructureError, match=rf"^processes of the job could not be ended .*: {process.pid}$"):
        apptainer._end(process, None)


def test_processes_that_stay_in_a_group_are_named(process, groups, tmp_path):
    (tmp_path / "pids/harness/job/cgroup.procs").write_text(f"{process.pid}\n7\n")
    with pytest.raises(InfrastructureError, match=rf"^processes of the job could not be ended .*: {process.pid}, 7$"):
        groups.kill()


def test_a_group_that_is_gone_or_empty_is_ended_already(groups, tmp_path):
    groups.kill()
    (tmp_path / "pids/harness/job/cgroup.procs").write_text("")
    groups.kill()
