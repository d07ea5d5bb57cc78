"""Edits in every format that models are trained on: each comes to the same change of the same file."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.candidate import Edit, Grade, Reason
from harness.core.location import Location
from harness.model.answers import read_edits
from harness.reading.formats import Format
from harness.repair.edits import AppliedEdits, apply_edits
from harness.repair.match import EditRefused
from harness.repo.memory_snapshot import MemorySnapshot

LINES = [f"line {number}" for number in range(1, 21)]
OLD = "".join(f"{line}\n" for line in LINES)
NEW = OLD.replace("line 5\n", "LINE 5\nand more\n").replace("line 15\n", "")
FILES = {"src/a.py": OLD.encode(), "src/b.py": b"x = 1\ny = 1\n"}
OLD_AND_NEW = [
    {"old_string": "line 5\n", "new_string": "LINE 5\nand more\n"},
    {"old_string": "line 14\nline 15\n", "new_string": "line 14\n"},
]
HUNKS = " line 4\n-line 5\n+LINE 5\n+and more\n line 6\n{}\n line 14\n-line 15\n line 16\n"
BOTH = "--- a/src/a.py\n+++ b/src/a.py\n@@ -4,3 +4,4 @@\n" + HUNKS.format("@@ -14,3 +15,2 @@")
CALLS = [("line 5\n", "LINE 5\nand more\n"), ("line 14\nline 15\n", "line 14\n")]


def applied(text: str, asked: Format = Format.SEARCH_REPLACE, files=None) -> dict[str, str | None]:
    reading = read_edits(text, asked=asked)
    assert reading.problems == ()
    files = files or FILES
    result = apply_edits(reading.edits, MemorySnapshot(files), tuple(map(Location, files)))
    return {change.path: None if change.deleted else change.content.decode() for change in result.changes}


def refusal(text: str) -> Reason:
    with pytest.raises(EditRefused) as refused:
        applied(text)
    return refused.value.reason


def xml(name: str, arguments: str) -> str:
    return "\n".join(name.format(arguments.format(path="src/a.py", old=old, new=new)) for old, new in CALLS)


def call(old: str, new: str, **more: str) -> dict[str, str]:
    return {**more, "path": "src/a.py", "old_str": old, "new_str": new}


def tool_json(call: dict[str, object]) -> str:
    return f"<tool_call>\n{json.dumps(call)}\n</tool_call>"


PARAMETERS = (
    "<parameter=command>str_replace</parameter>\n<parameter=path>/testbed/{path}</parameter>\n"
    "<parameter=old_str>\n{old}</parameter>\n<parameter=new_str>\n{new}</parameter>\n"
)
NAMED = (
    '<parameter name="command">str_replace</parameter><parameter name="path">{path}</parameter>'
    '<parameter name="old_str">{old}</parameter><parameter name="new_str">{new}</parameter>'
)
TAGS = "<path>{path}</path>\n<old_str>\n{old}</old_str>\n<new_str>\n{new}</new_str>\n"
ENVELOPE = "*** Begin Patch\n*** Update File: src/a.py\n@@\n" + HUNKS.format("@@") + "*** End Patch\n"


@pytest.mark.parametrize(
    "text",
    [
        BOTH,
        f"Here it is:\n\n```diff\n{BOTH}```\nThat is all.",
        f"```patch\ndiff --git a/src/a.py b/src/a.py\nindex 123..456 100644\n{BOTH}```",
        BOTH.replace("-4,3 +4,4", "-4,9 +4,1").replace("-14,3", "-2,1"),
        BOTH.replace("-4,3 +4,4", "-9,3 +9,4").replace("@@ -14,3 +15,2 @@", "@@ def f(): @@"),
        BOTH.replace("@@ -4,3 +4,4 @@", "@@").replace("@@ -14,3 +15,2 @@", "@@ ... @@"),
        BOTH.replace("a/src", "src").replace("b/src", "src"),
        BOTH.replace("--- a/src/a.py", "--- a/src/a.py\t2024-01-01").replace("a/src", "/testbed/src"),
        BOTH.replace("@@ -14,3 +15,2 @@\n", "--- a/src/a.py\n+++ b/src/a.py\n@@ -14,3 +15,2 @@\n"),
        ENVELOPE,
        f"```\n{ENVELOPE}```",
        f"apply_patch <<'EOF'\n{ENVELOPE}EOF",
        ENVELOPE.replace("*** Begin Patch\n", "").replace("*** End Patch\n", ""),
        xml("<function=str_replace_editor>\n{}</function>", PARAMETERS),
        xml('<function_calls><invoke name="str_replace_based_edit_tool">{}</invoke></function_calls>', NAMED),
        xml("<str_replace>\n{}</str_replace>", TAGS),
        xml("<edit>{}</edit>", TAGS.replace("_str>", "_string>")),
        "\n".join(
            tool_json({"name": "str_replace_editor", "arguments": call(o, n, command="str_replace")})
            for o, n in CALLS
        ),
        json.dumps([{"path": "src/a.py", "old_str": o, "new_str": n} for o, n in CALLS]),
        f"```json\n{json.dumps({'path': 'src/a.py', 'edits': OLD_AND_NEW})}\n```",
        json.dumps({"function": {"name": "edit", "arguments": json.dumps(call(OLD, NEW))}}),
        f"src/a.py\n```python\n{NEW}```\n",
        f"The whole file:\n\n**`src/a.py`**\n\n```python\n{NEW}```\n",
        f"```python title=\"src/a.py\"\n{NEW}```\n",
        json.dumps({"command": "create", "path": "src/a.py", "file_text": NEW}),
        f"<think>--- a/src/b.py\n+++ b/src/b.py\n@@\n-x = 1\n+x = 2\n</think>{BOTH}",
    ],
)  # fmt: skip
def test_every_format_comes_to_the_same_change_unasked(text):
    assert applied(text) == {"src/a.py": NEW}
    for asked in Format:
        assert applied(text, asked) == {"src/a.py": NEW}


def test_files_are_made_and_deleted_in_every_format():
    made = {"src/new.py": "x = 1\n", "src/b.py": None}
    creation = "--- /dev/null\n+++ b/src/new.py\n@@ -0,0 +1 @@\n+x = 1\n"
    assert applied(f"{creation}--- a/src/b.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-x = 1\n-y = 1\n") == made
    assert (
        applied("*** Begin Patch\n*** Add File: src/new.py\n+x = 1\n*** Delete File: src/b.py\n*** End Patch\n") == made
    )
    new = {"src/new.py": "x = 1\n"}
    assert applied("src/new.py\n```python\nx = 1\n```\n") == new
    assert applied(json.dumps({"command": "create", "path": "/testbed/src/new.py", "file_text": "x = 1"})) == new


def test_a_hunk_that_fits_twice_goes_where_its_header_says():
    files = {"a.py": b"def f():\n    x = 1\n" * 9}
    text = "--- a/a.py\n+++ b/a.py\n@@ -{},2 +1,2 @@\n def f():\n-    x = 1\n+    x = 2\n"
    assert applied(text.format(9), files=files)["a.py"].splitlines()[9] == "    x = 2"
    with pytest.raises(EditRefused) as refused:
        applied(text.replace("@@ -{},2 +1,2 @@", "@@"), files=files)
    assert refused.value.reason is Reason.AMBIGUOUS_MATCH


def test_part_of_a_line_is_replaced():
    part = {"path": "src/b.py", "old_str": "x = ", "new_str": "z = "}
    assert applied(json.dumps(part)) == {"src/b.py": "z = 1\ny = 1\n"}
    assert refusal(json.dumps({**part, "old_str": "= 1"})) is Reason.AMBIGUOUS_MATCH
    assert refusal(json.dumps({**part, "old_str": "q"})) is Reason.NO_MATCH


def test_half_a_character_and_a_path_of_two_lines_make_no_trouble():
    assert applied('{"path": "src/b.py", "old_str": "x = 1", "new_str": "x = \'\\ud800\'"}')["src/b.py"].startswith(
        "x = '?'"
    )
    with pytest.raises(EditRefused) as refused:
        applied(json.dumps({"path": "src/b\n.py", "old_str": "q", "new_str": ""}))
    assert "\n" not in refused.value.detail


def test_a_part_of_a_file_is_no_whole_file():
    assert refusal("In `src/a.py`:\n```python\nline 5\nsomething else\n```\n") is Reason.PARSE_FAILURE


def test_what_was_cut_is_refused_and_what_is_whole_is_read():
    whole = f"src/b.py\n```\nx = 2\ny = 1\n```\nsrc/a.py\n```\n{NEW}"
    for text in (BOTH[:-20], ENVELOPE[:-40], xml("<edit>{}</edit>", TAGS)[:-20], whole):
        reading = read_edits(text, cut=True)
        assert len(reading.edits) == 1, text
        assert reading.unfinished


def test_a_fence_below_a_sentence_makes_no_new_file_unasked():
    """A real model's question about ``unittest.py`` and the fence below it became a patch that made such a file."""
    asked = " how can I fix this error in my unittest.py?\n```python\nimport unittest\n```\n"
    assert refusal(asked) is Reason.UNKNOWN_PATH
    assert refusal("For example, in your own `app/main.py`:\n```python\nimport a\n```\n") is Reason.UNKNOWN_PATH
    assert applied(f"All of `src/a.py` is now:\n```\n{NEW}```\n") == {"src/a.py": NEW}
    headed = "**New file: src/new.py**\n```python\nx = 1\n```\n"
    assert applied(headed) == {"src/new.py": "x = 1\n"}
    spoken = "I put it into `src/new.py`, as follows.\n```python\nx = 1\n```\n"
    assert applied(spoken, Format.WHOLE_FILE) == {"src/new.py": "x = 1\n"}
    assert refusal(spoken) is Reason.UNKNOWN_PATH


