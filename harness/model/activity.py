"""What one checkpoint's model is at, and what it was asked by now: for whoever watches, changed by nothing else."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.common.run_state import Part
from harness.core.interfaces import Answer

RATE_SECONDS = 60.0  # over which the tokens of answers are spread


@dataclass(frozen=True)
class Activity:
    """What a model's servers are at."""

    in_flight: int = 0  # questions that a server is at
    doing: str = ""  # beside answering: it starts, or waits for its turn
    seconds: float = 0.0  # since when
    detail: str = ""
    starts: tuple[float, ...] = ()  # seconds of each start that is over
    prefix_cache: float | None = None  # share of prompt tokens found there lately; None: not known


def together(activities: Sequence[Activity]) -> Activity:
    """That of several servers: all their questions, and what the first of those is at that does not only answer."""
    busy = next((activity for activity in activities if activity.doing), Activity())
    shares = [activity.prefix_cache for activity in activities if activity.prefix_cache is not None]
    return Activity(
        sum(activity.in_flight for activity in activities),
        busy.doing,
        busy.seconds,
        busy.detail,
        tuple(seconds for activity in activities for seconds in activity.starts),
        sum(shares) / len(shares) if shares else None,
    )


class Tally:
    """Answers of one checkpoint in this run. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._asked = self._known = self._prompt_tokens = self._completion_tokens = 0
        self._recent: deque[tuple[float, int]] = deque()  # when an answer came, and its tokens
        self._clock = clock
        self._began = 0.0  # when the first of the recent answers was asked for
        self._lock = threading.Lock()

    def found(self) -> None:
        """Count an answer that a journal or a recording held."""
        with self._lock:
            self._known += 1

    def answered(self, answer: Answer) -> None:
        """Count an answer of a server."""
        with self._lock:
            self._asked += 1
            self._prompt_tokens += answer.prompt_tokens
            self._completion_tokens += answer.completion_tokens
            self._forget()
            if not self._recent:
                self._began = self._clock() - answer.seconds
            self._recent.append((self._clock(), answer.completion_tokens))

    def _forget(self) -> None:
        while self._recent and self._recent[0][0] < self._clock() - RATE_SECONDS:
            self._recent.popleft()

    def _rate(self) -> float:
        """Completion tokens a second of the answers that came lately."""
        self._forget()
        span = min(RATE_SECONDS, self._clock() - self._began)
        return sum(tokens for _, tokens in self._recent) / max(span, 1.0) if self._recent else 0.0

    def part(self, name: str, activity: Activity, asked: int) -> Part:
        """All of it as a part of a run; ``asked``: questions that are in flight or wait for a free place."""
        waiting = max(0, asked - activity.in_flight)
        with self._lock:
            rate = self._rate()
            totals = {
                "answers": self._asked,
                "known_answers": self._known,
                "prompt_tokens": self._prompt_tokens,
                "completion_tokens": self._completion_tokens,
            }
        levels = {
            "questions_in_flight": activity.in_flight,
            "questions_waiting": waiting,
            "tokens_per_second": round(rate, 1),
        }
        if activity.prefix_cache is not None:
            levels["prefix_cache_hit_rate"] = activity.prefix_cache
        counts = [f"{totals['answers']} answers", f"{totals['known_answers']} known"]
        counts += [f"{activity.in_flight} in flight"] if activity.in_flight else []
        counts += [f"{waiting} waiting"] if waiting else []
        counts += [f"{rate:.0f} tokens/s"] if rate else []
        counts += [f"prefix cache {activity.prefix_cache:.0%}"] if activity.prefix_cache is not None else []
        words = ", ".join(counts)
        return Part(name, words, activity.doing, activity.seconds, activity.detail, totals, levels)
