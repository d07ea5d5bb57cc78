"""Reading logs in processes of their own: hostile logs, parsers that raise, interruption."""

import threading
import time

import pytest

from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.errors import InfrastructureError
from harness.grading import log_worker
from harness.grading.job import marked
from harness.grading.judge import weigh
from harness.grading.log_grading import log_text
from harness.grading.log_workers import LogWorkers
from harness.grading.specification import Specification

SPECIFICATION = Specification("", "parse_log_pytest", "pass_and_fail")
DJANGO = Specification("", "parse_log_django", "pass_and_fail")
NEW, OLD = "tests/test_a.py::test_new", "tests/test_a.py::test_old"
PASSING = f"PASSED {NEW}\nPASSED {OLD}\n==== 2 passed in 0.1s ====\n"


def text(output: str) -> str:
    return log_text(marked(output.encode(), "n"))


@pytest.fixture(scope="module")
def workers():
    with LogWorkers(processes=2, cpu_seconds=3.0) as found:
        yield found


def test_a_process_answers_as_the_function_does(workers: LogWorkers, instance: Instance) -> None:
    for output, status, changed in ((PASSING, 0, ()), (f"FAILED {NEW}\n", 1, ()), ("", 1, ()), (PASSING, 0, ("t",))):
        question = (instance, SPECIFICATION, text(output), status, changed)
        assert workers(*question) == weigh(*question)


@pytest.mark.parametrize(
    ("specification", "output"),
    [
        (Specification("", "parse_log_sympy", "pass_and_fail"), "_" * 60_000),
        (DJANGO, "test_a (b.C) ... Testing against Django installed in /x\n" * 40_000),
        (Specification("", "parse_log_pytest_options", "pass_and_fail"), "ERROR " + "x" * 200_000),
    ],
    ids=["underscores", "django", "error"],
)
def test_no_log_takes_longer_than_it_may(workers, instance: Instance, specification, output: str) -> None:
    """Each of these used to hold up the whole run for minutes, deaf to every signal."""
    began = time.monotonic()
    grade, flags = workers(instance, specification, text(output + "\n" + PASSING), 0, ())
    assert time.monotonic() - began < 60
    assert grade.outcome is Outcome.UNREADABLE_LOG
    assert grade.detail == "reading its log took more than 3 s of CPU time"
    assert flags == []
    assert workers(instance, SPECIFICATION, text(PASSING), 0, ())[0].outcome is Outcome.RESOLVED


def test_a_parser_that_raises_ends_one_evaluation(workers, instance: Instance) -> None:
    grade, _ = workers(instance, DJANGO, text(f"FAIL:\n{PASSING}"), 1, ())
    assert grade.outcome is Outcome.UNREADABLE_LOG
    assert grade.detail == "its log can't be read: IndexError: list index out of range"


def test_statuses_are_read_there_too(workers: LogWorkers, instance: Instance) -> None:
    assert workers.statuses(instance, SPECIFICATION, text(PASSING), 0) == {NEW: "PASSED", OLD: "PASSED"}
    assert workers.statuses(instance, DJANGO, text(f"FAIL:\n{PASSING}"), 1) == {}  # a parser that raises


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*_: object) -> None:
        raise MemoryError

    monkeypatch.setitem(log_worker.TASKS, "weigh", greedy)
    assert log_worker.answer("weigh", ()) == ("failed", "reading its log took more than 4 GiB")


def test_closing_ends_what_is_being_read(instance: Instance) -> None:
    workers = LogWorkers(processes=1)
    ended: list[BaseException] = []

    def read() -> None:
        try:
            workers(instance, Specification("", "parse_log_sympy", "pass_and_fail"), text("_" * 200_000), 0, ())
        except InfrastructureError as error:
            ended.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(2.5)
    workers.close()
    thread.join(5)
    assert not thread.is_alive()
    assert len(ended) == 1
    with pytest.raises(InfrastructureError, match="has ended"):
        workers(instance, SPECIFICATION, text(PASSING), 0, ())


def test_a_process_that_is_done_while_all_are_closed_ends_too(instance: Instance, monkeypatch) -> None:
    """Bug: it was put with those that wait for the next log, and nobody ended it any more."""
    with LogWorkers(processes=1) as workers:
        put, started = workers._processes._idle.put, []

        def late(worker) -> None:
            workers.close()
            started.append(worker)
            put(worker)

        monkeypatch.setattr(workers._processes._idle, "put", late)
        assert workers(instance, SPECIFICATION, text(PASSING), 0, ())[0].outcome is Outcome.RESOLVED
        [worker] = started
        assert worker.stdout.closed
        assert worker.returncode is not None