def test_grades_are_those_of_blocks():
    [edit] = read_edits(BOTH.split("@@ -14")[0].replace("line 4", "line 4  ")).edits
    assert apply_edits([edit], MemorySnapshot(FILES), ()).grades == (Grade.WHITESPACE,)


PIECES = st.sampled_from(
    [
        *(
            "--- a/x\n",
            "+++ b/x\n",
            "@@ -1 +1 @@\n",
            "+a\n",
            "-b\n",
            " c\n",
            "*** Begin Patch\n",
            "@@\n",
            "```\n",
            "x.py\n",
        ),
        *("*** Update File: x\n", "<edit>", "</edit>", "<path>x</path>", "<old_str>", "</old_str>", '"}'),
        '{"path": "x", "old_str": "',
    ]
)


def made_or_refused(edits: Sequence[Edit]) -> AppliedEdits | EditRefused:
    try:
        return apply_edits(edits, MemorySnapshot(FILES), tuple(map(Location, FILES)))
    except EditRefused as refused:
        return refused


@given(st.lists(st.one_of(PIECES, st.text(max_size=10)), max_size=30), st.sampled_from(Format), st.booleans())
def test_any_text_comes_to_changes_or_to_a_reason(parts, asked, cut):
    edits = read_edits("".join(parts), cut, asked).edits
    made = made_or_refused(edits)
    if isinstance(made, EditRefused):
        assert made.reason in Reason
        assert made.detail
    else:
        assert made.changes
        assert all(change.old is None or change.content != change.old.data for change in made.changes)
        assert len(made.grades) == len(set(edits))
