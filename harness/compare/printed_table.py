"""What a printed table is: values that every form shows alike."""

from dataclasses import dataclass

WIDEST = 8  # columns of a printed table


@dataclass(frozen=True)
class Cell:
    """A text, and whether it is the best of its column and distinguishable from all others."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A title, the columns' names, and a row of cells for each group."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Printed:
    """All of it, in reading order."""

    above: tuple[str, ...]
    tables: tuple[Table, ...]
    beneath: tuple[str, ...]
