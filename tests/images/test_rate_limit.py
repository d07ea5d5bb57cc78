import threading
import time
from concurrent.futures import CancelledError

import pytest

from harness.images.rate_limit import HOUR, Gate


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_at_a_time():
    gate = Gate(2)
    most, running, lock = [0], [0], threading.Lock()

    def work() -> None:
        with gate.turn():
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            time.sleep(0.02)
            with lock:
                running[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [2]


def test_so_many_in_any_hour():
    clock = Clock()
    gate = Gate(9, 2, clock)
    for _ in range(2):
        with gate.turn():
            pass
        clock.now += 60
    assert gate.wait_now() == HOUR - 120
    clock.now += HOUR - 120
    with gate.turn():
        pass
    # the second one of before counts until its own hour is over
    assert gate.wait_now() == 60


def test_none_while_it_is_held():
    clock = Clock()
    gate = Gate(1, clock=clock)
    gate.hold(30)
    gate.hold(10)
    assert gate.wait_now() == 30
    clock.now += 30
    assert gate.wait_now() == 0


def test_closing_ends_the_waiting():
    gate = Gate(1)
    gate.hold(3600)
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(CancelledError), gate.turn():
            pass
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    gate.close()
    assert ended.wait(5)
    thread.join()
