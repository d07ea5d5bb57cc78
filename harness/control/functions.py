"""The test functions of Python files, found by their syntax trees."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.control.change import TestFunction
from harness.repo.python_syntax import GIVING_UP, parse_python

Definition = ast.FunctionDef | ast.AsyncFunctionDef
EXPECTED_TO_FAIL = re.compile(r"xfail|expectedFailure", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """A test function with its place in the tree of its file."""

    function: TestFunction
    node: Definition
    in_class: bool


def parse(content: bytes) -> ast.Module | None:
    """The syntax tree of a file; None if this Python can't read it, or counts its lines in another way."""
    if b"\r" in content.replace(b"\r\n", b"") or b"\f" in content:
        return None
    try:
        content.decode("utf-8")  # places in the tree count bytes of UTF-8
        return parse_python(content)
    except GIVING_UP:
        return None


def find_functions(trees: Mapping[str, ast.Module]) -> list[Found]:
    """The functions whose names begin like a test's, by path; those that are expected to fail are left out."""
    heirs = _heirs(trees)
    return [
        Found(TestFunction(path, _owners(owner, node.name, heirs), node.name, _title(node)), node, owner is not None)
        for path, tree in trees.items()
        for owner, node in _definitions(tree.body, None)
        if not any(EXPECTED_TO_FAIL.search(_name(decorator)) for decorator in node.decorator_list)
    ]


def _name(decorator: ast.expr) -> str:
    return ast.unparse(decorator.func if isinstance(decorator, ast.Call) else decorator)


def _definitions(body: list[ast.stmt], owner: ast.ClassDef | None) -> Iterator[tuple[ast.ClassDef | None, Definition]]:
    for node in body:
        if isinstance(node, Definition):
            if node.name.lower().startswith("test"):
                yield owner, node
        elif isinstance(node, ast.ClassDef):
            yield from _definitions(node.body, node)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            yield from _definitions(node.body, owner)


def _heirs(trees: Mapping[str, ast.Module]) -> dict[str, list[ast.ClassDef]]:
    """By a class' name, the classes of all files that name it as a base."""
    heirs: dict[str, list[ast.ClassDef]] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    heirs.setdefault(ast.unparse(base).split(".")[-1], []).append(node)
    return heirs


def _owners(owner: ast.ClassDef | None, name: str, heirs: Mapping[str, list[ast.ClassDef]]) -> frozenset[str]:
    """The class of a method, and those that inherit it and do not define it anew."""
    found: set[str] = set()
    todo = [owner] if owner else []
    while todo:
        node = todo.pop()
        if node.name not in found:
            found.add(node.name)
            todo += [heir for heir in heirs.get(node.name, []) if not _defines(heir, name)]
    return frozenset(found)


def _defines(node: ast.ClassDef, name: str) -> bool:
    return any(isinstance(member, Definition) and member.name == name for member in node.body)


def _title(node: Definition) -> str:
    return (ast.get_docstring(node) or "").split("\n")[0].strip()
