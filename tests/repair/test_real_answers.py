"""Paths and blocks in the forms that models give them, each with what must come of it."""

import html

import pytest

from harness.core.candidate import Grade, Reason
from harness.core.location import Location
from harness.model.answers import read_edits
from harness.repair.edits import apply_edits
from harness.repair.match import EditRefused
from harness.repo.memory_snapshot import MemorySnapshot

OVEN = "LIMIT = 250\n\n\ndef heat(degrees):\n    if degrees > LIMIT:\n        raise ValueError(degrees)\n"
OVEN += "    return degrees\n\n\ndef cool(degrees):\n    return degrees - 10\n"
FILES = {
    "bakery/oven.py": OVEN.encode(),
    "bakery/dough.py": b"def mix(flour):\n    return flour\n\n\ndef rest(hours):\n    return None\n",
    "docs/my notes.md": b"Notes\n=====\n\nNone yet.\n",
    "data/Rows.JSONL": b'{"a": 1}\n',
    "setup.py": b"x = 1\n",
}
SHOWN = tuple(map(Location, FILES))
OLD, NEW = "    return degrees - 10\n", "    return max(degrees - 10, 0)\n"
BLOCK = f"<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n"
FIXED = OVEN.replace(OLD, NEW)


def applied(text: str, files=None) -> tuple[dict[str, str], tuple[Grade, ...]]:
    reading = read_edits(text)
    assert reading.problems == ()
    files = files or FILES
    result = apply_edits(reading.edits, MemorySnapshot(files), tuple(map(Location, files)))
    return {change.path: change.content.decode() for change in result.changes}, result.grades


def refusal(text: str, files=None) -> Reason:
    with pytest.raises(EditRefused) as refused:
        applied(text, files)
    return refused.value.reason


@pytest.mark.parametrize(
    "heading",
    [
        "bakery/oven.py\n<source>\n",
        "bakery/oven.py\n\nCooling stops at zero:\n\n",
        "bakery/oven.py\n\nAs `Oven.cool` and `max` do, cooling stops at zero:\n\n",
        "File bakery/oven.py, lines 1 to 11 of 11:\n",
        "File bakery/oven.py:\n<source>\n",
        "/testbed/bakery/oven.py\n",
        "testbed/bakery/oven.py\n",
        "/bakery/oven.py\n",
        "/workspace/repo/bakery/oven.py\n",
        "a/bakery/oven.py\n",
        "./bakery/oven.py\n",
        "bakery\\oven.py\n",
        "// bakery/oven.py\n",
        "# bakery/oven.py\n",
        "/* bakery/oven.py */\n",
        "<!-- bakery/oven.py -->\n",
        "=== bakery/oven.py ===\n",
        "--- bakery/oven.py ---\n",
        "--- a/bakery/oven.py\n+++ b/bakery/oven.py\n",
        "**bakery/oven.py**\n",
        "**File: `bakery/oven.py`**\n",
        "**File:** bakery/oven.py\n",
        "#### 1. `bakery/oven.py`\n",
        "[bakery/oven.py]\n",
        "<bakery/oven.py>\n",
        '<file path="bakery/oven.py">\n',
        "<path>bakery/oven.py</path>\n",
        "<file>bakery/oven.py</file>\n<source>\n",
        "In `bakery/oven.py`, line 11:\n",
        "Change in `bakery/oven.py` (the function `cool`):\n\n",
        "Modify bakery/oven.py:\n",
        "bakery/oven.py:11\n",
        "bakery/oven.py (lines 10-11)\n",
        "bakery/oven.py - the fix\n",
        "> bakery/oven.py\n",
        "```python\n# bakery/oven.py\n",
        '```python title="bakery/oven.py"\n',
        "Bakery/Oven.py\n",
        "oven.py\n",
        "bakery/oven.py\n```python\n\n",
    ],
)
def test_the_path_is_found_wherever_it_stands(heading):
    assert applied(f"The cause is clear.\n\n{heading}{BLOCK}") == ({"bakery/oven.py": FIXED}, (Grade.EXACT,))


@pytest.mark.parametrize(
    "text",
    [
        BLOCK.replace("SEARCH", "SEARCH bakery/oven.py"),
        BLOCK.replace("SEARCH", "SEARCH: bakery/oven.py"),
        BLOCK.replace("SEARCH", "SEARCH (bakery/oven.py)"),
    ],
)
def test_the_path_may_stand_on_the_marker(text):
    assert applied(text) == ({"bakery/oven.py": FIXED}, (Grade.EXACT,))


