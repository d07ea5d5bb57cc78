"""Hunks of diffs and of envelopes whose lines lack their signs, in strings of JSON, or with lines put in alone."""

import json

import pytest
from one_edit import BLOCK, DIFF, ENVELOPE, FIXED, HUNK, NEW, OLD, OVEN, P, outcome

from harness.core.candidate import Reason

RAISE, RAISES = "        raise ValueError(degrees)\n", '        raise ValueError(f"{degrees}")\n'
AROUND = f"    if degrees > LIMIT:\n-{RAISE}+{RAISES}    return degrees\n"  # a space too few ahead of what stays
HEAD = f"--- a/{P}\n+++ b/{P}\n"
SHAPES = [
    f"*** Begin Patch\n*** Update File: {P}\n@@\ndef cool(degrees):\n-{OLD}+{NEW}*** End Patch\n",
    f"{HEAD}@@ -10,2 +10,2 @@\ndef cool(degrees):\n-{OLD}+{NEW}",
    f"{HEAD}@@\ndef cool(degrees):\n-{OLD}+{NEW}\nThat clamps it.\n",
    f"```diff\n{HEAD}@@ -10,2 +10,2 @@\n  def cool(degrees):\n- {OLD}+ {NEW}```\n",
    f"{HEAD}@@ -10,4 +10,4 @@\n def cool(degrees):\n-{OLD}+{NEW}That clamps it.\n",
    json.dumps({"name": "apply_patch", "arguments": {"patch": DIFF}}),
    json.dumps({"diff": DIFF, "why": "It clamps."}, indent=1),
    json.dumps({P: HUNK}),
    json.dumps({"files": [{"path": P, "patch": HUNK}]}),
    json.dumps({"path": P, "content": DIFF}),
    json.dumps({"name": "apply_patch", "arguments": json.dumps({"input": ENVELOPE})}),
    json.dumps({"edits": [{"path": P, "diff": BLOCK}]}),
    ENVELOPE.replace("Update File", "Update file"),
    ENVELOPE.replace("*** Update", "***Update"),
    ENVELOPE.replace("*** End Patch", "*** End of File\n*** End Patch"),
    f"apply_patch <<'EOF'\n{ENVELOPE}EOF\n",
    f"$ patch -p1 <<EOF\n{DIFF}EOF\n",
]


@pytest.mark.parametrize("text", SHAPES)
async def test_a_hunk_comes_to_the_same_change(text):
    assert await outcome(text) == {P: FIXED}


@pytest.mark.parametrize("text", [f"{HEAD}@@ -5,3 +5,3 @@\n{AROUND}", f"*** Update File: {P}\n@@\n{AROUND}"])
async def test_lines_that_stay_may_lack_the_space_ahead_of_them(text):
    assert await outcome(text) == {P: OVEN.replace(RAISE, RAISES)}


async def test_lines_that_stay_are_read_with_their_space_where_the_file_has_them_so():
    text = f"{HEAD}@@ -10,2 +10,3 @@\n def cool(degrees):\n+    # no less\n     return degrees - 10\n"
    assert await outcome(text) == {P: OVEN.replace(OLD, f"    # no less\n{OLD}")}


@pytest.mark.parametrize(
    ("header", "right"),
    [("@@ -11,0 +12,2 @@", f"{OVEN}\nTOP = 300\n"), ("@@ -1,0 +2,2 @@", OVEN.replace("\n", "\n\nTOP = 300\n", 1))],
)
async def test_lines_without_any_around_them_go_where_the_header_says(header, right):
    assert await outcome(f"{HEAD}{header}\n+\n+TOP = 300\n") == {P: right}


@pytest.mark.parametrize(
    "body", ["+y = 1\n+\n+z = 2\n", "+y = 1\n\n+z = 2\n", "y = 1\n\nz = 2\n", "+y = 1\n\nz = 2\n\n"]
)
async def test_a_new_file_of_an_envelope_keeps_every_line(body):
    text = f"*** Begin Patch\n*** Add File: bakery/new.py\n{body}*** End Patch\n"
    assert await outcome(text) == {"bakery/new.py": "y = 1\n\nz = 2\n"}


async def test_a_hunk_that_the_file_does_not_hold_has_no_match():
    assert await outcome(HEAD + HUNK.replace("cool", "bake")) is Reason.NO_MATCH
