"""What of a source file counts: in each language the first two mean the same, and each of the others something else."""

import pytest

from harness.repo.meaning import source_meaning

SCRIPT = (
    "function f(a) {\n  return a + 1;\n}\n",
    "// why\nfunction f( a ) {\n\n  /* more\n     of it */ return a + 1; // so\n}\n",
    "function f(a) {\n  return a - 1;\n}\n",
    "function f(a) {\n  return\n  a + 1;\n}\n",
)
SAME_AND_OTHERS = {
    "javascript": SCRIPT,
    "typescript": SCRIPT,
    "tsx": (
        "const a = <p>x  {1}</p>;\n",
        "// c\nconst a =\n  <p>x  {1 /* one */}</p>;\n",
        "const a = <p>x {1}</p>;\n",
        "const a = <p>x  // c {1}</p>;\n",
    ),
    "java": (
        'class A {\n  int f() { return 1; }\n  String s = "a  b";\n}\n',
        'class A {\n  /** Doc. */\n  int f()\n  {\n    return 1; // one\n  }\n\n  String s = "a  b";\n}\n',
        'class A {\n  int f() { return 2; }\n  String s = "a  b";\n}\n',
        'class A {\n  int f() { return 1; }\n  String s = "a b";\n}\n',
    ),
    "go": (
        'package a\n\nfunc f() string {\n\treturn "//x"\n}\n',
        '// Package a.\npackage a\n\nfunc f() string {\n\t// why\n\n\treturn "//x" // so\n}\n',
        'package a\n\nfunc f() string {\n\treturn "//y"\n}\n',
        '//go:build linux\npackage a\n\nfunc f() string {\n\treturn "//x"\n}\n',
    ),
    "rust": (
        "fn f() -> i32 {\n    m!(a = b);\n    1\n}\n",
        "/// Doc.\nfn f() -> i32 {\n    m!(a /* c */ = b); // d\n\n    1\n}\n",
        "fn f() -> i32 {\n    m!(a = c);\n    1\n}\n",
        "fn f() -> i32 {\n    m!(a = b);\n    1;\n}\n",
    ),
    "c": (
        "#define A 1\nint f(int x) { return x - -A; }\n",
        "/* c */\n#define A 1 // one\n\nint f(int x)\n{\n  // d\n  return x - -A;\n}\n",
        "#define A 2\nint f(int x) { return x - -A; }\n",
        "#define A 1\nint f(int x) { return x + -A; }\n",
    ),
    "cpp": (
        'class A {\n  int f() { return 1; }\n};\nauto s = R"(a // b)";\n',
        'class A {\n  int f() { return 1; } // one\n  /* none */\n};\n\nauto s = R"(a // b)";\n',
        'class A {\n  int f() { return 2; }\n};\nauto s = R"(a // b)";\n',
        'class A {\n  int f() { return 1; }\n};\nauto s = R"(a // c)";\n',
    ),
    "ruby": (
        "def f(x)\n  y = <<~A\n    # text\n  A\n  x - 1\nend\n",
        "# Doc.\ndef f(x)\n\n  y = <<~A\n    # text\n  A\n  x - 1 # one\n  # end\nend\n",
        "def f(x)\n  y = <<~A\n    # other\n  A\n  x - 1\nend\n",
        "def f(x)\n  y = <<~A\n    # text\n  A\n  x -1\nend\n",
        "# frozen_string_literal: true\ndef f(x)\n  y = <<~A\n    # text\n  A\n  x - 1\nend\n",
    ),
    "php": (
        "<p>\n<?php\nfunction f($x) {\n  return $x . 'a # b';\n}\n",
        "<p>\n<?php\n// why\nfunction f($x)\n{\n  # so\n\n  return $x . 'a # b'; /* c */\n}\n",
        "<p>\n<?php\nfunction f($x) {\n  return $x . 'a # c';\n}\n",
        "<p>\n\n<?php\nfunction f($x) {\n  return $x . 'a # b';\n}\n",
        "<p>\n<?php\n/** @test */\nfunction f($x) {\n  return $x . 'a # b';\n}\n",
    ),
}


@pytest.mark.parametrize("language", SAME_AND_OTHERS)
def test_comments_and_formatting_do_not_count_and_all_else_does(language: str) -> None:
    first, same, *others = (source_meaning(text.encode(), language) for text in SAME_AND_OTHERS[language])
    assert first == same != ""
    assert len({first, *others}) == 1 + len(others)
    assert "" not in others


@pytest.mark.parametrize("language", SAME_AND_OTHERS)
def test_a_broken_file_has_no_meaning(language: str) -> None:
    assert source_meaning(SAME_AND_OTHERS[language][0].encode() + b"\nfunction (((\n<?php (", language) == ""


def test_comments_that_go_compiles_or_compares_with_count() -> None:
    for text in ('package a\n\n// int x;\nimport "C"\n', "package a\n\nfunc ExampleF() {\n\t// Output: 1\n}\n"):
        assert source_meaning(text.encode(), "go") != source_meaning(text.replace("//", "// 2").encode(), "go")


def test_nesting_beyond_any_stack() -> None:
    deep = [b"x = " + b"(" * 200_000 + number + b")" * 200_000 + b";" for number in (b"1", b"2")]
    assert source_meaning(deep[0], "javascript") != source_meaning(deep[1], "javascript") != ""


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"\0" * 9])
def test_any_bytes(data: bytes) -> None:
    for language in SAME_AND_OTHERS:
        assert isinstance(source_meaning(data, language), str)
