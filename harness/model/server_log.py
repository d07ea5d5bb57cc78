"""The reason of a server's death, dug out of its log."""

import re
from pathlib import Path

TAIL_BYTES = 4 << 20  # of one start's log, the most that is looked at
REASON_CHARACTERS = 300
LATEST_BYTES = 1 << 17  # at the log's end: what the server said lately, however many requests it logs between
CACHE_HITS = re.compile(rb"[,:] Prefix cache hit rate: ([\d.]+)%")  # vLLM says it every ten seconds while it answers
# what vLLM puts before a line: (EngineCore pid=7) ERROR 11-23 21:38:11 [core.py:1510]
PREFIX = re.compile(r"^(\([\w-]+ pid=\d+\) )?((ERROR|CRITICAL|WARNING|INFO|DEBUG) [\d-]+ [\d:]+ \[[^\]]+\] ?)?")
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
    plain = [_plain(line) for line in lines]
    raised = [number for number, line in enumerate(plain) if RAISED.match(line)]
    causes = [number for number in raised if not SECOND_HAND.search(plain[number])]
    if causes:
        return _shorten(_described(plain, causes[0]))
    if raised:
        return "its engine process died without a word of its own (killed, perhaps for lack of memory)"
    said = [line for line in plain if line.strip()]
    return _shorten("no error in the log, which ends: " + said[-1]) if said else "the log is empty"


def last_line(log: Path, start: int = 0) -> str:
    """The last line of a log after its byte ``start``, bars that are drawn again and again among them.

    Indented lines are left out: they belong to what stands before them, such as the source of a Python warning.
    """
    lines = re.split(r"[\r\n]+", _latest(log, start).decode("utf-8", "replace"))
    return next((line.rstrip() for line in map(_plain, reversed(lines)) if line and not line[0].isspace()), "")


def cache_hits(log: Path, start: int = 0) -> float | None:
    """Share of prompt tokens that the prefix cache held, as the server said it last; None if it did not lately."""
    found = CACHE_HITS.findall(_latest(log, start))
    return round(float(found[-1]) / 100, 3) if found else None


def _latest(log: Path, start: int) -> bytes:
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - LATEST_BYTES))
            return file.read()
    except FileNotFoundError:
        return b""


def _plain(line: str) -> str:
    return PREFIX.sub("", line)


def _described(lines: list[str], number: int) -> str:
    """The line, or for pydantic's report, which goes on below, what stands there."""
    line = lines[number].strip()
    if "validation error" in line and number + 1 < len(lines):
        return lines[number + 1].strip().removeprefix("Value error, ")
    return line


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= REASON_CHARACTERS else text[: REASON_CHARACTERS - 3] + "..."