@pytest.mark.parametrize(
    "heading", ["", "Cooling stops at zero:\n", "```python\n", "gone/oven.py/x.py\n", "bakery/dough.py\n"]
)
def test_without_a_right_path_the_only_shown_file_with_the_text_is_meant(heading):
    assert applied(heading + BLOCK) == ({"bakery/oven.py": FIXED}, (Grade.OTHER_FILE,))


def test_a_text_that_two_shown_files_hold_means_none():
    files = {**FILES, "bakery/copy.py": FILES["bakery/oven.py"]}
    assert refusal(f"Well:\n{BLOCK}", files) is Reason.PARSE_FAILURE
    assert refusal(f"bakery/dough.py\n{BLOCK}", files) is Reason.NO_MATCH


def test_a_wrong_file_is_meant_only_if_one_holds_every_text():
    other = "<<<<<<< SEARCH\nnowhere\n=======\nx\n>>>>>>> REPLACE\n"
    assert refusal(f"bakery/dough.py\n{BLOCK}{other}") is Reason.NO_MATCH


def test_odd_names_of_files():
    notes = "<<<<<<< SEARCH\nNone yet.\n=======\nOne.\n>>>>>>> REPLACE\n"
    for heading in ("docs/my notes.md", "`docs/my notes.md`", "### docs/my notes.md", "File: docs/my notes.md"):
        assert applied(f"{heading}\n{notes}")[0] == {"docs/my notes.md": "Notes\n=====\n\nOne.\n"}
    rows = '<<<<<<< SEARCH\n{"a": 1}\n=======\n{"a": 2}\n>>>>>>> REPLACE\n'
    for heading in ("data/Rows.JSONL", "data/rows.jsonl"):
        assert applied(f"{heading}\n{rows}")[0] == {"data/Rows.JSONL": '{"a": 2}\n'}


def test_new_files_in_the_container_s_folder_are_new_files_of_the_repository():
    for path in ("/testbed/bakery/new.py", "testbed/bakery/new.py", "bakery/new.py"):
        made, _ = applied(f"{path}\n<<<<<<< SEARCH\n=======\n```python\nx = 1\n```\n>>>>>>> REPLACE\n")
        assert made == {"bakery/new.py": "x = 1\n"}


@pytest.mark.parametrize(
    ("block", "grade"),
    [
        (BLOCK.lower().replace("limit", "LIMIT"), Grade.EXACT),
        (BLOCK.replace("<<<<<<<", "<<<<").replace("=======", "====").replace(">>>>>>>", ">>>>"), Grade.EXACT),
        (BLOCK.replace("<<<<<<<", "<" * 10).replace("=======", "=" * 10).replace(">>>>>>>", ">" * 10), Grade.EXACT),
        (BLOCK.replace("=======", "====="), Grade.EXACT),
        (BLOCK.replace("SEARCH", "ORIGINAL").replace("REPLACE", "UPDATED"), Grade.EXACT),
        (BLOCK.replace("<<<<<<< SEARCH", "<<<<<<< HEAD").replace(">>>>>>> REPLACE", ">>>>>>> fix"), Grade.EXACT),
        (BLOCK.replace("SEARCH", "SEARCH (lines 10-11)").replace("REPLACE", "REPLACE  # done"), Grade.EXACT),
        (BLOCK.replace("<<<<<<< ", "<<<<<<<").replace(">>>>>>> ", ">>>>>>>"), Grade.EXACT),
        (BLOCK.replace("SEARCH\n", "SEARCH\n\n"), Grade.DRESSED),
        (BLOCK.replace("=======", "\n\n======="), Grade.DRESSED),
        (BLOCK.replace("SEARCH\n", "SEARCH\n\n").replace("=======\n", "\n=======\n\n"), Grade.DRESSED),
        (f"<<<<<<< SEARCH\n```python\n{OLD}```\n=======\n```python\n{NEW}```\n>>>>>>> REPLACE\n", Grade.DRESSED),
        (BLOCK.replace("SEARCH\n", "SEARCH\n11|").replace("=======\n", "=======\n11|"), Grade.DRESSED),
        (BLOCK.replace("SEARCH\n", "SEARCH\n    11\t").replace("=======\n", "=======\n    11\t"), Grade.DRESSED),
        (BLOCK.replace("SEARCH\n", "SEARCH\n11: ").replace("=======\n", "=======\n11: "), Grade.DRESSED),
        (BLOCK.replace("H\n", "H\n# bakery/oven.py\n").replace("==\n", "==\n# bakery/oven.py\n"), Grade.DRESSED),
        (BLOCK.replace("SEARCH\n", "SEARCH\n-").replace("=======\n", "=======\n+"), Grade.DRESSED),
        (BLOCK.replace("    return", "\u00a0\u00a0\u00a0\u00a0return"), Grade.DRESSED),
        (BLOCK.replace("    return", "\ufeff    return"), Grade.EXACT),
    ],
)  # fmt: skip
def test_blocks_are_read_in_any_dress(block, grade):
    made, grades = applied(f"bakery/oven.py\n{block}")
    assert made == {"bakery/oven.py": FIXED}
    assert grades == (grade,)


