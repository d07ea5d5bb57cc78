import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.candidate import Edit, Grade, Reason
from harness.core.location import Location
from harness.repair.edits import apply_edits
from harness.repair.match import EditRefused
from harness.repo.memory_snapshot import MemorySnapshot

SOURCE = b"def f(x):\n    y = 1\n    return y\n\n\ndef g(x):\n    y = 1\n    return x\n"


def applied(data: bytes, *edits: Edit, shown=()) -> tuple[bytes, tuple[Grade, ...]]:
    result = apply_edits(edits, MemorySnapshot({"src/a.py": data}), shown)
    assert [change.path for change in result.changes] == ["src/a.py"]
    return result.changes[0].content, result.grades


def edit(search: str, replace: str, path: str = "src/a.py") -> Edit:
    return Edit(path, search, replace)


def refusal(data: bytes, *edits: Edit, **options) -> Reason:
    with pytest.raises(EditRefused) as refused:
        applied(data, *edits, **options)
    assert refused.value.detail
    assert "\n" not in refused.value.detail
    return refused.value.reason


def test_whole_lines_are_replaced_in_the_one_place():
    new, grades = applied(SOURCE, edit("    return y\n", "    return y + 1\n"))
    assert new == SOURCE.replace(b"return y\n", b"return y + 1\n")
    assert grades == (Grade.EXACT,)


def test_a_deletion_takes_the_lines_out():
    new, _ = applied(SOURCE, edit("def g(x):\n    y = 1\n    return x\n", ""))
    assert new == b"def f(x):\n    y = 1\n    return y\n\n\n"


def test_a_part_of_a_line_is_no_match():
    assert refusal(SOURCE, edit("turn y\n", "turn z\n")) is Reason.NO_MATCH


def test_two_matches_are_refused_and_changed_nowhere():
    assert refusal(SOURCE, edit("    y = 1\n", "    y = 2\n")) is Reason.AMBIGUOUS_MATCH


def test_of_two_matches_the_one_that_was_shown_counts():
    shown = [Location("src/a.py", ((5, 8),))]
    new, _ = applied(SOURCE, edit("    y = 1\n", "    y = 2\n"), shown=shown)
    assert new == SOURCE[: SOURCE.index(b"def g")] + SOURCE[SOURCE.index(b"def g") :].replace(b"y = 1", b"y = 2")
    assert (
        refusal(SOURCE, edit("    y = 1\n", "y\n"), shown=[Location("src/a.py", ((1, 8),))]) is Reason.AMBIGUOUS_MATCH
    )


def test_an_exact_match_beats_a_looser_one():
    new, grades = applied(b"a \na\n", edit("a\n", "b\n"))
    assert (new, grades) == (b"a \nb\n", (Grade.EXACT,))


def test_trailing_white_space_does_not_matter_and_stays_on_repeated_lines():
    new, grades = applied(b"one  \ntwo\t\nthree\n", edit("one\ntwo\n", "one\n2\n"))
    assert (new, grades) == (b"one  \n2\nthree\n", (Grade.WHITESPACE,))


@pytest.mark.parametrize("end", [b"", b"\r\n"])
def test_crlf_files_keep_crlf(end):
    new, grades = applied(b"one\r\ntwo\r\nthree" + end, edit("two\nthree\n", "2\n2.5\nthree\n"))
    assert new == b"one\r\n2\r\n2.5\r\nthree" + end
    assert grades == (Grade.WHITESPACE,)


def test_mixed_newlines_stay_where_nothing_changed():
    new, _ = applied(b"a\r\nb\nc\r\nd\n", edit("b\nc\nd\n", "b\nC\nd\n"))
    assert new in (b"a\r\nb\nC\nd\n", b"a\r\nb\nC\r\nd\n")


@pytest.mark.parametrize(
    ("replace", "expected"),
    [("a\nB\n", b"a\nB"), ("a\nb\nc\n", b"a\nb\nc"), ("a\n", b"a"), ("", b""), ("x\nb\n", b"x\nb")],
)
def test_a_missing_newline_at_the_end_stays_missing(replace, expected):
    assert applied(b"a\nb", edit("a\nb\n", replace))[0] == expected


