from time import perf_counter

import pytest

from harness.core.candidate import Edit, Effect
from harness.repair.edits import FileChange, apply_edits
from harness.repair.match import SourceFile
from harness.repair.patch import make_patch, normalise, read_effect, syntax_problem
from harness.repo.diff import Replacement
from harness.repo.memory_snapshot import MemorySnapshot

SOURCE = b'"""Doc."""\n\n\ndef f(x):\n    """Give x."""\n    return x\n'


def rewritten(new: bytes, path: str = "a.py", old: bytes | None = SOURCE) -> list[FileChange]:
    file = None if old is None else SourceFile(old)
    count = len(file.lines) if file else 0
    return [FileChange(path, file, (Replacement(0, count, tuple(new.splitlines(keepends=True))),))]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"def f(x):\n    return x + 1\n", b'"""D."""\n\ndef f(x):\n    # more\n    """E."""\n    return (x  +  1)\n'),
        (
            b"class A:\n    if x:\n        def f(self): return 'a'\n",
            b'class A:\n  if x:\n    def f(self):\n      return "a"\n',
        ),
        (b"x = 1\r\ny = 2\r\n", b"x = 1; y = 2\n"),
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(one, other):
    assert normalise(rewritten(one)) == normalise(rewritten(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"def f(x):\n    return x + 1\n", b"def f(x):\n    return 1 + x\n"),
        (b"x = 'a b'\n", b"x = 'a  b'\n"),
        (b"x = 1\ny = 2\n", b"y = 2\nx = 1\n"),
    ],
)
def test_what_python_does_counts(one, other):
    assert normalise(rewritten(one)) != normalise(rewritten(other))


def test_of_other_files_white_space_does_not_count():
    assert normalise(rewritten(b"a b\nc\n", "a.txt")) == normalise(rewritten(b"a  b \n\n  c\n", "a.txt"))
    assert normalise(rewritten(b"a b\n", "a.txt")) != normalise(rewritten(b"a c\n", "a.txt"))


def test_the_same_change_elsewhere_is_another():
    snapshot = MemorySnapshot({"a.txt": b"x\n1\ny\n1\n"})
    keys = {
        normalise(apply_edits([Edit("a.txt", f"{line}\n1\n", f"{line}\n2\n")], snapshot, ()).changes) for line in "xy"
    }
    assert len(keys) == 2


def test_a_file_changed_in_comments_only_does_not_count():
    real = rewritten(b"def f(x):\n    return 2\n")
    comment = rewritten(SOURCE + b"# done\n", "b.py")
    assert normalise([*real, *comment]) == normalise(real)
    assert normalise([*real, *rewritten(b"", "new.py", None)]) != normalise(real)


def test_broken_python_is_named_unless_it_was_broken_before():
    assert syntax_problem(rewritten(b"def f(x:\n")).startswith("a.py: line 1: ")
    assert syntax_problem(rewritten(b"def f(x:\n", old=None)) != ""
    assert syntax_problem(rewritten(b"print 'two'\n", old=b"print 'one'\n")) == ""
    assert syntax_problem(rewritten(b"def f(x:\n", "a.txt")) == ""
    assert syntax_problem(rewritten(b"x = '\\d'\n")) == ""
    assert "line 1" in syntax_problem(rewritten(b"x = '\xff'\n"))


def test_nesting_beyond_the_parser_is_a_problem_and_no_crash():
    assert syntax_problem(rewritten(b"x = " + b"(" * 5000 + b")" * 5000 + b"\n"))
    assert syntax_problem(rewritten(b"x = " + b"-" * 100_000 + b"1\n"))


@pytest.mark.parametrize(
    ("new", "effect"),
    [
        (SOURCE.replace(b"return x", b"return y"), Effect.CODE),
        (SOURCE.replace(b"Give x", b"Give y"), Effect.FORMATTING),
        (SOURCE.replace(b"    return x", b"    # why\n    return (x)"), Effect.FORMATTING),
        (SOURCE + b"\n\n", Effect.BLANK_LINES),
        (SOURCE.replace(b"\n\n\n", b"\n  \n"), Effect.BLANK_LINES),
        (b"", Effect.CODE),
    ],
)
def test_what_a_patch_can_do_is_told(new, effect):
    assert read_effect(rewritten(new)) is effect
    assert read_effect([*rewritten(new), *rewritten(b"", "b.py", None)]) is Effect.CODE


def test_blank_lines_in_a_string_and_indentation_elsewhere_are_code():
    assert read_effect(rewritten(b"x = '''a\n'''\n", old=b"x = '''a\n\n'''\n")) is Effect.CODE
    assert read_effect(rewritten(b"a:\n  b\n", "a.yaml", b"a:\nb\n")) is Effect.CODE
    assert read_effect(rewritten(b"a:\n\nb  \n", "a.yaml", b"a:\nb\n")) is Effect.BLANK_LINES


@pytest.mark.parametrize(
    ("new", "effect"),
    [
        ("// one\nint f() {\n  return 1;\n}\n", Effect.FORMATTING),
        ("int f() {\n\n  return 1;  \n}\n", Effect.BLANK_LINES),
        ("int f() {\n  return 2; // one\n}\n", Effect.CODE),
        ("int f() {\n  return 1; /* one\n}\n", Effect.CODE),
    ],
)
def test_comments_of_other_languages_do_nothing(new, effect):
    old = b"int f() {\n  return 1;\n}\n"
    changes = rewritten(new.encode(), "a.c", old)
    assert read_effect(changes) is effect
    real = rewritten(b"def f(x):\n    return 2\n")
    assert (normalise([*real, *changes]) == normalise(real)) is (effect is not Effect.CODE)


def test_candidates_that_differ_in_comments_of_another_language_are_one():
    one, other, third = (
        rewritten(f"int f() {{\n  return {value};{note}\n}}\n".encode(), "a.c", b"int f() {\n  return 1;\n}\n")
        for value, note in ((2, ""), (2, " // two"), (3, ""))
    )
    assert normalise(one) == normalise(other) != normalise(third)


def test_a_patch_for_a_long_file_takes_under_ten_milliseconds():
    lines = [f"    value_{i} = compute(value_{i % 50})\n" for i in range(5000)]
    snapshot = MemorySnapshot({"a.txt": "".join(lines).encode()})
    edit = Edit("a.txt", "".join(lines[2500:2505]), "".join(["new\n", *lines[2501:2505]]))
    times = []
    for _ in range(10):
        start = perf_counter()
        patch = make_patch(apply_edits([edit], snapshot, ()).changes)
        times.append(perf_counter() - start)
    assert min(times) < 0.01
    assert "\n-    value_2500 = compute(value_0)\n+new\n     value_2501" in patch


def test_an_answer_that_repeats_itself_does_not_stall():
    """Plain difflib takes cubic time here: 15 s on its own."""
    snapshot = MemorySnapshot({"a.txt": b"x\n" * 1000})
    start = perf_counter()
    make_patch(apply_edits([Edit("a.txt", "x\n" * 1000, "x\ny\n" * 500)], snapshot, ()).changes)
    assert perf_counter() - start < 8
