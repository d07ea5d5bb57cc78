"""The process that reads test logs: ``python -m harness.grading.log_worker``, pickled questions in, answers out.

What tests print is read by regular expressions that can take hours for a line made to hurt them, deaf to signals. Here
the kernel ends them: each question has CPU seconds, and the process has a bound on its memory.
"""

import pickle
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

from harness.grading.judge import weigh
from harness.grading.log_grading import read_statuses

CPU_SECONDS = 120.0  # for one log; the longest honest ones take a few
MEMORY_BYTES = 4 << 30
TASKS: dict[str, Callable[..., Any]] = {"weigh": weigh, "statuses": read_statuses}


def answer(task: str, question: tuple[Any, ...]) -> tuple[str, Any]:
    """``("done", what the task's function returns)``, or ``("failed", why)`` if a parser can't read the log."""
    try:
        return "done", TASKS[task](*question)
    except MemoryError:
        return "failed", f"reading its log took more than {MEMORY_BYTES >> 30} GiB"
    except Exception as error:  # noqa: BLE001 - the parsers are not ours, and a log can make them raise anything
        return "failed", f"its log can't be read: {type(error).__name__}: {error}"


def main() -> None:
    """Answer until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    questions, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a parser that prints must not print into the answers
    while True:
        try:
            seconds, task, question = pickle.load(questions)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, seconds)  # its signal, which nothing handles, ends the process
        pickle.dump(answer(task, question), answers)
        answers.flush()
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
