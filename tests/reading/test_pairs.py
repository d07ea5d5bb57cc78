"""Old text and new text without the markers of blocks: between tags, under labels, in calls of several dialects."""

import json
from time import process_time

import pytest

from harness.model.answers import read_edits
from harness.reading.pairs import read_pairs
from harness.repair.edits import apply_edits
from harness.repair.match import EditRefused
from harness.repo.memory_snapshot import MemorySnapshot

OLD, NEW = "    return x\n", "    return x + 1\n"
SOURCE = {"src/a.py": b"def f(x):\n    return x\n\n\nLIMIT = 3\nNAMES = []\nSIZES = []\n"}
FIXED = SOURCE["src/a.py"].decode().replace(OLD, NEW)
ENVELOPE = f"*** Begin Patch\n*** Update File: src/a.py\n@@ def f(x):\n-{OLD}+{NEW}*** End Patch"
PLACES = {"path": "src/a.py", "original": OLD, "replacement": NEW}


def applied(text: str) -> str:
    """What the file is after an answer's edits."""
    reading = read_edits(text)
    assert not reading.problems
    [change] = apply_edits(reading.edits, MemorySnapshot(SOURCE), []).changes
    assert change.path == "src/a.py"
    return change.content.decode()


@pytest.mark.parametrize(
    "text",
    [
        f"src/a.py\n<edits>\n\n<old_text>\n{OLD}</old_text>\n<new_text>\n{NEW}</new_text>\n\n</edits>\n",
        f'<edit file="src/a.py">\n<search>\n{OLD}</search>\n<replace>\n{NEW}</replace>\n</edit>\n',
        f"<file>src/a.py</file>\n<original>{OLD}</original>\n<patched>{NEW}</patched>\n",
        f"src/a.py\n<original>\n{OLD}</original>\n<modified>\n{NEW}</modified>\n",
        f"**File**: `src/a.py`\n\n**SEARCH:**\n```python\n{OLD}```\n\n**REPLACE:**\n```python\n{NEW}```\n",
        f"### src/a.py\n\nOriginal code:\n```python\n{OLD}```\n\nUpdated code:\n```python\n{NEW}```\n",
        f"In `src/a.py`:\n\n**Before:**\n```\n{OLD}```\n**After:**\n```\n{NEW}```\n",
        f"In `src/a.py`, replace\n```python\n{OLD}```\nwith\n```python\n{NEW}```\n",
    ],
)
def test_tags_and_labels_set_the_texts_apart(text) -> None:
    assert applied(text) == FIXED


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"name": "apply_patch", "arguments": {"input": ENVELOPE + "\n"}}),
        json.dumps({"cmd": ["apply_patch", ENVELOPE]}),
        f"<tool_call>\n{json.dumps({'name': 'shell', 'arguments': {'command': ['sh', ENVELOPE]}})}\n</tool_call>",
        "<tool_call>str_replace_editor\n<arg_key>command</arg_key>\n<arg_value>str_replace</arg_value>\n"
        "<arg_key>path</arg_key>\n<arg_value>/testbed/src/a.py</arg_value>\n"
        f"<arg_key>old_str</arg_key>\n<arg_value>{OLD}</arg_value>\n"
        f"<arg_key>new_str</arg_key>\n<arg_value>{NEW}</arg_value>\n</tool_call>",
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="str_replace">\n'
        '<｜DSML｜parameter name="path" string="true">src/a.py</｜DSML｜parameter>\n'
        f'<｜DSML｜parameter name="old_str" string="true">{OLD}</｜DSML｜parameter>\n'
        f'<｜DSML｜parameter name="new_str" string="true">{NEW}</｜DSML｜parameter>\n'
        "</｜DSML｜invoke>\n</｜DSML｜function_calls>",
        json.dumps({"edits": [{"file": "src/a.py", "search": OLD, "replace": NEW}]}),
        f"Here:\n```json\n{json.dumps(PLACES)}\n```\n",
        json.dumps({"path": "src/a.py", "original_code": OLD, "updated_code": NEW}),
    ],
)
def test_calls_of_many_dialects(text) -> None:
    assert applied(text) == FIXED


@pytest.mark.parametrize(
    "text",
    [
        f"The output of src/a.py was\n```\n{OLD}```\nbut I expected\n```\n{NEW}```\n",
        f"src/a.py\n```\n{OLD}```\n\nSee it for yourself.\n\n```\n{NEW}```\n",
        f"Before:\n```\n{OLD}```\nThat is wrong. It must be one more.\nAfter:\n```\n{NEW}```\n",
    ],
)
def test_fences_without_both_labels_are_no_pair(text) -> None:
    assert read_pairs(text).edits == ()


def test_a_pair_whose_old_text_the_file_does_not_hold_is_refused() -> None:
    edits = read_edits("src/a.py\nBefore:\n```\nnothing of it\n```\nAfter:\n```\nx\n```\n").edits
    with pytest.raises(EditRefused):
        apply_edits(edits, MemorySnapshot(SOURCE), [])


def test_an_invented_report_ends_the_pairs() -> None:
    one = f"In `src/a.py`:\n\n**Before:**\n```\n{OLD}```\n**After:**\n```\n{NEW}```\n"
    assert len(read_pairs(f"{one}\n### Problem\n\nf is wrong.\n\n{one.replace('x + 1', 'x + 2')}").edits) == 1


def test_an_object_of_json_that_only_has_such_a_key_is_no_call() -> None:
    text = 'src/a.py\n```json\n{"path": "x", "search": "y"}\n```\n'
    assert all(edit.kind.value != "text" for edit in read_edits(text).edits)


@pytest.mark.parametrize(
    "text",
    [
        "<tool_call>f\n" + "<arg_key>a</arg_key><arg_value>b</arg_value>\n" * 200,
        "<tool_call>f\n" * 5000,
        "<arg_key>a</arg_key><arg_value>" * 5000,
        "a.py\n" + "<search>" * 5000,
        "a.py\n" + "<search>a</search>\n" * 5000,
        "\n" * 20_000 + "<<<<<<< REPLACE\n",
    ],
)
def test_an_answer_that_never_comes_to_an_end_is_read_quickly(text) -> None:
    """A cut call of 28 parameters used to take minutes, and each further one twice as long."""
    started = process_time()
    read_edits(text)
    assert process_time() - started < 5
