"""Every line that defines something is in an element of that name: in valid source, and in broken Python."""

import ast
import re
import textwrap
from itertools import count
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from harness.repo.symbols import language_of, parse_elements, parse_tree

HEADER = re.compile(r"[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)[ \t]*(?:[(\[:].*)?")
PLAIN = st.sampled_from(
    [
        "x = 1\n", "pass\n", "# def no(): pass\n", '"""\ndef no():\n    class No: pass\n"""\n', "\n",
        "if x:\n    y = [\n1,\n    ]\n", "for i in ():\n\ty = i\n", "z = (lambda:\n  1)\n",
    ]
)  # fmt: skip
HEADS = st.sampled_from(
    [
        "def {}(self):\n", "def {}(\n    a,\n    b=(1,\n2),\n) -> int:\n", "async def {}():\n", "class {}:\n",
        "class {}(Base,\n  metaclass=M):\n", "@mark\ndef {}(): # odd\n", "@a.b(\n    1)\n@c\nclass {}(object):\n",
    ]
)  # fmt: skip
INDENTS = st.sampled_from(["  ", "    ", "\t"])


def definition(bodies):
    """A definition over one of the ``bodies``; the place of its name is left open."""
    return st.builds(
        lambda head, body, indent: head + textwrap.indent(body or "pass\n", indent), HEADS, bodies, INDENTS
    )


def block(statements):
    return st.lists(statements, min_size=1, max_size=4).map(lambda parts: "".join([*parts, "pass\n"]))


def numbered(source):
    """With a name of its own for every definition."""
    numbers = count()
    return re.sub(r"\{\}", lambda _: f"name{next(numbers)}", source)


PROGRAMS = block(st.recursive(PLAIN, lambda inner: definition(block(inner)), max_leaves=12)).map(numbered)


def defined(source):
    """First line, last line and name of everything that Python itself finds defined."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield min([node.lineno, *(mark.lineno for mark in node.decorator_list)]), node.end_lineno, node.name


def assert_defined(source: str) -> None:
    """Comments that end a body may count as its lines."""
    found = {(e.first, e.name.split(".")[-1]): e for e in parse_elements(source.encode(), "python")}
    lines = source.split("\n")
    for first, last, name in defined(source):
        element = found[first, name]
        beyond = (line.strip() for line in lines[last : element.last])
        assert element.last >= last
        assert all(not line or line.startswith("#") for line in beyond), (name, first, last, element.last)


@settings(max_examples=200, deadline=None)
@given(PROGRAMS)
def test_valid_python(source):
    assert_defined(source)


def test_the_standard_library():
    modules = sorted(Path(ast.__file__).parent.glob("[a-d]*.py"))
    assert len(modules) > 20
    for path in modules:
        assert_defined(path.read_text(encoding="utf-8"))


BREAKS = ["(", ")", '"""', "'", "{", ":", "<<<<<<< HEAD\n", "?", "\n  ", "\\", "class ", "def x(", "\x00", "é"]


def broken(source, changes):
    """With pieces put in, or so many characters taken out, at given places."""
    for place, change in changes:
        at = place % (len(source) + 1)
        rest = source[at + change :] if isinstance(change, int) else change + source[at:]
        source = source[:at] + rest
    return source


CHANGES = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from(BREAKS) | st.integers(1, 30)), min_size=1, max_size=3
)


@settings(max_examples=400, deadline=None)
@given(PROGRAMS, CHANGES)
@example("x = 1\nx = 1\nx = 1\ndef name0(self):\n  x = 1\n  pass\npass\n", [(0, "("), (23, "é")])
def test_broken_python(source, changes):
    """The grammar lost whole classes in the error that one odd character made; elements were what was left."""
    source = broken(source, changes)
    assume(parse_tree(source.encode(), "python").root_node.has_error)
    found = parse_elements(source.encode(), "python")
    for number, line in enumerate(source.split("\n"), 1):
        if header := HEADER.fullmatch(line.rstrip(" \t\r\n\v\f")):
            own = [e for e in found if e.first <= number <= e.last and e.name.split(".")[-1] == header[1]]
            assert own, (number, line)


# Pieces of valid source in other languages; each name in them is one of an element on its line
TEMPLATES = {
    "a.js": ["class NAME {\n  NAME() {\n    return 1;\n  }\n}\n", "async function NAME(a) {\n}\n", "let NAME = 1;\n"],
    "a.ts": ["export class NAME<T> {\n  NAME(x: T) {\n  }\n}\n", "interface NAME {\n  a: number;\n}\n"],
    "A.java": ["class NAME {\n  int NAME(int a) {\n    return 1;\n  }\n}\n", "interface NAME {\n  void NAME();\n}\n"],
    "a.go": ["type NAME struct {\n\ta int\n}\n", "func NAME() {\n}\n", "func (t *T) NAME() int {\n\treturn 1\n}\n"],
    "a.rs": ["mod NAME {\n    fn NAME() {\n    }\n}\n", "#[test]\nfn NAME() {}\n", "enum NAME {\n    A,\n}\n"],
    "a.c": ["struct NAME {\n  int a;\n};\n", "static int *NAME(int a)\n{\n  return 0;\n}\n", "int NAME = 1;\n"],
    "a.cpp": [
        "namespace NAME {\nclass NAME {\n  int NAME() { return 1; }\n};\n}\n",
        "template <class T>\nT NAME() {\n}\n",
    ],
    "a.rb": ["module NAME\n  class NAME\n    def NAME(x)\n      1\n    end\n  end\nend\n", "def NAME\nend\n"],
    "a.php": ["class NAME\n{\n  function NAME($x)\n  {\n  }\n}\n", "function NAME() {\n}\n"],
}


@pytest.mark.parametrize("path", TEMPLATES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_other_languages(path, data):
    pieces = data.draw(st.lists(st.sampled_from(TEMPLATES[path]), min_size=1, max_size=12))
    names = count()
    opening = "<?php\n" if path == "a.php" else ""
    source = opening + re.sub("NAME", lambda _: f"Name{next(names)}", "".join(pieces))
    found = parse_elements(source.encode(), language_of(path))
    for number, line in enumerate(source.split("\n"), 1):
        for name in re.findall(r"Name\d+", line):
            assert any(e.name.split(".")[-1] == name and e.first <= number <= e.last for e in found), (name, source)