def test_escaped_answers_are_read():
    text = (
        "bakery/oven.py\n<<<<<<< SEARCH\n    if degrees > LIMIT:\n=======\n    if degrees >= LIMIT:\n>>>>>>> REPLACE\n"
    )
    meant = {"bakery/oven.py": OVEN.replace("> LIMIT", ">= LIMIT")}
    assert applied(html.escape(text, quote=False))[0] == meant
    assert applied(text.replace("> LIMIT", "&gt; LIMIT").replace(">= LIMIT", "&gt;= LIMIT"))[0] == meant


@pytest.mark.parametrize("length", [4, 5, 6, 7, 8, 9])
def test_underlined_headings_are_no_dividers(length):
    title = "T" * length
    files = {"a.rst": f"{title}\n{'=' * length}\n\nNone.\n".encode()}
    head = f"{title}\n{'=' * length}\n\n"
    text = f"a.rst\n<<<<<<< SEARCH\n{head}None.\n=======\n{head}One.\n>>>>>>> REPLACE\n"
    assert applied(text, files)[0] == {"a.rst": f"{title}\n{'=' * length}\n\nOne.\n"}


def test_dividers_that_the_file_does_not_decide_between_are_refused():
    text = "a.rst\n<<<<<<< SEARCH\nA\n=======\nB\n=======\nC\n>>>>>>> REPLACE\n"
    assert refusal(text, {"a.rst": b"X\n"}) is Reason.PARSE_FAILURE


TWICE = {"a.py": b"class A:\n    x = 1\n\n\nclass B:\n    x = 1\n\n\nclass C:\n    y = 1\n"}
ONCE = "a.py\n<<<<<<< SEARCH\n    x = 1\n=======\n    x = {}\n>>>>>>> REPLACE\n"


def test_as_many_blocks_as_places_go_in_one_after_another():
    made, grades = applied(ONCE.format(2) * 2, TWICE)
    assert (made["a.py"].count("x = 2"), grades) == (2, (Grade.EXACT,))
    made, grades = applied(ONCE.format(2) + ONCE.format(3), TWICE)
    assert made["a.py"].index("x = 2") < made["a.py"].index("x = 3")
    assert grades == (Grade.EXACT, Grade.EXACT)


def test_more_or_fewer_blocks_than_places_are_refused():
    assert refusal(ONCE.format(2), TWICE) is Reason.AMBIGUOUS_MATCH
    assert refusal(ONCE.format(2) * 3, TWICE) is Reason.AMBIGUOUS_MATCH
    assert refusal(BLOCK_PAIR, FILES) is Reason.OVERLAPPING_EDITS


BLOCK_PAIR = f"bakery/oven.py\n{BLOCK}bakery/oven.py\n{BLOCK.replace('max(', 'abs(')}"


@pytest.mark.parametrize("path", ["a.js", "a.cs", "a.md", "a.py"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_stays_one(path, mark):
    files = {path: "\ufefffirst\nsecond\n".encode()}
    head = f"{path}\n<<<<<<< SEARCH\n{mark}first\n=======\n"
    for new in ("zero\nfirst\n", "first\nhalf\n", "FIRST\n"):
        made, _ = applied(f"{head}{mark}{new}>>>>>>> REPLACE\n", files)
        assert made == {path: f"\ufeff{new}second\n"}
