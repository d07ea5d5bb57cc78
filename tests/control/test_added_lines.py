"""Opposite assertions on added lines of tests in other languages."""

import random

import pytest

from harness.control.added_lines import line_changes
from harness.control.change import changed


@pytest.mark.parametrize(
    ("path", "line", "other"),
    [
        ("a.test.js", "  expect(add(1, 2)).toBe(3);", "  expect(add(1, 2)).not.toBe(3);"),
        ("a.test.ts", "expect(x).not.toEqual({a: 1});", "expect(x).toEqual({a: 1});"),
        ("a.test.js", "assert.strictEqual(a, 1);", "assert.notStrictEqual(a, 1);"),
        ("a.test.js", "assert.deepEqual(a, [1]);", "assert.notDeepEqual(a, [1]);"),
        ("a.test.js", "expect(x).to.equal(1);", "expect(x).to.not.equal(1);"),
        ("a.test.js", "x.should.be.true();", "x.should.not.be.true();"),
        ("a.test.js", "assert(x > 1);", "assert(!(x > 1));"),
        ("a_test.go", "\tassert.Equal(t, 1, x)", "\tassert.NotEqual(t, 1, x)"),
        ("a_test.go", "\trequire.NoError(t, err)", "\trequire.Error(t, err)"),
        ("a_test.go", "\tif got != want {", "\tif got == want {"),
        ("a_test.go", "\tif !reflect.DeepEqual(got, want) {", "\tif reflect.DeepEqual(got, want) {"),
        ("tests/a.rs", "    assert_eq!(add(1, 2), 3);", "    assert_ne!(add(1, 2), 3);"),
        ("tests/a.rs", "    assert!(ok(1));", "    assert!(!(ok(1)));"),
    ],
)
def test_the_opposite_of_a_line(path: str, line: str, other: str) -> None:
    content = f"before\n{line}\nafter\n".encode()
    [change] = line_changes(path, content, [1], random.Random(0))
    assert changed(content, [change]).decode() == f"before\n{other}\nafter\n"


@pytest.mark.parametrize(
    ("path", "line"),
    [("a.js", "// expect(x).toBe(1)"), ("a.js", "const x = 1;"), ("a_test.go", "if err != nil {"), ("a.c", "f(1);")],
)
def test_lines_that_assert_nothing_stay(path: str, line: str) -> None:
    assert line_changes(path, f"{line}\n".encode(), [0], random.Random(0), printed=True) == []


def test_expected_output_gets_another_letter_if_asked_for() -> None:
    content = b"unused-import:1:0:1:9::Unused import os\n"
    assert line_changes("tests/a.txt", content, [0], random.Random(0)) == []
    [change] = line_changes("tests/a.txt", content, [0], random.Random(0), printed=True)
    assert sum(a != b for a, b in zip(changed(content, [change]), content, strict=True)) == 1
