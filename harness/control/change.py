"""One change of what a test expects, as bytes of its file; and the test function that it makes fail."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

NAMED = re.compile(r"(\w+) \(([\w.]+)\)")  # how unittest and Django name a test


class Rank(IntEnum):
    """How a change is made, what looks most like a test of its own first."""

    VALUE = 0  # another expected value
    RELATION = 1  # the opposite relation, or another exception
    WRAPPED = 2  # a check that must not hold
    STARTED = 3  # a false assertion at the start


@dataclass(frozen=True)
class TestFunction:
    """A function that a test runner calls."""

    __test__ = False  # no class of tests, whatever pytest makes of its name

    path: str
    owners: frozenset[str]  # names of the classes that it runs under; empty for a function of the module
    name: str
    title: str = ""  # first line of its docstring, by which unittest names it

    def runs_as(self, test_id: str) -> bool:
        """Whether a test id of pytest, unittest, Django or SymPy is this function's."""
        if "::" in test_id:
            path, *owners, name = test_id.split("[", 1)[0].split("::")
            return path == self.path and name == self.name and self._owned(owners)
        named = NAMED.match(test_id)
        if named:
            parts = named[2].removesuffix(f".{named[1]}").split(".")
            return named[1] == self.name and self._owned(parts)
        return test_id in (self.name, self.title)

    def _owned(self, owners: list[str]) -> bool:
        return owners[-1] in self.owners if owners else not self.owners


@dataclass(frozen=True)
class Change:
    """Bytes of a test file, and what stands in their place."""

    path: str
    start: int
    end: int
    text: bytes
    kind: str  # one or two words for a reader
    rank: Rank
    function: TestFunction | None = None  # None: of a file that is not read by syntax; any of its tests may fail
    renames: bool = False  # the test's id may hold the changed value

    @property
    def test(self) -> str:
        """The changed function, or the file, for a reader."""
        return f"{self.path}::{self.function.name}" if self.function else self.path


def changed(content: bytes, changes: Iterable[Change]) -> bytes:
    """The file after changes that do not overlap."""
    for change in sorted(changes, key=lambda change: -change.start):
        content = content[: change.start] + change.text + content[change.end :]
    return content
