"""Python as its statements, so that a change is judged by reading what it touches and not the whole file again."""

import ast
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from harness.common.hashing import content_key
from harness.repo.diff import Replacement, replaced, split_lines
from harness.repo.python_syntax import GIVING_UP, parse_python, syntax_message, tree_text

CLASS = b"class _:\n"  # stands before the statements of a class's body, so that they can be read alone


@dataclass(frozen=True)
class Statement:
    """A statement of a module or of a class."""

    first: int  # index of its first line, decorators included, from 0
    end: int  # index after its last
    key: str  # equal for statements that mean the same, of a class without its body; empty for a docstring
    body: "Block | None" = None  # of a class


@dataclass(frozen=True)
class Block:
    """The statements of a module or of a class's body."""

    column: int  # of every statement
    statements: tuple[Statement, ...]

    @cached_property
    def meaning(self) -> str:
        """Equal for blocks that differ in comments, docstrings and formatting only."""
        parts = [[s.key, s.body.meaning if s.body else ""] for s in self.statements if s.key]
        return content_key(statements=parts)


@dataclass(frozen=True)
class Module:
    """What Python makes of a file."""

    block: Block | None
    problem: str = ""  # why it can't be parsed, with the line

    @property
    def meaning(self) -> str:
        """Equal for files that differ in comments, docstrings and formatting only; empty where one can't be parsed."""
        return self.block.meaning if self.block else ""


@lru_cache(maxsize=64)
def read_module(source: bytes) -> Module:
    """The statements of a Python file, or why it has none."""
    try:
        return Module(_block(0, parse_python(source).body, 0))
    except GIVING_UP as error:
        return Module(None, syntax_message(error))


def change_module(source: bytes, replacements: Sequence[Replacement]) -> Module:
    """What Python makes of a file after some of its lines were replaced (in order, apart)."""
    lines = split_lines(source)
    block = read_module(source).block
    if not block or not _lines_are_plain(source, lines, replacements):
        return read_module(replaced(lines, replacements))
    after = list(lines)
    for change in reversed(replacements):  # the last one first: what stands before a change keeps its line numbers
        after[change.start : change.end] = change.lines
        growth = len(change.lines) - (change.end - change.start)
        block = _changed(block, after, change.start, change.end, growth)
        if not block:
            return read_module(replaced(lines, replacements))
    return Module(block)


def _lines_are_plain(source: bytes, lines: Sequence[bytes], replacements: Sequence[Replacement]) -> bool:
    """Whether Python counts lines as we do, and reads any part of the file in the same encoding."""
    new = b"".join(line for change in replacements for line in change.lines)
    if b"\r" in source.replace(b"\r\n", b"") or b"\r" in new.replace(b"\r\n", b"") or b"\f" in source + new:
        return False
    return b"coding" not in b"".join(lines[:2]) and not (b"coding" in new and replacements[0].start < 2)


def _changed(block: Block, after: Sequence[bytes], start: int, end: int, growth: int) -> Block | None:
    """The block when lines ``start`` to ``end`` have grown by so many; None where only the whole file can tell.

    Line numbers are right again for its own statements, not for those in the bodies of classes behind the change.
    """
    known = block.statements
    first = bisect_right(known, start, key=lambda s: s.end)
    last = bisect_left(known, end, key=lambda s: s.first)
    body = known[first].body if last - first == 1 else None
    if body and body.statements[0].first <= start and end <= known[first].end:
        inner = _changed(body, after, start, end, growth)
        middle = [replace(known[first], end=known[first].end + growth, body=inner)] if inner else None
    else:
        first, last = _whole(known, first, last)
        top = min([start, *(s.first for s in known[first:last])])
        bottom = max([end, *(s.end for s in known[first:last])])
        middle = _read_part(block.column, after[top : bottom + growth], top, docstring=first == 0)
    if middle is None or not (first or middle):
        return None  # also where another statement comes first, which may be a docstring now
    tail = (
        replace(statement, first=statement.first + growth, end=statement.end + growth) for statement in known[last:]
    )
    return Block(block.column, (*known[:first], *middle, *tail))


def _whole(known: Sequence[Statement], first: int, last: int) -> tuple[int, int]:
    """More statements, so that they can be read apart from the others: lines behind one may belong to it, ..."""
    first = max(0, first - 1)
    last = max(last, first + 1)
    while first and known[first - 1].end > known[first].first:  # ... and some share a line
        first -= 1
    while last < len(known) and known[last - 1].end > known[last].first:
        last += 1
    return first, min(last, len(known))


def _read_part(column: int, lines: Sequence[bytes], top: int, docstring: bool) -> list[Statement] | None:
    """Some whole statements of a block, read alone; None where they can't be."""
    try:
        body = parse_python((CLASS if column else b"") + b"".join(lines)).body
        if column:
            if len(body) != 1 or not isinstance(body[0], ast.ClassDef):
                return None
            body, top = body[0].body, top - 1
        if any(node.col_offset != column for node in body):
            return None
        return list(_block(column, body, top, docstring).statements)
    except GIVING_UP:
        return None


def _block(column: int, body: Iterable[ast.stmt], top: int, docstring: bool = True) -> Block:
    """Statements whose lines are counted from ``top``; the first may be a docstring."""
    return Block(column, tuple(_statement(node, top, docstring and i == 0) for i, node in enumerate(body)))


def _statement(node: ast.stmt, top: int, docstring: bool) -> Statement:
    decorators = getattr(node, "decorator_list", [])
    first = top + min([node.lineno, *(decorator.lineno for decorator in decorators)]) - 1
    end = top + (node.end_lineno or node.lineno)
    body = None
    if isinstance(node, ast.ClassDef) and node.body[0].lineno > node.lineno:
        body = _block(node.body[0].col_offset, node.body, top)
        node.body = []
    elif docstring and _is_docstring(node):
        return Statement(first, end, "")
    return Statement(first, end, content_key(tree=tree_text(node)), body)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
