"""What one test function of Python expects, as changes under which it must fail.

Only statements that run before the function can have returned are changed. Each change contradicts what the test says
now: a solution that holds as it is can't hold then. What a change of a value comes to is not always sure, so each is
tried on the gold patch before it may speak against another.
"""

import ast
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.control.bindings import Bound, bindings
from harness.control.calls import (
    EXCEPTIONS,
    OPPOSITES,
    OTHER_EXCEPTIONS,
    OTHER_WARNINGS,
    TWO_ARGUMENTS,
    WARNINGS,
    catches,
    expected_arguments,
    name_of,
)
from harness.control.change import Change, Rank
from harness.control.functions import Found
from harness.control.literals import constants, is_literal, other_constant, other_empty

RELATIONS: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Lt: ("<", ">="),
    ast.GtE: (">=", "<"),
    ast.Gt: (">", "<="),
    ast.LtE: ("<=", ">"),
}
ATOMS = (ast.Name, ast.Call, ast.Attribute, ast.Subscript)  # ``not`` needs no brackets before them
CHECKING = re.compile(r"assert|check|verify|compare|expect|raises|match|test", re.IGNORECASE)


@dataclass
class Source:
    """A file's bytes, and where the lines of its tree are in them."""

    path: str
    content: bytes
    starts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.starts = [0, *(place + 1 for place, byte in enumerate(self.content) if byte == 10)]

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """First byte of a node, and the one after its last."""
        end = self.starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        return self.starts[node.lineno - 1] + node.col_offset, end

    def text(self, node: ast.expr | ast.stmt) -> str:
        """A node as it is written."""
        start, end = self.span(node)
        return self.content[start:end].decode()

    def line(self, node: ast.stmt) -> bytes:
        """What stands before a statement on its line."""
        start = self.starts[node.lineno - 1]
        return self.content[start : start + node.col_offset]


def expectations(source: Source, found: Found, imports_pytest: bool, rng: random.Random) -> list[Change]:
    """Every place at which this function's expectation can be changed, each with one change drawn for it."""
    return list(_Expectations(source, found, imports_pytest, rng).all())