def test_another_indentation_is_carried_over():
    data = b"class A:\n    def f(self):\n        if x:\n            return 1\n"
    search, replace = "if x:\n    return 1\n", "if y:\n    return 2\n\nreturn 3\n"
    new, grades = applied(data, edit(search, replace))
    assert new == b"class A:\n    def f(self):\n        if y:\n            return 2\n\n        return 3\n"
    assert grades == (Grade.REINDENTED,)
    deeper = "".join(f"            {line}\n" if line else "\n" for line in ("if x:", "    return 1"))
    assert applied(data, edit(deeper, deeper.replace("1", "2")))[0] == data.replace(b"1", b"2")


def test_uneven_indentation_is_no_match():
    assert refusal(b"  a\n    b\n", edit("a\nb\n", "c\n")) is Reason.NO_MATCH


def test_every_search_text_meets_the_file_as_it_was():
    first, second = edit("a\n", "b\n"), edit("b\n", "c\n")
    assert applied(b"a\nb\n", first, second)[0] == b"b\nc\n"
    assert refusal(b"a\nx\n", first, second) is Reason.NO_MATCH


def test_edits_of_the_same_lines_are_refused_unless_they_are_one():
    assert refusal(b"a\nb\nc\n", edit("a\nb\n", "x\n"), edit("b\nc\n", "y\n")) is Reason.OVERLAPPING_EDITS
    assert applied(b"a\nb\n", edit("a\n", "x\n"), edit("a\n", "x\n")) == (b"x\nb\n", (Grade.EXACT,))


def test_edits_may_share_lines_that_neither_changes_and_agree_on_a_change():
    first, second = edit("a\nb\nc\n", "A\nb\nc\n"), edit("b\nc\nd\n", "b\nc\nD\n")
    assert applied(b"a\nb\nc\nd\n", first, second)[0] == b"A\nb\nc\nD\n"
    assert applied(b"a\nb\nc\n", edit("a\nb\n", "x\nb\n"), edit("a\nb\nc\n", "x\nb\nc\n"))[0] == b"x\nb\nc\n"


def test_nothing_changed_is_a_no_op():
    assert refusal(SOURCE, edit("    return y\n", "    return y\n")) is Reason.NO_OP


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_other_encodings_survive(encoding):
    data = "# é\nname = 'ü'\nx = 1\n".encode(encoding)
    new, _ = applied(data, edit("# é\nname = 'ü'\n", "# é\nname = 'ö'\n"))
    assert new == "# é\nname = 'ö'\nx = 1\n".encode(encoding)
    assert applied(data, edit("# é\n", "# è\n"))[0] == "# è\nname = 'ü'\nx = 1\n".encode(encoding)


def test_characters_that_the_encoding_lacks_are_refused():
    data = "é = 1\nx = 2\n".encode("latin-1")
    assert refusal(data, edit("x = 2\n", "x = '→'\n")) is Reason.UNENCODABLE
    assert refusal(data, edit("→\n", "x\n")) is Reason.NO_MATCH


def test_binary_files_are_refused():
    assert refusal(b"a\n\0\n", edit("a\n", "b\n")) is Reason.BINARY_FILE
    assert refusal(b"a\n", edit("a\n", "\0\n")) is Reason.BINARY_FILE


def test_an_empty_search_makes_a_new_file_and_fills_an_empty_one_only():
    result = apply_edits([edit("", "x = 1\n", "pkg/new.py")], MemorySnapshot({"a.py": b"y\n"}), ())
    assert (result.changes[0].old, result.changes[0].content) == (None, b"x = 1\n")
    assert result.grades == (Grade.NEW_FILE,)
    assert applied(b"", edit("", "x = 1\n"))[0] == b"x = 1\n"
    assert refusal(SOURCE, edit("", "x = 1\n")) is Reason.AMBIGUOUS_MATCH


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("../a.py", Reason.FORBIDDEN_PATH),
        ("src/../../a.py", Reason.FORBIDDEN_PATH),
        ("/etc/passwd", Reason.FORBIDDEN_PATH),
        (".git/hooks/pre-commit", Reason.FORBIDDEN_PATH),
        ("sub/.GIT/config", Reason.FORBIDDEN_PATH),
        ("link", Reason.FORBIDDEN_PATH),
        ("folder/x.py", Reason.FORBIDDEN_PATH),
        ("src/a.py/b.py", Reason.FORBIDDEN_PATH),
        ("src", Reason.FORBIDDEN_PATH),
        ("src//b.py", Reason.FORBIDDEN_PATH),
        ("src/b\x1b.py", Reason.FORBIDDEN_PATH),
    ],
)
def test_paths_that_lead_elsewhere_are_refused(path, reason):
    snapshot = MemorySnapshot({"src/a.py": SOURCE}, links={"link": b"src/a.py", "folder": b"/etc"})
    for search in ("", "    return y\n"):
        with pytest.raises(EditRefused) as refused:
            apply_edits([edit(search, "x\n", path)], snapshot, ())
        assert refused.value.reason in (reason, Reason.UNKNOWN_PATH if search else reason)


