"""Elements in every language, and what holds for the elements of any text at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.repo.symbols import language_of, parse_elements, resolve_element

PYTHON = b"""\
import os

LIMIT: int = 3
TABLE = {
    "a": 1,
}

@cache
@other(1)
class Shape(Base):
    "Doc."
    size = 1

    @property
    def area(self) -> int:
        return 1

    @area.setter
    def area(self, value): self.size = value

    class Inner:
        async def grow(self,
                       by=1):
            def helper():
                pass
            return helper


async def main(): pass
"""

# a path, its source, and its elements in order: kind, name, first and last line, first line below the header
SOURCES = [
    (
        "a.py",
        PYTHON,
        [
            ("variable", "LIMIT", 3, 3, 4),
            ("variable", "TABLE", 4, 6, 7),
            ("class", "Shape", 8, 26, 11),
            ("method", "Shape.area", 14, 16, 16),
            ("method", "Shape.area", 18, 19, 20),
            ("class", "Shape.Inner", 21, 26, 22),
            ("method", "Shape.Inner.grow", 22, 26, 24),
            ("function", "Shape.Inner.grow.helper", 24, 25, 25),
            ("function", "main", 29, 29, 30),
        ],
    ),
    (
        "a.js",
        b"""\
export class A {
  go(x) {
    return 1;
  }
}
const f = (x) => {
  go();
};
let y = 1;
function* g() {}
""",
        [
            ("class", "A", 1, 5, 2),
            ("method", "A.go", 2, 4, 3),
            ("function", "f", 6, 8, 7),
            ("variable", "y", 9, 9, 10),
            ("function", "g", 10, 10, 11),
        ],
    ),
    (
        "a.ts",
        b"""\
@Injectable()
export class A<T> {
  @Input()
  go(x: T): T {
    return x;
  }
}
interface B {
  c: number;
}
type D = B;
""",
        [
            ("class", "A", 1, 7, 3),
            ("method", "A.go", 3, 6, 5),
            ("class", "B", 8, 10, 9),
            ("variable", "D", 11, 11, 12),
        ],
    ),
    ("a.tsx", b"const App = () => {\n  return <b>x</b>;\n};\n", [("function", "App", 1, 3, 2)]),
    (
        "A.java",
        b"""\
package a;
@Deprecated
public class A {
  private int x = 1;
  A() {
  }
  @Override
  int go() {
    return x;
  }
}
""",
        [
            ("class", "A", 2, 11, 4),
            ("variable", "A.x", 4, 4, 5),
            ("method", "A.A", 5, 6, 6),
            ("method", "A.go", 7, 10, 9),
        ],
    ),
    (
        "a.go",
        b"""\
package a
var X = 1
type T struct {
\ta int
}
func (t *T) Go() int {
\treturn 1
}
func f() {
}
""",
        [
            ("variable", "X", 2, 2, 3),
            ("class", "T", 3, 5, 6),
            ("method", "T.Go", 6, 8, 7),
            ("function", "f", 9, 10, 10),
        ],
    ),
    (
        "a.rs",
        b"""\
const A: u8 = 1;
#[derive(Debug)]
struct S {
    a: u8,
}
impl S {
    #[inline]
    fn go(&self) -> u8 {
        1
    }
}
fn f() {}
""",
        [
            ("variable", "A", 1, 1, 2),
            ("class", "S", 2, 5, 4),
            ("class", "S", 6, 11, 7),
            ("method", "S.go", 7, 10, 9),
            ("function", "f", 12, 12, 13),
        ],
    ),
    (
        "a.c",
        b"""\
#define TWO 2
static int x = 1;
struct s {
  int a;
};
int *f(int a)
{
  return 0;
}
""",
        [
            ("variable", "TWO", 1, 1, 2),
            ("variable", "x", 2, 2, 3),
            ("class", "s", 3, 5, 4),
            ("function", "f", 6, 9, 8),
        ],
    ),
    (
        "a.cpp",
        b"""\
namespace n {
template <class T>
class A {
  int go() {
    return 1;
  }
};
}
int n::A::f() {
  return 2;
}
""",
        [
            ("class", "n", 1, 8, 2),
            ("class", "n.A", 2, 7, 4),
            ("method", "n.A.go", 4, 6, 5),
            ("function", "n.A.f", 9, 11, 10),
        ],
    ),
    (
        "a.rb",
        b"""\
X = 1
module M
  class A < B
    def go(x)
      1
    end
    def self.make
    end
  end