class _Expectations:
    def __init__(self, source: Source, found: Found, imports_pytest: bool, rng: random.Random) -> None:
        self._source, self._found, self._rng = source, found, rng
        self._imports_pytest = imports_pytest
        self._bound = bindings(found.node)
        loads = [n.id for n in ast.walk(found.node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        self._loads = {name: loads.count(name) for name in self._bound}

    def all(self) -> Iterator[Change]:
        statements = list(certain(self._found.node.body))
        values = [value for statement in statements for value in _expected(statement)]
        yield from self._values(values)
        for statement in statements:
            yield from self._relations(statement)
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                yield from self._wrapped(statement, statement.value)
        yield from self._started()

    def _change(self, start: int, end: int, text: str, kind: str, rank: Rank, renames: bool = False) -> Change:
        return Change(self._source.path, start, end, text.encode(), kind, rank, self._found.function, renames)

    def _values(self, expected: list[ast.expr]) -> Iterator[Change]:
        """Other values; a name stands for its literals if the test uses it for nothing else."""
        names = [value.id for value in expected if isinstance(value, ast.Name)]
        for value in expected:
            if not isinstance(value, ast.Name):
                yield from self._value(Bound(value, "value"))
        for name in dict.fromkeys(names):
            if names.count(name) == self._loads.get(name):
                for bound in self._bound[name]:
                    yield from self._value(bound)

    def _value(self, bound: Bound) -> Iterator[Change]:
        found = constants(bound.value)
        chosen: ast.expr = self._rng.choice(found) if found else bound.value
        source = self._source.text(chosen)
        other = other_constant(source, self._rng) if found else other_empty(source)
        if other is not None:
            yield self._change(*self._source.span(chosen), other, bound.kind, Rank.VALUE, bound.renames)

    def _relations(self, statement: ast.stmt) -> Iterator[Change]:
        if isinstance(statement, ast.Assert):
            for condition in conjuncts(statement.test):
                yield from self._opposite(condition)
        for call in _calls(statement):
            yield from self._renamed(call)
            yield from self._other_class(call)

    def _opposite(self, condition: ast.expr) -> Iterator[Change]:
        start, end = self._source.span(condition)
        if isinstance(condition, ast.Compare) and len(condition.ops) == 1:
            yield from self._other_relation(condition)
        elif isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not):
            bare = self._source.content[start + len("not") : end].lstrip().decode()
            yield self._change(start, end, bare, "no negation", Rank.RELATION)
        elif isinstance(condition, ATOMS):
            yield self._change(start, start, "not ", "negation", Rank.RELATION)
        elif not isinstance(condition, ast.NamedExpr | ast.Constant):
            text = f"not ({self._source.text(condition)})"
            yield self._change(start, end, text, "negation", Rank.RELATION)

    def _other_relation(self, condition: ast.Compare) -> Iterator[Change]:
        here, there = RELATIONS[type(condition.ops[0])]
        start, end = self._source.span(condition.left)[1], self._source.span(condition.comparators[0])[0]
        between = self._source.content[start:end].decode()
        if between.count(here) == 1 and "#" not in between:
            start += len(between[: between.index(here)].encode())
            yield self._change(start, start + len(here), there, "relation", Rank.RELATION)

    def _renamed(self, call: ast.Call) -> Iterator[Change]:
        name = name_of(call)
        other = OPPOSITES.get(name)
        plain = len(call.args) == 2 and not call.keywords
        if other and isinstance(call.func, ast.Attribute) and (name not in TWO_ARGUMENTS or plain):
            _, end = self._source.span(call.func)
            yield self._change(end - len(name), end, other, "relation", Rank.RELATION)

    def _other_class(self, call: ast.Call) -> Iterator[Change]:
        name = name_of(call)
        others = OTHER_EXCEPTIONS if name in EXCEPTIONS else OTHER_WARNINGS if name in WARNINGS else ()
        if others and call.args and isinstance(call.args[0], ast.Name | ast.Attribute | ast.Tuple):
            here = self._source.text(call.args[0])
            other = self._rng.choice([other for other in others if other not in here])
            yield self._change(*self._source.span(call.args[0]), other, "class", Rank.RELATION)

    def _wrapped(self, statement: ast.Expr, call: ast.Call) -> Iterator[Change]:
        """A check of the test's own, which must not hold."""
        name = name_of(call)
        if not CHECKING.search(name) or name in OPPOSITES or self._source.line(statement).strip():
            return
        context = "pytest.raises(AssertionError)" if self._imports_pytest else "self.assertRaises(AssertionError)"
        if self._imports_pytest or self._found.in_class:
            start, _ = self._source.span(statement)
            yield self._change(start, start, f"with {context}: ", "must not hold", Rank.WRAPPED)

    def _started(self) -> Iterator[Change]:
        node = self._found.node
        body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
        if not body or body[0].lineno <= node.lineno or self._source.line(body[0]).strip():
            return
        first = body[0]
        decorators = getattr(first, "decorator_list", None)
        if decorators:
            return
        start, _ = self._source.span(first)
        indent = self._source.line(first).decode()
        left, right = self._rng.sample(range(2, 90), 2)
        text = f"assert {left} == {right}\n{indent}"
        yield self._change(start, start, text, "false assertion", Rank.STARTED)


def certain(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a function that run unless an earlier one fails, those in its loops included."""
    for statement in body:
        if isinstance(statement, ast.Return | ast.Raise):
            return
        yield statement
        if isinstance(statement, ast.With | ast.AsyncWith):
            if not any(catches(item.context_expr) for item in statement.items):
                yield from certain(statement.body)
        elif isinstance(statement, ast.For):
            yield from certain(statement.body)


def conjuncts(condition: ast.expr) -> list[ast.expr]:
    """The conditions that must all hold for one to hold."""
    if isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.And):
        return [part for value in condition.values for part in conjuncts(value)]
    return [condition]


def _calls(statement: ast.stmt) -> list[ast.Call]:
    """The calls that a statement makes for their own sake, or enters."""
    if isinstance(statement, ast.With | ast.AsyncWith):
        expressions = [item.context_expr for item in statement.items]
    else:
        expressions = [statement.value] if isinstance(statement, ast.Expr) else []
    return [expression for expression in expressions if isinstance(expression, ast.Call)]


def _expected(statement: ast.stmt) -> list[ast.expr]:
    """The expressions in a statement that say what its test expects."""
    found = [part for call in _calls(statement) for value in expected_arguments(call) for part in spelled(value)]
    for condition in conjuncts(statement.test) if isinstance(statement, ast.Assert) else []:
        if isinstance(condition, ast.Compare) and len(condition.ops) == 1 and isinstance(condition.ops[0], ast.Eq):
            left, right = spelled(condition.left), spelled(condition.comparators[0])
            # what is computed on the right side counts, too, unless the left is what is expected
            found += [*left, *(right or ([] if left else condition.comparators))]
    return found


def spelled(value: ast.expr) -> list[ast.expr]:
    """The parts of an expression that are names, or made of constants alone."""
    if isinstance(value, ast.Name) or is_literal(value):
        return [value]
    if isinstance(value, ast.List | ast.Tuple | ast.Set):
        return [part for element in value.elts for part in spelled(element)]
    if isinstance(value, ast.Dict):
        return [part for element in value.values for part in spelled(element)]
    return []
