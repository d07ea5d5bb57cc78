"""What a server of vLLM's CPU build is started with, so that its model runs in the engine's own process."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from harness.model import cpu_engine
from harness.model.cpu_engine import BINDING, OWN_PROCESS, RESERVED, THREADS, cores, engine_environment


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four cores of two threads each, of which this process may use all but one thread, near one memory."""
    for thread in range(8):
        siblings = tmp_path / f"cpu/cpu{thread}/topology/thread_siblings_list"
        siblings.parent.mkdir(parents=True)
        siblings.write_text(f"{thread % 4},{thread % 4 + 4}\n")
    (tmp_path / "node/node0").mkdir(parents=True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(7)))
    monkeypatch.setattr(cpu_engine, "serves_on_cpu", lambda: True)
    return tmp_path


def test_one_core_is_left_alone_and_the_threads_of_a_core_count_once(machine: Path) -> None:
    assert cores(machine) == 4
    assert engine_environment((), {}, machine) == {OWN_PROCESS: "0", THREADS: "3"}


def test_a_core_whose_threads_are_not_told_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert cores(tmp_path) == 2


def test_a_single_core_is_used(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    assert engine_environment((), {}, machine)[THREADS] == "1"


@pytest.mark.parametrize(
    ("environment", "put_over"),
    [
        ({THREADS: "2"}, {OWN_PROCESS: "0", THREADS: "2"}),
        ({BINDING: "nobind"}, {OWN_PROCESS: "0"}),
        ({BINDING: "auto"}, {}),
        ({BINDING: "0-3"}, {}),
        ({RESERVED: "2"}, {}),
        ({OWN_PROCESS: "1"}, {}),
    ],
)
def test_what_someone_has_set_stays(environment: Mapping[str, str], put_over: Mapping[str, str], machine: Path) -> None:
    assert engine_environment((), environment, machine) == put_over


@pytest.mark.parametrize(
    ("args", "alone"),
    [
        (["--tensor-parallel-size", "2"], False),
        (["-dp=2"], False),
        (["--tensor-parallel-size=1", "--enforce-eager"], True),
    ],
)
def test_several_workers_have_processes_of_their_own(args: Sequence[str], alone: bool, machine: Path) -> None:
    assert bool(engine_environment(args, {}, machine)) == alone


def test_threads_are_bound_where_memory_is_not_equally_near(machine: Path) -> None:
    (machine / "node/node1").mkdir()
    assert engine_environment((), {}, machine) == {}


def test_other_builds_are_left_alone(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_engine, "serves_on_cpu", lambda: False)
    assert engine_environment((), {}, machine) == {}
