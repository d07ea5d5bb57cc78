"""The reason of a server's death, dug out of its log."""

import re
from pathlib import Path

TAIL_BYTES = 4 << 20  # of one start's log, the most that is looked at
REASON_CHARACTERS = 300
# what vLLM puts before a line: (EngineCore pid=7) ERROR 11-23 21:38:11 [core.py:1510]
PREFIX = re.compile(r"^(\([\w-]+ pid=\d+\) )?((ERROR|CRITICAL) [\d-]+ [\d:]+ \[[^\]]+\] ?)?")
RAISED = re.compile(r"^([A-Za-z_][\w.]*\.)?\w*(Error|Exception|Interrupt|Exit): \S|^\S+\.py: error: \S")
# Said by processes about the death of another one, whose own line is what counts.
SECOND_HAND = re.compile(
    r"WorkerProc initialization failed|Engine core initialization failed|EngineCore encountered an issue|"
    r"Worker failed with error|EngineDeadError|died unexpectedly|cancelled|Exit: "
)


def find_reason(log: Path, start: int = 0) -> str:
    """One line that says why the server ended, from its log's bytes after ``start``.

    The first exception that is not about another process's death is the cause; if only such
    second-hand ones are there, a process was killed from outside.
    """
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read(TAIL_BYTES).decode("utf-8", "replace").splitlines()
    plain = [PREFIX.sub("", line) for line in lines]
    raised = [number for number, line in enumerate(plain) if RAISED.match(line)]
    causes = [number for number in raised if not SECOND_HAND.search(plain[number])]
    if causes:
        return _shorten(_described(plain, causes[0]))
    if raised:
        return "its engine process died without a word of its own (killed, perhaps for lack of memory)"
    said = [line for line in plain if line.strip()]
    return _shorten("no error in the log, which ends: " + said[-1]) if said else "the log is empty"


def _described(lines: list[str], number: int) -> str:
    """The line, or for pydantic's report, which goes on below, what stands there."""
    line = lines[number].strip()
    if "validation error" in line and number + 1 < len(lines):
        return lines[number + 1].strip().removeprefix("Value error, ")
    return line


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= REASON_CHARACTERS else text[: REASON_CHARACTERS - 3] + "..."
