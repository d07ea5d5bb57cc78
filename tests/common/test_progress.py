"""Progress on a terminal and elsewhere; the terminal is a real pseudo-terminal."""

import io
import logging
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from harness.common.progress import Progress, duration


class Clock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_counts_names_and_time_left(clock: Clock) -> None:
    with Progress(io.StringIO(), clock=clock) as progress:
        stage = progress.stage("repair", 10)
        assert stage.seconds_left() is None
        with stage.running("one"), stage.running("two"), stage.running("three"):
            assert stage.runs_now() == "one, two and 1 more"
            clock.now += 20
            stage.add(2)
        assert stage.counts() == (2, 10)
        assert stage.runs_now() == ""
        assert stage.seconds_left() == pytest.approx(80)


def test_what_was_found_finished_does_not_quicken_the_estimate(clock: Clock) -> None:
    with Progress(io.StringIO(), clock=clock) as progress:
        stage = progress.stage("evaluate", 10)
        stage.skip(5)
        assert stage.seconds_left() is None
        with stage.running("one"):
            clock.now += 30
        stage.add()
        assert stage.counts() == (6, 10)
        assert stage.seconds_left() == pytest.approx(120)
        stage.grow(4)
        assert stage.seconds_left() == pytest.approx(240)


def test_what_is_found_finished_among_the_rest_counts_in_the_pace(clock: Clock) -> None:
    with Progress(io.StringIO(), clock=clock) as progress:
        stage = progress.stage("tests", 1000)
        with stage.running("one"):
            for number in range(200):
                clock.now += 1
                stage.count(known=number % 10 > 0)
        assert stage.seconds_left() == pytest.approx(800, rel=0.02)


def test_an_early_rush_is_soon_forgotten(clock: Clock) -> None:
    with Progress(io.StringIO(), clock=clock) as progress:
        stage = progress.stage("tests", 1000)
        with stage.running("one"):
            stage.skip(500)
            for _ in range(20):
                clock.now += 30
                stage.add()
        assert stage.seconds_left() == pytest.approx(480 * 30, rel=0.02)


def test_what_was_found_finished_is_told_apart(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress(stream, clock=clock) as progress:
        stage = progress.stage("tests", 6)
        for known in (True, False, True):
            clock.now += 10
            stage.count(known)
        assert (stage.counts(), stage.known()) == ((3, 6), 2)
    assert stream.getvalue().splitlines() == [
        "tests 1/6, 1 known",
        "tests 2/6, 1 known, 0s left",
        "tests 3/6, 2 known, 15s left",
    ]


def test_name_stays_while_one_of_two_of_that_name_runs() -> None:
    with Progress(io.StringIO()) as progress:
        stage = progress.stage("repair", 2)
        with stage.running("same"):
            with stage.running("same"):
                pass
            assert stage.runs_now() == "same"
        assert stage.runs_now() == ""


def test_failed_work_no_longer_runs() -> None:
    with Progress(io.StringIO()) as progress:
        stage = progress.stage("repair", 1)
        with pytest.raises(RuntimeError), stage.running("one"):
            raise RuntimeError
        assert stage.runs_now() == ""
        assert stage.counts() == (0, 1)


def test_plain_lines_keep_their_distance_and_the_last_one_comes(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress(stream, interval=5.0, clock=clock) as progress:
        stage = progress.stage("repair", 20)
        for _ in range(20):
            clock.now += 1
            stage.add()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "repair 1/20, 0s left"
    assert 4 <= len(lines) <= 6
    assert lines[-1] == "repair 20/20"
    assert "\x1b" not in stream.getvalue()


def test_plain_line_tells_every_stage_and_is_not_repeated(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress(stream, clock=clock) as progress:
        first, second = progress.stage("localize", 1), progress.stage("repair", 1)
        first.add()
        clock.now += 10
        with second.running("django__django-1"):
            clock.now += 10
            second.grow(1)
        clock.now += 10
        second.add(2)
    lines = stream.getvalue().splitlines()
    assert "localize 1/1 | repair 0/2 (django__django-1)" in lines
    assert lines[-1] == "localize 1/1 | repair 2/2"
    assert len(lines) == len(set(lines))


def test_threads_lose_nothing() -> None:
    with Progress(io.StringIO()) as progress:
        stage = progress.stage("repair", 4000)

        def work() -> None:
            for _ in range(1000):
                with stage.running("x"):
                    stage.add()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert stage.counts() == (4000, 4000)
        assert stage.runs_now() == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m 00s"), (200, "3m 20s"), (3599.7, "1h 00m"), (7500, "2h 05m")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


ON_A_TERMINAL = """
import logging, sys, time
logging.basicConfig(format="LOG %(message)s")
from harness.common.progress import Progress
before = logging.getLogger().handlers[0].stream
with Progress() as progress:
    stage = progress.stage("repair", 3)
    with stage.running("flask-1"):
        time.sleep(0.4)
        logging.warning("something odd")
        print("TABLE")
        stage.add(3)
assert logging.getLogger().handlers[0].stream is before
assert sys.stderr is before
"""


def _read_all(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end was closed
            return
        if not data:
            return
        yield data


def test_live_on_a_terminal_with_log_lines_above_and_stdout_untouched() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL], stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b"".join(_read_all(ours)).decode()
        stdout = process.communicate()[0]
    os.close(ours)
    assert process.returncode == 0, shown
    assert stdout == b"TABLE\n"
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "flask-1" in plain
    assert "LOG something odd" in plain
    assert plain.rindex("3/3") > plain.index("LOG something odd")
    assert "\x1b[?25h" in shown, "the cursor is shown again"


def test_log_handlers_are_left_alone_off_a_terminal() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        with Progress(stream):
            assert handler.stream is stream
    finally:
        logging.getLogger().removeHandler(handler)
