"""What an answer changes besides its edits, or in another format, is never left out without a word."""

import json

import pytest
from one_edit import ANSWER, BLOCK, CALL, DIFF, FILES, FIXED, HEAT, NEW, OLD, USE, J, P, outcome

from harness.core.candidate import Reason
from harness.reading.formats import Format, read_format

WEB = "web/heat.js"
THROW, COLD = '  throw new Error("hot");\n', '  throw new Error("cold");\n'
WEB_DIFF = f"--- a/{WEB}\n+++ b/{WEB}\n@@ -1,3 +1,3 @@\n function heat(d) {{\n-{THROW}+{COLD} }}\n"
WEB_CALL = json.dumps({"path": WEB, "old_str": THROW, "new_str": COLD})
WEB_ENVELOPE = f"*** Begin Patch\n*** Update File: {WEB}\n@@\n-{THROW}+{COLD}*** End Patch\n"
BOTH = {P: FIXED, WEB: HEAT.replace(THROW, COLD)}
STEP = "make bread\n"
USE_DIFF = f"@@ -4,5 +4,5 @@\n \n ```bash\n-{STEP}+make cake\n ```\n \n"


@pytest.mark.parametrize(
    "text",
    [
        f"{ANSWER}\nAnd:\n\n```diff\n{WEB_DIFF}```\n",
        f"```diff\n{WEB_DIFF}```\n\nAnd:\n\n{ANSWER}",
        f"{ANSWER}\n{WEB_ENVELOPE}",
        f"{ANSWER}\n<tool_call>\n{WEB_CALL}\n</tool_call>\n",
        f"{DIFF}\nAnd:\n\n<tool_call>\n{WEB_CALL}\n</tool_call>\n",
    ],
)
async def test_edits_of_two_files_may_be_in_two_formats(text) -> None:
    """The second file's were left out."""
    assert await outcome(text) == BOTH


async def test_an_edit_that_says_the_same_in_another_format_counts_once() -> None:
    assert await outcome(f"{ANSWER}\nThe resulting diff:\n\n```diff\n{DIFF}```\n") == {P: FIXED}


@pytest.mark.parametrize(
    "example", [WEB_DIFF, WEB_ENVELOPE, f"{WEB_CALL}\n", f"{WEB}\n{BLOCK.replace('=======', '=====')}"]
)
async def test_an_example_that_an_edit_puts_in_is_no_edit(example) -> None:
    right = {"docs/use.md": USE.replace("None.\n", f"None.\n\n{example}")}
    call = json.dumps({"path": "docs/use.md", "old_str": "None.\n", "new_str": f"None.\n\n{example}"})
    assert await outcome(call) == right
    if "SEARCH" not in example:
        assert (
            await outcome(f"docs/use.md\n<<<<<<< SEARCH\nNone.\n=======\nNone.\n\n{example}>>>>>>> REPLACE\n") == right
        )


HEADER = "diff --git a/{0} b/{1}\n"


@pytest.mark.parametrize(
    "header",
    [
        HEADER.format("setup.py", "set.py") + "similarity index 100%\nrename from setup.py\nrename to set.py\n",
        HEADER.format("setup.py", "set.py") + "similarity index 90%\nrename from setup.py\nrename to set.py\n"
        "--- a/setup.py\n+++ b/set.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n",
        HEADER.format("a.png", "a.png") + "index 1..2 100644\nBinary files a/a.png and b/a.png differ\n",
    ],
)
async def test_a_diff_that_renames_a_file_is_refused(header) -> None:
    """The rest of it was a patch."""
    assert await outcome(header + HEADER.format(P, P) + DIFF) is Reason.PARSE_FAILURE
    assert await outcome(HEADER.format(P, P) + DIFF + header) is Reason.PARSE_FAILURE


async def test_a_diff_without_hunks_deletes_a_file_or_makes_an_empty_one() -> None:
    gone = HEADER.format("setup.py", "setup.py") + "deleted file mode 100644\nindex 3a1b2c..0000000\n"
    made = HEADER.format("bakery/__init__.py", "bakery/__init__.py") + "new file mode 100644\nindex 0000000..e69de29\n"
    right = {P: FIXED, "setup.py": None, "bakery/__init__.py": ""}
    assert await outcome(gone + made + HEADER.format(P, P) + DIFF) == right


@pytest.mark.parametrize("end", ["-- \n2.34.1\n", "-- \n2.34.1\n\n", "--\n2.39.0.windows.1\n"])
@pytest.mark.parametrize("numbers", ["@@ -10,2 +10,2 @@", "@@ -10,7 +10,7 @@", "@@"])
async def test_the_signature_of_a_mail_is_no_line_of_its_hunk(end, numbers) -> None:
    assert await outcome(DIFF.replace("@@ -10,2 +10,2 @@", numbers) + end) == {P: FIXED}


