"""What Python makes of a source file: whether it parses, and a key of what it means."""

import ast
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from harness.journal import content_key

GIVING_UP = (SyntaxError, ValueError, RecursionError, MemoryError)  # what Python raises for a source it can't take

Tree = TypeVar("Tree", bound=ast.AST)


@dataclass(frozen=True)
class Syntax:
    """What Python makes of a file."""

    meaning: str  # equal for files that differ in comments, docstrings and formatting only; empty where it can't parse
    problem: str = ""  # why not, with the line


@lru_cache(maxsize=32)
def read_syntax(source: bytes) -> Syntax:
    """The meaning of a Python file, or why it has none."""
    try:
        return Syntax(content_key(tree=ast.dump(without_docstrings(parse_python(source)))))
    except GIVING_UP as error:
        return Syntax("", syntax_message(error))


def parse_python(source: bytes) -> ast.Module:
    """The syntax tree of a Python file. Raises one of `GIVING_UP` where it has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the file, such as an invalid escape
        return ast.parse(source)


def syntax_message(error: Exception) -> str:
    """One of the errors of `parse_python` in one line."""
    return f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else f"the parser gave up: {error}"


def without_docstrings(tree: Tree) -> Tree:
    """The same tree, its modules, classes and functions without their docstrings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = _without_docstring(node.body)
    return tree


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
    return body
