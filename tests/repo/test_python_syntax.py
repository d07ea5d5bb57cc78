"""What counts in a vote: the text of a syntax tree."""

import ast
from pathlib import Path

import pytest

from harness.repo.python_syntax import read_syntax, tree_text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('def f():\n    "Doc."\n    return 1\n', "def f(): return (1)  # one\n", True),
        ('class A:\n    "Doc."\n    x = 1\n', "class A:\n    x = 1\n", True),
        ('if x:\n    "no doc"\n    y = 1\n', "if x:\n    y = 1\n", False),
        ("x = 1", "x = 1.0", False),
        ("x = 1", "x = True", False),
        ("x = 'ab'", "x = b'ab'", False),
        ("return None", "return", False),
        ("f(a, b)", "f((a, b))", False),
        ("global a, b", "global ab", False),
    ],
)
def test_what_means_the_same(one, other, same):
    assert (read_syntax(one.encode()).meaning == read_syntax(other.encode()).meaning) is same


def test_two_statements_have_one_text_exactly_where_they_have_one_dump():
    """The text replaces `ast.dump`, which took most of the time of a patch in a large file."""
    dumps, texts = {}, {}
    for path in sorted(Path(ast.__file__).parent.glob("[a-c]*.py")):
        for node in (n for n in ast.parse(path.read_bytes()).body if not isinstance(n, ast.ClassDef)):
            if isinstance(node, ast.FunctionDef):
                continue  # their docstrings drop out
            text, dump = tree_text(node), ast.dump(node)
            assert dumps.setdefault(text, dump) == dump
            assert texts.setdefault(dump, text) == text
    assert len(dumps) > 100
