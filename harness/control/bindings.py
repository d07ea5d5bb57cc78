"""Values that a test expects and that are written elsewhere than in its assertion: names, tables, parameters."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.control.functions import Definition
from harness.control.literals import is_literal


@dataclass(frozen=True)
class Bound:
    """A literal that a name stands for."""

    value: ast.expr
    kind: str
    renames: bool = False  # the test's id may hold the value


def bindings(node: Definition) -> dict[str, list[Bound]]:
    """By name, the literals that it stands for: assigned once, looped over, or a parameter of the test."""
    found: dict[str, list[Bound]] = {}
    for name, bound in (*_assigned(node), *_parameters(node)):
        found.setdefault(name, []).append(bound)
    for name, bound in _looped(node, found):
        found.setdefault(name, []).append(bound)
    return found


def _assigned(node: Definition) -> Iterator[tuple[str, Bound]]:
    stored = [name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)]
    for statement in ast.walk(node):
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and is_literal(statement.value):
            target = statement.targets[0]
            if isinstance(target, ast.Name) and stored.count(target.id) == 1:
                yield target.id, Bound(statement.value, "expected value")


def _looped(node: Definition, assigned: dict[str, list[Bound]]) -> Iterator[tuple[str, Bound]]:
    for loop in ast.walk(node):
        if isinstance(loop, ast.For):
            for row in _rows(loop.iter, assigned):
                yield from _columns(loop.target, row, "value in a table", renames=False)


def _rows(iterated: ast.expr, assigned: dict[str, list[Bound]]) -> list[ast.expr]:
    """The rows that a loop goes over, as far as they are written down."""
    if isinstance(iterated, ast.Name):
        return [row for bound in assigned.get(iterated.id, []) for row in _rows(bound.value, {})]
    if isinstance(iterated, ast.List | ast.Tuple):
        return list(iterated.elts)
    if isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Attribute) and iterated.func.attr == "items":
        table = iterated.func.value
        tables = [b.value for b in assigned.get(table.id, [])] if isinstance(table, ast.Name) else [table]
        return [
            ast.Tuple([key, value], ast.Load())
            for found in tables
            if isinstance(found, ast.Dict)
            for key, value in zip(found.keys, found.values, strict=True)
            if key is not None
        ]
    return []


def _columns(target: ast.expr, row: ast.expr, kind: str, renames: bool) -> Iterator[tuple[str, Bound]]:
    if isinstance(target, ast.Name):
        if is_literal(row):
            yield target.id, Bound(row, kind, renames)
    elif isinstance(target, ast.Tuple | ast.List) and isinstance(row, ast.Tuple | ast.List):
        same = len(target.elts) == len(row.elts)
        for part, value in zip(target.elts, row.elts, strict=True) if same else ():
            yield from _columns(part, value, kind, renames)


def _parameters(node: Definition) -> Iterator[tuple[str, Bound]]:
    """Rows of ``pytest.mark.parametrize``; those with marks or ids of their own are left out."""
    for decorator in node.decorator_list:
        if not (isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("parametrize")):
            continue
        if len(decorator.args) < 2:
            continue
        names, rows = decorator.args[:2]
        target = _target(names)
        if target is None or not isinstance(rows, ast.List | ast.Tuple):
            continue
        for row in rows.elts:
            for value in _unpacked(row, target):
                yield from _columns(target, value, "parameter", renames=True)


def _target(names: ast.expr) -> ast.expr | None:
    """The names of parameters as a loop would take them."""
    if isinstance(names, ast.Constant) and isinstance(names.value, str):
        words = [word.strip() for word in names.value.split(",") if word.strip()]
    elif isinstance(names, ast.List | ast.Tuple) and is_literal(names):
        words = list(ast.literal_eval(names))
        return ast.Tuple([ast.Name(word, ast.Store()) for word in words], ast.Store())
    else:
        return None
    targets: list[ast.expr] = [ast.Name(word, ast.Store()) for word in words]
    return targets[0] if len(targets) == 1 else ast.Tuple(targets, ast.Store())


def _unpacked(row: ast.expr, target: ast.expr) -> Iterable[ast.expr]:
    if not (isinstance(row, ast.Call) and ast.unparse(row.func).endswith("param")):
        return [row]
    if any(keyword.arg == "marks" for keyword in row.keywords) or not row.args:
        return []
    return [row.args[0] if isinstance(target, ast.Name) else ast.Tuple(row.args, ast.Load())]