def test_a_partial_path_means_the_shown_file_first():
    snapshot = MemorySnapshot({"a/x.py": b"1\n", "b/x.py": b"1\n", "b/y.py": b"1\n"})
    change = apply_edits([edit("1\n", "2\n", "x.py")], snapshot, [Location("b/x.py")]).changes[0]
    assert change.path == "b/x.py"
    assert apply_edits([edit("1\n", "2\n", "repo/b/y.py")], snapshot, ()).changes[0].path == "b/y.py"
    for name in ("x.py", "z.py"):
        with pytest.raises(EditRefused) as refused:
            apply_edits([edit("1\n", "2\n", name)], snapshot, ())
        assert refused.value.reason is Reason.UNKNOWN_PATH


def test_one_refused_edit_refuses_them_all():
    assert refusal(SOURCE, edit("    return y\n", "    return 2\n"), edit("missing\n", "x\n")) is Reason.NO_MATCH


TABBED = b"class A:\n\tdef f(self):\n\t\tif x:\n\t\t\treturn 1\n\t\treturn 2\n"


@pytest.mark.parametrize("width", [2, 4, 8])
def test_tabs_and_spaces_are_told_apart_by_nothing_but_width(width):
    spaced = TABBED.expandtabs(width)
    search, replace = "\t\tif x:\n\t\t\treturn 1\n", "\t\tif y:\n\t\t\tif z:\n\t\t\t\treturn 1\n"
    new, grades = applied(TABBED, edit(search.expandtabs(width), replace.expandtabs(width)))
    assert (new, grades) == (TABBED.replace(search.encode(), replace.encode()), (Grade.REINDENTED,))
    new, grades = applied(spaced, edit(search, replace))
    expected = spaced.replace(search.expandtabs(width).encode(), replace.expandtabs(width).encode())
    assert (new, grades) == (expected, (Grade.REINDENTED,))


def test_tabs_for_spaces_may_come_with_another_indentation():
    new, grades = applied(TABBED, edit("if x:\n    return 1\n", "if x:\n    return 3\n"))
    assert (new, grades) == (TABBED.replace(b"1", b"3"), (Grade.REINDENTED,))


LONG = b"def f(x):\n    a = 1\n    b = 2\n    return a\n\n\ndef g(x):\n    c = 1\n    return a\n"


@pytest.mark.parametrize(
    "dots", ["    ...\n", "...\n", "    # ...\n", "    # ... the rest stays ...\n", "    …\n", "\n    ...\n\n"]
)
def test_dots_stand_for_the_lines_between(dots):
    search, replace = f"def f(x):\n    a = 1\n{dots}    return a\n", f"def f(x, y):\n    a = y\n{dots}    return a\n"
    new, grades = applied(LONG, edit(search, replace), shown=[Location("src/a.py", ((1, 5),))])
    assert new == LONG.replace(b"f(x)", b"f(x, y)").replace(b"a = 1", b"a = y", 1)
    assert grades == (Grade.ELIDED,)


def test_dots_at_an_end_stand_for_what_follows():
    new, grades = applied(LONG, edit("def g(x):\n    ...\n", "def g(y):\n    ...\n"))
    assert (new, grades) == (LONG.replace(b"g(x)", b"g(y)"), (Grade.ELIDED,))


