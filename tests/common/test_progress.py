"""Progress on a terminal and elsewhere; the terminal is a real pseudo-terminal."""

import io
import logging
import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from harness.common.progress import Progress
from harness.common.run_state import duration, stage_words
from harness.common.stage import Stage, Waits


class Clock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def counts(stage: Stage) -> tuple[int, int]:
    state = stage.state()
    return state.done, state.total


def lines_of(stream: io.StringIO) -> list[str]:
    """Plain lines without the time that each begins with."""
    lines = stream.getvalue().splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    return [line[9:] for line in lines]


def test_counts_names_and_time_left(clock: Clock) -> None:
    with Progress(io.StringIO(), clock=clock) as progress:
        stage = progress.stage("repair", 10)
        assert stage.seconds_left() is None
        with stage.running("one"), stage.running("two"), stage.running("three"):
            assert stage_words(stage.state()) == "repair 0/10 (one, two and 1 more)"
            clock.now += 20
            stage.add(2)
        assert counts(stage) == (2, 10)
        assert stage.state().running == ()
        assert stage.seconds_left() == pytest.approx(80)


def test_what_was_found_finished_does_not_quicken_the_estimate(clock: Clock) -> None:
    with Progress(io.StringIO(), clock=clock) as progress:
        stage = progress.stage("evaluate", 10)
        stage.skip(5)
        assert stage.seconds_left() is None
        with stage.running("one"):
            clock.now += 30
        stage.add()
        assert counts(stage) == (6, 10)
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
        assert (counts(stage), stage.state().known) == ((3, 6), 2)
    assert lines_of(stream) == [
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
            assert stage.state().running == ("same",)
        assert stage.state().running == ()


def test_failed_work_no_longer_runs() -> None:
    with Progress(io.StringIO()) as progress:
        stage = progress.stage("repair", 1)
        with pytest.raises(RuntimeError), stage.running("one"):
            raise RuntimeError
        assert stage.state().running == ()
        assert counts(stage) == (0, 1)


def test_plain_lines_keep_their_distance_and_the_last_one_comes(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress(stream, interval=5.0, clock=clock) as progress:
        stage = progress.stage("repair", 20)
        for _ in range(20):
            clock.now += 1
            stage.add()
    lines = lines_of(stream)
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
    lines = lines_of(stream)
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
        assert counts(stage) == (4000, 4000)
        assert stage.state().running == ()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m 00s"), (200, "3m 20s"), (3599.7, "1h 00m"), (7500, "2h 05m")],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_time_left_leaves_out_what_is_going_to_be_found_finished(clock: Clock) -> None:
    """A run with a new checkpoint before two finished ones: their attempts are counted last, and take no time."""
    with Progress(io.StringIO(), clock=clock) as progress:
        stage = progress.stage("repair", 300)
        stage.expect(200)
        with stage.running("new"):
            clock.now += 50
            stage.add(10)
            assert stage.seconds_left() == pytest.approx(90 * 5)
            stage.skip(100)
            assert stage.seconds_left() == pytest.approx(90 * 5)
            clock.now += 450
            stage.add(90)
        assert stage.seconds_left() == pytest.approx(0)
        stage.skip(100)
        assert counts(stage) == (300, 300)


def test_time_left_while_servers_start(clock: Clock) -> None:
    """A start is no pace of the work: of two checkpoints, the second's start is added, and is over when it is over."""
    waits, to_come = [True], [None]
    with Progress(io.StringIO(), interval=99, clock=clock) as progress:
        stage = progress.stage("repair", 20, Waits(lambda: waits[0], lambda: to_come[0]))
        tests = progress.stage("tests", 25, Waits(lambda: waits[0]), after=stage)

        def pass_by(seconds: float) -> None:
            progress.look()
            clock.now += seconds
            progress.look()

        with stage.running("one"), tests.running("gold"):
            pass_by(300)
            assert stage.seconds_left() is None
            waits[0] = False
            pass_by(5)
            tests.add(5)
            assert tests.seconds_left() is None, "they can't end before what they test"
            pass_by(15)
            stage.add(10)
            assert stage.seconds_left() is None, "nobody knows how long the second start takes"
            to_come[0] = 300
            assert stage.seconds_left() == pytest.approx(20 + 300)
            assert tests.seconds_left() == pytest.approx(20 + 300)
            waits[0] = True
            pass_by(300)
            to_come[0] = 0
            waits[0] = False
            pass_by(0)
            assert stage.seconds_left() == pytest.approx(20)
            assert tests.seconds_left() == pytest.approx(80), "at their own pace, four seconds each"


def test_a_long_run_has_few_lines_and_a_heartbeat(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress(stream, clock=clock) as progress:
        stage = progress.stage("repair", 100_000)
        for _ in range(8 * 3600):
            clock.now += 1
            stage.add()
        assert 600 < len(lines_of(stream)) < 1000, "in eight hours"
        before = len(lines_of(stream))
        with stage.running("one that hangs"):
            pass
        clock.now += 61
        time.sleep(1.3)
        assert len(lines_of(stream)) == before + 1, "nothing has changed for a minute"
        assert lines_of(stream)[-1].startswith("repair 28800/100000")


def test_a_start_that_is_soon_over_takes_no_line(clock: Clock) -> None:
    stream = io.StringIO()
    with Progress(stream, clock=clock) as progress, progress.doing("checking"):
        clock.now += 4
        time.sleep(1.3)
        assert lines_of(stream) == []
        clock.now += 2
        time.sleep(1.3)
        assert lines_of(stream) == ["now: checking for 6s"]


def test_what_is_done_as_a_whole_is_shown_while_it_is_done() -> None:
    stream = io.StringIO()
    with Progress(stream, interval=0.0) as progress:
        with progress.doing("reading the repositories", lambda: "3 of 5"):
            time.sleep(0.4)
        with progress.passing("pull", 2) as stage:
            stage.add()
            time.sleep(0.4)
            assert lines_of(stream)[-1].startswith("pull 1/2, ")
            stage.add()
        time.sleep(0.4)
        assert lines_of(stream)[-1] == "pull 2/2"
        progress.stage("repair", 1).add()
    assert lines_of(stream)[0] == "now: reading the repositories for 0s: 3 of 5"
    assert lines_of(stream)[-1] == "repair 1/1"


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
    with progress.doing("the end"):
        pass
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
    assert "the end" not in plain, "the last picture shows nothing that is over"
    assert "\x1b[?25h" in shown, "the cursor is shown again"


@pytest.mark.parametrize(
    ("terminal", "variables"),
    [(True, {"TERM": "dumb"}), (False, {"FORCE_COLOR": "1", "TERM": "xterm-256color"}), (False, {"TERM": "dumb"})],
)
def test_plain_lines_without_escapes_on_a_dumb_terminal_and_in_a_log(terminal, variables) -> None:
    """FORCE_COLOR, which CI services set, made rich write its spinner into a log."""
    ours, theirs = pty.openpty() if terminal else os.pipe()
    script = f"{ON_A_TERMINAL}\nfrom harness.common.steps import shown_steps\nwith shown_steps('packing'):\n    pass\n"
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, **variables},
    ) as process:  # fmt: skip
        os.close(theirs)
        shown = b"".join(_read_all(ours)).decode()
        process.communicate()
    os.close(ours)
    assert process.returncode == 0, shown
    assert "\x1b" not in shown
    assert "repair 3/3" in shown


def test_log_handlers_are_left_alone_off_a_terminal() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        with Progress(stream):
            assert handler.stream is stream
    finally:
        logging.getLogger().removeHandler(handler)
