"""What a training reports while it runs: lines for its user, and a record of every few steps."""

import json
import sys
import time
from pathlib import Path
from typing import Any

INTERVAL = 5.0  # seconds between two lines, at least


class Progress:
    """Lines on stderr with step, loss, speed and time left, and the same figures in a JSONL file."""

    def __init__(self, name: str, log: Path, steps: int, step_tokens: int, done: int = 0) -> None:
        """``steps`` of ``step_tokens`` slots; the log keeps what it says of the first ``done``, done earlier."""
        self._name = name
        self._log = log
        self._steps = steps
        self._step_tokens = step_tokens
        self._first = done
        self._began = time.monotonic()
        self._shown = 0.0
        kept = log.read_text(encoding="utf-8").splitlines(keepends=True) if done and log.is_file() else []
        # a line that a kill tore has no end, and is of a step after the last saved state
        whole = [line for line in kept if line.endswith("\n")]
        log.write_text("".join(line for line in whole if json.loads(line)["step"] <= done), encoding="utf-8")

    def record(self, step: int, loss: float, answer_loss: float) -> None:
        """Log the mean losses (nats) since the last record, after ``step`` steps; report them when it is time."""
        now = time.monotonic()
        speed = (step - self._first) * self._step_tokens / max(now - self._began, 1e-9)
        line: dict[str, Any] = {"step": step, "tokens": step * self._step_tokens, "loss": loss}
        line |= {"answer_loss": answer_loss, "tokens_per_second": round(speed)}
        with self._log.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if now - self._shown >= INTERVAL or step == self._steps:
            self._shown = now
            left = (self._steps - step) * self._step_tokens / speed
            self._tell(
                f"step {step}/{self._steps}  loss {loss:.3f}  answers {answer_loss:.3f}  "
                f"{speed:,.0f} tokens/s  {_clock(left)} left"
            )

    def _tell(self, text: str) -> None:
        sys.stderr.write(f"{self._name}: {text}\n")
        sys.stderr.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
