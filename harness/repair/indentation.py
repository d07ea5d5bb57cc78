"""Indentation that a model drifted from: a constant shift, or tabs for spaces."""

from collections.abc import Iterator, Sequence

Lines = list[bytes]
Shift = tuple[bytes, bytes]  # taken from the front of each line, and put there

TAB_WIDTHS = (4, 8, 2)  # spaces for a tab, likeliest first


def shift_between(old: Sequence[bytes], search: Sequence[bytes]) -> Shift | None:
    """What turns the indentation of each line of ``search`` into that of ``old``; None if lines differ in it.

    At least one line is not blank, and both are equally long.
    """
    pairs = [(_indent(there), _indent(here)) for there, here in zip(old, search, strict=True) if here.strip()]
    there, here = pairs[0]
    excess = len(there) - len(here)
    taken, put = (b"", there[:excess]) if excess >= 0 else (here[:-excess], b"")
    return (taken, put) if all(taken + there == put + here for there, here in pairs) else None


def shifted(lines: Sequence[bytes], shift: Shift) -> Lines | None:
    """The lines with that shift; blank ones stay. None if a line is not indented enough for it."""
    taken, put = shift
    if not all(line.startswith(taken) for line in lines if line.strip()):
        return None
    return [put + line.removeprefix(taken) if line.strip() else line for line in lines]


def retabbed(search: Lines, replace: Lines) -> Iterator[tuple[Lines, Lines]]:
    """Both texts with tabs for the spaces that indent them, or spaces for the tabs, by each usual width."""
    indents = {_indent(line) for line in (*search, *replace) if line.strip()}
    tabs, spaces = any(b"\t" in indent for indent in indents), any(b" " in indent for indent in indents)
    for width in TAB_WIDTHS:
        if tabs:
            yield [_expanded(line, width) for line in search], [_expanded(line, width) for line in replace]
        elif spaces:
            yield [_collapsed(line, width) for line in search], [_collapsed(line, width) for line in replace]


def _expanded(line: bytes, width: int) -> bytes:
    indent = _indent(line)
    return indent.expandtabs(width) + line[len(indent) :]


def _collapsed(line: bytes, width: int) -> bytes:
    indent = _indent(line)
    return b"\t" * (len(indent) // width) + b" " * (len(indent) % width) + line[len(indent) :]


def _indent(line: bytes) -> bytes:
    return line[: len(line) - len(line.lstrip())]
