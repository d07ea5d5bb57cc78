"""Text of models and tests as a terminal may show it: whatever is no letter or sign is spelled out."""

import io
import logging
import re
import sys

PREFIX = "  | "

_UNUSUAL = re.compile(r"[^\n\t -~]+")  # all that may be no letter or sign: logs have megabytes of others


def inert(text: str) -> str:
    """The text with every control, formatting and undecodable character as its escape; line ends and tabs stay."""
    return _UNUSUAL.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    """Letters and signs as they are, all else as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in found[0])


def one_line(text: object) -> str:
    """The text in one line, inert, so that it can't pass for a line of ours."""
    return inert(" ".join(str(text).split()))


def quoted(text: str) -> list[str]:
    """The lines of a text, inert, each behind a mark that shows that it is quoted."""
    lines = inert(text).split("\n")
    return [PREFIX + line if line else PREFIX.rstrip() for line in (lines[:-1] if lines[-1] == "" else lines)]


class _InertFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return inert(super().format(record))


def set_up_log() -> None:
    """Let log lines go to stderr, inert; nothing changes if there is a handler already."""
    handler = logging.StreamHandler()
    handler.setFormatter(_InertFormatter("%(message)s"))
    logging.basicConfig(handlers=[handler])


def set_up_output() -> None:
    """Let stdout spell out the signs that the terminal's encoding lacks, as stderr does already."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
