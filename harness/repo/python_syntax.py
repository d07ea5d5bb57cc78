"""What Python makes of a source file: whether it parses, and a key of what it means."""

import ast
import atexit
import signal
import threading
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from harness.common.hashing import content_key
from harness.common.worker_processes import WorkerEnded, WorkerProcesses
from harness.errors import InfrastructureError

SHORT = 4096  # bytes, which are read in two milliseconds
WORKERS = WorkerProcesses("harness.repo.syntax_worker")  # none before the first question
atexit.register(WORKERS.close)
GIVING_UP = (SyntaxError, ValueError, RecursionError, MemoryError)  # what Python raises for a source it can't take

# CPython before 3.13 counts the depth of a tree that it makes once for all threads, and a garbage collection in the
# midst of one lets another thread begin its own: SystemError. Filters of warnings are of all threads too.
_PARSING = threading.RLock()


@dataclass(frozen=True)
class Syntax:
    """What Python makes of a file."""

    meaning: str  # equal for files that differ in comments, docstrings and formatting only; empty if it can't parse
    problem: str = ""  # why not, with the line


@lru_cache(maxsize=512)  # of many attempts under way, each with a file and what its candidates make of it
def read_syntax(source: bytes) -> Syntax:
    """The meaning of a Python file, or why it has none. Raises InfrastructureError if its process is ended.

    A file of some length is read in a process of its own: while Python parses, no other thread of a process runs.
    """
    if len(source) < SHORT:
        return syntax_of(source)
    try:
        syntax: Syntax = WORKERS.ask(source)
    except WorkerEnded as ended:
        if ended.status != -signal.SIGSEGV:
            raise InfrastructureError(f"the process that reads Python ended ({ended})") from ended
        return Syntax("", "the parser gave up: it crashed")
    return syntax


def syntax_of(source: bytes) -> Syntax:
    """The same, in this process."""
    try:
        return Syntax(content_key(tree=tree_text(parse_python(source))))
    except GIVING_UP as error:
        return Syntax("", syntax_message(error))


def parse_python(source: bytes) -> ast.Module:
    """The syntax tree of a Python file. Raises one of `GIVING_UP` if it has none."""
    with _PARSING, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the file, such as an invalid escape
        return ast.parse(source)


def syntax_message(error: Exception) -> str:
    """One of the errors of `parse_python` in one line."""
    return f"line {error.lineno}: {error.msg}" if isinstance(error, SyntaxError) else f"the parser gave up: {error}"


def tree_text(tree: ast.AST) -> str:
    """A text that is equal for trees that differ in docstrings and line numbers only (`ast.dump` takes twice as long).

    Raises RecursionError for a tree that is too deep.
    """
    parts: list[str] = []
    _write(tree, parts.append)
    return "".join(parts)


def _write(node: ast.AST, write: Callable[[str], None]) -> None:
    write(f"{type(node).__name__}(")
    for name in node._fields:
        value = getattr(node, name, None)
        if value is None or name == "ctx":  # the context follows from where the node stands
            continue
        write(f"{name}=")
        if isinstance(value, ast.AST):
            _write(value, write)
        elif isinstance(value, list):
            _write_list(_code(node, value) if name == "body" else value, write)
        else:
            write(repr(value))
    write(")")


def _write_list(values: Iterable[object], write: Callable[[str], None]) -> None:
    write("[")
    for value in values:
        if isinstance(value, ast.AST):
            _write(value, write)
        else:
            write(f"{value!r},")
    write("]")


def _code(node: ast.AST, body: list[ast.stmt]) -> list[ast.stmt]:
    """The body of a node, of a module, class or function without its docstring."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        match body:
            case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                return rest
    return body
