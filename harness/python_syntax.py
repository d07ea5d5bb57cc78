"""What Python makes of a source file: whether it parses, and a key of what it means."""

import ast
import warnings
from dataclasses import dataclass
from functools import lru_cache

from harness.journal import content_key


@dataclass(frozen=True)
class Syntax:
    """What Python makes of a file."""

    meaning: str  # equal for files that differ in comments, docstrings and formatting only; empty where it can't parse
    problem: str = ""  # why not, with the line


@lru_cache(maxsize=32)
def read_syntax(source: bytes) -> Syntax:
    """The meaning of a Python file, or why it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the file, such as an invalid escape
            tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                node.body = _without_docstring(node.body)
        return Syntax(content_key(tree=ast.dump(tree)))
    except SyntaxError as error:
        return Syntax("", f"line {error.lineno}: {error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        return Syntax("", f"the parser gave up: {error}")


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    match body:
        case [ast.Expr(value=ast.Constant(value=str())), *rest]:
            return rest
    return body
