"""Where an answer is over: at another report that the model went on to invent."""

import pytest

from harness.localize.places import read_places as read_named
from harness.model.answers import read_edits, read_file_names
from harness.reading.blocks import read_blocks
from harness.reading.diffs import read_diffs
from harness.reading.endings import LONGEST, Ending
from harness.reading.envelopes import read_envelopes
from harness.reading.file_lists import read_names
from harness.reading.formats import Format
from harness.reading.place_lists import read_places

BLOCK = "{}\n<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n"
HEADINGS = [
    "### Problem", "## Issue", "# Problem 2", "### Example 3:", "## New task", "Question: why is it 0?", "Q: off",
    "Issue:",
    "Task: mend off", "**Question:**", "**Problem 2**", "Exercise 4:", "Problem 2:", "[USER] mend it", "USER: mend it",
    "<|im_start|>user", "<issue>", "### Instruction:", "Prompt: mend off", "## Bug report",
    "--- BEGIN ISSUE ---", "===== Start of the problem =====", "[BEGIN ISSUE]", "=== Issue ===", "--- Task 2 ---",
    "We are currently solving the following issue within our repository. Here is the issue text:",
    "We're now solving the following problem:", "Here is the issue text:", "Please solve the following issue.",
    "**Issue #12:** off by one", "**Issue #12: off by one**", "**Bug report #3** off", "Issue #12: off by one",
    "<pr_description>", "<issue_description>", "# Task", "**Task 2:**", "### Another report", "## Next issue",
    "### Another example", "### Human: mend off", "**Problem statement:** off is wrong",
    "<|EOT|>", "<|file_sep|>b.py", "<file_sep>b.py", "<|repo_name|>x/y", "<eos>", "<s>", "<|begin_of_text|>",
    "<｜begin▁of▁sentence｜>", "<｜User｜>off?", "<|observation|>", "<|im_user|>user<|im_middle|>", "<|eom_id|>",
    "<|header_start|>user<|header_end|>", "[EOS]", "<issue_start>", "<jupyter_code>", "]~b]user", "<|fim_middle|>",
]  # fmt: skip


@pytest.mark.parametrize("heading", HEADINGS)
def test_what_follows_an_invented_report_is_not_read(heading) -> None:
    more = f"\n{heading}\n\noff is wrong.\n\n"
    assert [edit.path for edit in read_blocks(BLOCK.format("a.py") + more + BLOCK.format("b.py")).edits] == ["a.py"]
    assert read_names(f"a.py\n{more}b.py\n") == ("a.py",)
    assert {place.path for place in read_places(f"a.py\nline: 7\n{more}b.py\nline: 8\n")} == {"a.py"}
    diff = "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-old\n+new\n"
    assert [edit.path for edit in read_diffs(diff.format("a.py") + more + diff.format("b.py")).edits] == ["a.py"]


@pytest.mark.parametrize("token", ["<|EOT|>", "<|file_sep|>", "<eos>", "<file_sep>", "<｜User｜>", "<|return|>", "<s>"])
def test_a_token_may_be_glued_to_the_end_of_an_edit(token) -> None:
    """What a base model wrote behind it, the next document, was read as a part of the answer."""
    text = BLOCK.format("a.py")[:-1] + f"{token}\n" + BLOCK.format("b.py")
    assert [edit.path for edit in read_edits(text).edits] == ["a.py"]
    text = f"```diff\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-old\n+new\n```{token}\n" + BLOCK.format("b.py")
    assert [edit.path for edit in read_edits(text, asked=Format.DIFF).edits] == ["a.py"]


@pytest.mark.parametrize("token", ["<|EOT|>", "<|endoftext|>", "<|im_end|>", "<｜end▁of▁sentence｜>"])
def test_a_token_may_be_glued_to_the_end_of_a_list(token) -> None:
    assert read_file_names(f"a.py\nb.py{token}\nc.py\n") == ("a.py", "b.py")
    assert [place.name for place in read_named(f"a.py\nline: 7{token}\nline: 9\n")] == ["7"]


@pytest.mark.parametrize("heading", HEADINGS[:6] + HEADINGS[7:13])
def test_an_answer_that_takes_up_one_problem_after_another_is_read_whole(heading) -> None:
    text = f"{heading}\n\nIt is 0.\n\n{BLOCK.format('a.py')}\n{heading}\n\nIt is 1.\n\n{BLOCK.format('b.py')}"
    assert [edit.path for edit in read_blocks(text).edits] == ["a.py", "b.py"]


@pytest.mark.parametrize(
    "line",
    [
        "Problem: it was off by one.", "The issue is in b.py.", "# Problems with the cache", "Question marks stay.",
        "We are fixing the following issue here.", "**Issue:** it was off.", "--- a/issue.py",
        "Here is the issue: off.", "=========", "We solve the following issue by a check.", "tasks: list[str]",
        "Examples of it follow.", "## Issues that remain", "issue = 3", "Report the sum.",
    ],
)  # fmt: skip
def test_remarks_and_source_end_nothing(line) -> None:
    assert not Ending().over(line, begun=True)


BARE = ["# Task", "## Problem", "### Issue 2", "**Task 2:**", "Issue:", "Problem 2:", "=== Task ===", "**Question**"]
DIFF = "--- a/{0}\n+++ b/{0}\n@@ -1 +1 @@\n-old\n+new\n"
ENVELOPE = "*** Begin Patch\n*** Update File: {}\n@@\n-old\n+new\n*** End Patch\n"


@pytest.mark.parametrize("heading", BARE)
@pytest.mark.parametrize(
    ("read", "edit"),
    [
        (read_blocks, BLOCK),
        (read_blocks, f"```python\n{BLOCK}```\n"),
        (read_blocks, "### `{}`\n\n" + BLOCK.removeprefix("{}\n")),
        (read_diffs, DIFF),
        (read_diffs, f"```diff\n{DIFF}```\n"),
        (read_envelopes, ENVELOPE),
    ],
)
def test_a_heading_that_says_nothing_goes_on_with_the_same_file_and_else_ends_the_answer(heading, read, edit) -> None:
    one, other = edit.format("a.py"), edit.format("b.py")
    assert [found.path for found in read(f"{one}\n{heading}\n\n{one}").edits] == ["a.py", "a.py"]
    assert [found.path for found in read(f"{one}\n{heading}\n\n{one}\n{heading}\n{one}").edits] == ["a.py"] * 3
    assert [found.path for found in read(f"{one}\n{heading}\n\noff is wrong.\n\n{one}").edits] == ["a.py"]
    assert [found.path for found in read(f"{one}\n{heading}\n\n{other}").edits] == ["a.py"]


@pytest.mark.parametrize("heading", ["# Task: mend off", "Issue: off by one\n", "**Issue #12:** off", "<issue>"])
def test_a_heading_with_a_title_ends_an_answer_ahead_of_the_same_file(heading) -> None:
    one = BLOCK.format("a.py")
    assert [found.path for found in read_blocks(f"{one}\n{heading}\n\n{one}").edits] == ["a.py"]


def test_a_line_without_end_is_looked_at_in_part() -> None:
    assert not Ending().over("x" * LONGEST + "### Problem", begun=True)
    assert Ending().over("Question: " + "x" * 1_000_000, begun=True)
