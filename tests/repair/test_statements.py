"""What is read of a changed file in part must be what is read of it whole."""

import random
from pathlib import Path
from time import perf_counter

import pytest

from harness.repair import statements
from harness.repair.statements import change_module, read_module
from harness.repo.diff import Replacement, replaced, split_lines

FOLDER = Path(statements.__file__).parent
SOURCES = [path.read_bytes() for path in sorted(FOLDER.glob("*.py"))]
ODD = b'''"""Doc."""
import a; import b
@decorated(
    "x"
)
class A(
    B):
    """Doc."""
    x = 1; y = 2

    class C:
        def f(self):
            """Doc."""
            return """a

b"""
        # the end of f
    if x:
        z = 1
    else:
        z = 2

class D: pass
class E:
\tdef g(self):
\t\tpass
x = 1 \\
    + 2
"a string"
'''
LINES = [
    b"x = 1\n", b"    x = 1\n", b"        x = 1\n", b"            x = 1\n", b"\t\tpass\n", b"\n", b"# c\n",
    b"    # c\n", b"else:\n", b"    else:\n", b'"""\n', b'    """Doc."""\n', b'"doc"\n', b"@d\n", b"    @d\n",
    b"def f():\n", b"    def f(self):\n", b"class C:\n", b"    class C:\n", b"(\n", b")\n", b"x = 1 \\\n", b"a; b\n",
    b"x = '\xc3\xa9'\n", b"# coding: latin-1\n", b"\xff\n", b"x = 1\r\n", b"x\ry\n", b"\x0c\n",
]  # fmt: skip
CHANGES = 1500


def random_change(rng: random.Random, lines: list[bytes]) -> list[Replacement]:
    """One or two changes of some lines, some of them to lines that the file has elsewhere."""
    changes, position = [], 0
    for _ in range(rng.choice((1, 1, 2))):
        start = rng.randrange(position, len(lines) + 1)
        end = min(len(lines), start + rng.choice((0, 0, 1, 1, 2, 5)))
        copied = rng.randrange(len(lines))
        new = rng.choice(([], [rng.choice(LINES)], rng.choices(LINES, k=2), lines[copied : copied + 3]))
        changes.append(Replacement(start, end, tuple(new)))
        position = min(len(lines), end + 1)
    return changes


def test_a_part_says_what_the_whole_says():
    rng = random.Random(4)
    parsed = 0
    for number in range(CHANGES):
        source = ODD if number % 2 else rng.choice(SOURCES)
        changes = random_change(rng, split_lines(source))
        whole = read_module(replaced(split_lines(source), changes))
        part = change_module(source, changes)
        assert (part.problem, part.meaning) == (whole.problem, whole.meaning), changes
        parsed += not whole.problem
    assert CHANGES // 5 < parsed < CHANGES


@pytest.mark.parametrize("statement", [b"        return 2\n", b'        """Other."""\n', b"        return 1  # why\n"])
def test_a_change_in_a_large_file_reads_a_little(statement, monkeypatch):
    method = b'    def f_%d(self):\n        """Doc."""\n        return 1\n\n'
    source = b"class A:\n" + b"".join(method % number for number in range(3000))
    assert read_module(source).block
    sizes = []
    parse = statements.parse_python
    monkeypatch.setattr(statements, "parse_python", lambda text: sizes.append(len(text)) or parse(text))
    start = perf_counter()
    assert not change_module(source, [Replacement(6003, 6004, (statement,))]).problem
    assert perf_counter() - start < 1
    assert len(sizes) == 1
    assert sizes[0] < 300