def test_dots_that_the_file_has_are_themselves():
    data = b"def f(x):\n    ...\n"
    assert applied(data, edit("def f(x):\n    ...\n", "def f(y):\n    ...\n")) == (
        b"def f(y):\n    ...\n",
        (Grade.EXACT,),
    )
    assert applied(data, edit("    ...\n", "    return 1\n"))[0] == b"def f(x):\n    return 1\n"


@pytest.mark.parametrize(
    ("search", "replace", "reason"),
    [
        ("def f(x):\n    ...\n    return a\n", "def f(x):\n    return b\n", Reason.ELISION),
        ("def f(x):\n    ...\n", "def f(x):\n    ...\n    return b\n", Reason.ELISION),
        ("def g(x):\n    ...\ndef f(x):\n", "def g(y):\n    ...\ndef f(x):\n", Reason.ELISION),
        ("    ...\n", "    ...\n", Reason.ELISION),
        ("def h(x):\n    ...\n    return a\n", "def h(y):\n    ...\n    return a\n", Reason.NO_MATCH),
        ("def f(x):\n    ...\n    return a\n", "def f(x):\n    ...\n    return b\n", Reason.AMBIGUOUS_MATCH),
        (LONG[:45].decode(), "def f(x):\n    # ... as before\n", Reason.ELISION),
    ],
)
def test_dots_that_could_mean_anything_are_refused(search, replace, reason):
    assert refusal(LONG, edit(search, replace)) is reason


def test_a_new_comment_with_dots_is_a_comment():
    new, _ = applied(LONG, edit("    a = 1\n    b = 2\n", "    a = 1\n    b = 2\n    # ... and so on\n"))
    assert b"    # ... and so on\n" in new


def test_a_wrong_path_means_the_only_shown_file_with_the_search_text():
    files = {"src/a.py": b"x = 1\n", "src/b.py": b"y = 1\n", "lib/a.py": b"x = 1\n"}
    shown = [Location("src/a.py"), Location("src/b.py")]
    result = apply_edits([edit("y = 1\n", "y = 2\n", "gone/c.py")], MemorySnapshot(files), shown)
    assert [change.path for change in result.changes] == ["src/b.py"]
    for search, places in (("z = 1\n", shown), ("y = 1\n", []), ("x = 1\n", [*shown, Location("lib/a.py")])):
        with pytest.raises(EditRefused) as refused:
            apply_edits([edit(search, "2\n", "gone/c.py")], MemorySnapshot(files), places)
        assert refused.value.reason is Reason.UNKNOWN_PATH
    with pytest.raises(EditRefused) as refused:
        apply_edits([edit("y = 1\n", "2\n", "../b.py")], MemorySnapshot(files), shown)
    assert refused.value.reason is Reason.FORBIDDEN_PATH


def test_all_of_a_file_replaced_by_nothing_deletes_it():
    (change,) = apply_edits([edit(SOURCE.decode(), "")], MemorySnapshot({"src/a.py": SOURCE}), ()).changes
    assert change.deleted
    (change,) = apply_edits([edit("x\n", "\n")], MemorySnapshot({"src/a.py": b"x\n"}), ()).changes
    assert not change.deleted


LINE = st.sampled_from(["a", " a", "a ", "b", "", "\tb", "é"])
TEXT = st.lists(LINE, max_size=5).map(lambda lines: "".join(f"{line}\n" for line in lines))


@given(
    data=st.lists(st.builds(str.__add__, LINE, st.sampled_from(["\n", "\r\n"])), max_size=12).map(
        lambda x: "".join(x).encode()
    ),
    edits=st.lists(
        st.builds(Edit, st.sampled_from(["src/a.py", "a.py", "new.py"]), TEXT, TEXT), min_size=1, max_size=3
    ),
    cut=st.booleans(),
)
def test_arbitrary_edits_change_unique_matches_or_nothing(data, edits, cut):
    if cut:
        data = data.rstrip(b"\r\n")
    try:
        result = apply_edits(edits, MemorySnapshot({"src/a.py": data}), ())
    except EditRefused:
        return
    for change in result.changes:
        before = change.old.lines if change.old else []
        after = change.content
        assert after != b"".join(before) or change.old is None
        touched = [line for r in change.replacements for line in before[r.start : r.end]]
        asked = [line.strip() for e in edits for line in e.search.split("\n")]
        assert all(line.decode().strip() in asked for line in touched)