@pytest.mark.parametrize(
    "text",
    [
        f"--- a/docs/use.md\n+++ b/docs/use.md\n{USE_DIFF}",
        f"```diff\n--- a/docs/use.md\n+++ b/docs/use.md\n{USE_DIFF}```\n",
        f"   ```diff\n--- a/docs/use.md\n+++ b/docs/use.md\n{USE_DIFF}   ```\n",
        f"*** Begin Patch\n*** Update File: docs/use.md\n@@\n-Run this:\n+Run this:\n \n ```bash\n-{STEP}+make cake\n"
        " ```\n*** End Patch\n",
    ],
)
async def test_a_fence_that_stays_is_a_line_of_its_hunk(text) -> None:
    """The hunk ended there, and what it changed further down was left out."""
    assert await outcome(text) == {"docs/use.md": USE.replace(STEP, "make cake\n")}


CLAMP = f"<tool_call>\n{J}\n</tool_call>\n"


@pytest.mark.parametrize(
    "other",
    [
        {"name": "delete_file", "arguments": {"path": "setup.py"}},
        {"name": "move_file", "arguments": {"source": "setup.py", "destination": "set.py"}},
        {"name": "append_to_file", "arguments": {"path": "setup.py", "content": "y = 2\n"}},
        {"command": "undo_edit", "path": P},
        {"name": "bash", "arguments": {"command": f"sed -i 's/250/260/' {P}"}},
        {"operation": {"type": "delete_file", "path": "setup.py"}},
        {"action": "delete", "path": "setup.py"},
    ],
)
async def test_a_call_that_changes_files_otherwise_is_refused(other) -> None:
    assert await outcome(f"{CLAMP}<tool_call>\n{json.dumps(other)}\n</tool_call>\n") is Reason.PARSE_FAILURE
    assert await outcome(json.dumps([CALL, other])) is Reason.PARSE_FAILURE


async def test_an_element_of_the_source_may_be_called_like_such_a_tool() -> None:
    assert await outcome(json.dumps({**CALL, "function": "remove_user", "name": "append_row"})) == {P: FIXED}


async def test_calls_that_only_look_change_nothing() -> None:
    look = json.dumps({"name": "bash", "arguments": {"command": f"cat {P} | sed -n 1,9p"}})
    assert await outcome(f"<tool_call>\n{look}\n</tool_call>\n{CLAMP}") == {P: FIXED}
    new = '    return {"name": "delete_file"}\n'
    assert await outcome(json.dumps({**CALL, "new_str": new})) == {P: FIXED.replace(NEW, new)}


@pytest.mark.parametrize("tag", ["tool_response", "tool_result", "function_results", "observation"])
async def test_what_a_tool_is_said_to_have_answered_is_no_call(tag) -> None:
    """A file that a model imagined to have read was written."""
    read = json.dumps({"path": "setup.py", "content": "x = 3\n"})
    assert await outcome(f"{CLAMP}<{tag}>\n{read}\n</{tag}>\n") == {P: FIXED}


async def test_an_empty_file_is_made_without_a_line() -> None:
    made = json.dumps({"command": "create", "path": "bakery/__init__.py", "file_text": ""})
    assert await outcome(f"{CLAMP}<tool_call>\n{made}\n</tool_call>\n") == {P: FIXED, "bakery/__init__.py": ""}


@pytest.mark.parametrize("command", [f"sed -i s/250/260/ {P}", f"git mv {P} oven.py", "patch -p1 < fix.diff"])
async def test_commands_beside_a_file_that_is_written_are_told(command) -> None:
    text = f"```bash\ncat > setup.py <<'EOF'\nx = 2\nEOF\n{command}\n```\n"
    assert await outcome(text) is Reason.PARSE_FAILURE
    assert await outcome(text.replace(command, "python -m pytest")) == {"setup.py": "x = 2\n"}


@pytest.mark.parametrize("asked", [Format.DIFF, Format.APPLY_PATCH, Format.STR_REPLACE])
def test_a_block_beside_the_format_that_was_asked_for_is_read(asked) -> None:
    first = {Format.DIFF: WEB_DIFF, Format.APPLY_PATCH: WEB_ENVELOPE, Format.STR_REPLACE: WEB_CALL}[asked]
    assert [edit.path for edit in read_format(f"{first}\n\n{ANSWER}", asked).edits] == [WEB, P]
    assert FILES[P].count(OLD) == 1