end
""",
        [
            ("variable", "X", 1, 1, 2),
            ("class", "M", 2, 10, 3),
            ("class", "M.A", 3, 9, 4),
            ("method", "M.A.go", 4, 6, 5),
            ("method", "M.A.make", 7, 8, 9),
        ],
    ),
    (
        "a.php",
        b"""\
<?php
const X = 1;
class A
{
    public function go($x)
    {
        return 1;
    }
}
function f() {
}
""",
        [
            ("variable", "X", 2, 2, 3),
            ("class", "A", 3, 9, 5),
            ("method", "A.go", 5, 8, 7),
            ("function", "f", 10, 11, 11),
        ],
    ),
]


def elements_of(path, source):
    language = language_of(path)
    assert language
    return parse_elements(source, language)


@pytest.mark.parametrize(("path", "source", "expected"), SOURCES, ids=[path for path, *_ in SOURCES])
def test_elements_with_their_ranges(path, source, expected):
    assert [(e.kind, e.name, e.first, e.last, e.body) for e in elements_of(path, source)] == expected


def test_signatures_and_decorators():
    found = elements_of("a.py", PYTHON)
    assert found[2].signature == "class Shape(Base):"
    assert found[2].decorators == ("@cache", "@other(1)")
    assert found[6].signature == "async def grow(self, by=1):"
    assert found[1].signature == "TABLE = {"
    rust = elements_of("a.rs", SOURCES[6][1])
    assert rust[1].decorators == ("#[derive(Debug)]",)


def test_other_files_are_still_files():
    assert language_of("README.md") is None
    assert language_of("src/x.PY") == "python"


def test_broken_source_gives_what_can_be_had():
    broken = b"def good():\n    return 1\n\nclass (((:\n\ndef other(x):\n    return x\n"
    assert {"good", "other"} <= {element.name for element in elements_of("a.py", broken)}


@pytest.mark.parametrize("source", [b"", b"\xff\xfe\x00d\x00e\x00f", b"x" * 50_000, b"(" * 20_000, b"\r\n\r\n"])
@pytest.mark.parametrize("path", ["a.py", "a.js", "a.cpp", "a.rb", "a.php"])
def test_odd_source_gives_only_lines_that_it_has(path, source):
    lines = source.count(b"\n") + 1
    assert all(1 <= element.first <= element.last <= lines for element in elements_of(path, source))


def test_lines_of_any_encoding_and_newline_are_counted_alike():
    source = "# größe\r\nx = 'ä'\r\n\r\ndef f():\r\n    return x".encode("latin-1")
    assert [(e.name, e.first, e.last) for e in elements_of("a.py", source)] == [("x", 2, 2), ("f", 4, 5)]


PIECES = [line + b"\n" for path, source, _ in SOURCES if path in ("a.py", "a.js") for line in source.split(b"\n")]
TEXTS = st.lists(st.sampled_from(PIECES) | st.binary(max_size=12), max_size=40).map(b"".join)


@pytest.mark.parametrize("language", ["python", "javascript"])
@settings(max_examples=150, deadline=None)
@given(source=TEXTS)
def test_ranges_nest_and_cover(language, source):
    assert_nested(parse_elements(source, language), source)


def assert_nested(found, source):
    """Any two elements are one inside the other or apart, but for the lines that they share at their ends."""
    length = source.count(b"\n") + 1
    for number, element in enumerate(found):
        assert 1 <= element.first <= element.last <= length
        assert element.first <= element.body <= element.last + 1
        for later in found[number + 1 :]:
            assert later.first >= element.first
            inside, apart = later.last <= element.last, later.first >= element.last
            assert inside or apart
            if later.kind != "variable" and later.name.startswith(f"{element.name}.") and not apart:
                assert inside


def test_names_are_resolved_exactly_then_by_their_only_ending():
    found = elements_of("a.py", PYTHON)
    assert [e.first for e in resolve_element("Shape.area", found)] == [14, 18]
    assert [e.name for e in resolve_element("grow()", found)] == ["Shape.Inner.grow"]
    assert [e.name for e in resolve_element("Inner::grow", found)] == ["Shape.Inner.grow"]
    for unknown in ("", "nothing", "__import__('os')", "rea", "Shape.area.x"):
        assert resolve_element(unknown, found) == ()
    twice = elements_of("a.py", b"class A:\n    def f(self): pass\nclass B:\n    def f(self): pass\n")
    assert resolve_element("f", twice) == ()
