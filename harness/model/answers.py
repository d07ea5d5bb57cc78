"""Reading what a model answered. The text is data: it is never evaluated, and none makes these functions raise."""

from harness.reading.blocks import EditReading
from harness.reading.endings import turns_apart
from harness.reading.file_lists import read_names
from harness.reading.formats import Format, read_format
from harness.reading.thinking import without_thinking

__all__ = ["EditReading", "proper", "read_edits", "read_file_names", "without_thinking"]


def proper(text: str) -> str:
    """The answer proper: without thinking, and with signs of a turn's end on lines of their own."""
    return turns_apart(without_thinking(text))


def read_file_names(text: str, unneeded: bool = False) -> tuple[str, ...]:
    """File names in the order given, each once: from the fenced blocks if these hold any.

    ``unneeded``: those were asked for that are not needed.
    """
    return read_names(proper(text), unneeded)


def read_edits(text: str, cut: bool = False, asked: Format = Format.SEARCH_REPLACE) -> EditReading:
    """The edits of an answer, in order; ``cut``: the text has no end of its own.

    They are read in the format ``asked`` for if the answer has any in it, else in the one that it uses.

    A block's file stands on the line above it, on its marker or its fence; if none does, it is the file of the block
    before. A block that names none has the empty path: what it holds may say which is meant.
    """
    return read_format(proper(text), asked, cut)
