"""Blocks whose markers stand on the lines of source, have other words or are there twice: the same change comes out."""

import pytest
from one_edit import ANSWER, BLOCK, DRAFT, FIXED, HIGHER, NEW, OLD, OVEN, P, outcome

from harness.core.candidate import Reason
from harness.reading.marker_lines import marked_lines

SHAPES = [
    f"{P}\n<<<<<<< SEARCH>\n{OLD}=======\n{NEW}>>>>>>> REPLACE>\n",
    f"{P}\n<<<<<<< SEARCH\n:start_line:11\n-------{OLD}=======\n{NEW}>>>>>>> REPLACE\n",
    f"{P}\n<<<<<<< SEARCH\nstart_line:11\n-------\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n",
    f"{P}\n<<<<<<< SEARCH\n{OLD}=======\n{NEW[:-1]}>>>>>>> REPLACE\n",
    f"{P}\n<<<<<<< SEARCH\n{OLD[:-1]}=======\n{NEW}>>>>>>> REPLACE\n",
    f"{P}\n<<<<<<< SEARCH\n{OLD}======={NEW}>>>>>>> REPLACE\n",
    f"{P}\n<<<<<<< SEARCH{OLD}=======\n{NEW}>>>>>>> REPLACE\n",
    f"{P}\n<<<<<<< SEARCH\n{OLD[:-1]}======={NEW[:-1]}>>>>>>> REPLACE\n",
    f"{P}\n<<<<<<< SEARCH\n{OLD}<<<<<<< REPLACE\n{NEW}>>>>>>> REPLACE\n",
    f"{P}\n<<<<<<< SEARCH\n{OLD}<<<<<<< REPLACE\n{NEW}>>>>>>> END\n",
    f"{P}\n`<<<<<<< SEARCH`\n{OLD}`=======`\n{NEW}`>>>>>>> REPLACE`\n",
    f"{P}\n<<<<<<< SEARCH\n<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n",
    f"<<<<<<< SEARCH\n{P}\n<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n",
    f"<<<<<<< SEARCH {P}\n```python\n<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n```\n",
    f"<<<<<<< {P}\n{OLD}=======\n{NEW}>>>>>>> {P}\n",
    f"{P}\n<<<<<<< Updated upstream\n{OLD}=======\n{NEW}>>>>>>> Stashed changes\n",
    f"{P}\n<<<<<<< ORIGINAL\n{OLD}=======\n{NEW}>>>>>>> FIXED\n",
    f"{P}\n<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> CORRECTED CODE\n",
]


@pytest.mark.parametrize("text", SHAPES)
async def test_a_block_with_odd_markers_comes_to_the_same_change(text):
    assert await outcome(text) == {P: FIXED}


async def test_each_block_is_read_for_itself():
    text = f"{P}\n<<<<<<< SEARCH\n{OLD}=======\n{NEW[:-1]}>>>>>>> REPLACE\n\nAnd:\n\n{P}\n{HIGHER}"
    assert await outcome(text) == {P: FIXED.replace("250", "260")}


async def test_a_remark_on_the_marker_of_a_new_file_is_none_of_its_text():
    text = "bakery/new.py\n<<<<<<< SEARCH (new file)\n=======\ny = 1\n>>>>>>> REPLACE\n"
    assert await outcome(text) == {"bakery/new.py": "y = 1\n"}


@pytest.mark.parametrize("new", ['    return "a======="\n', "    # ======= b\n    return '>>>>>>> REPLACE'\n"])
async def test_signs_in_source_are_no_markers_where_the_block_has_its_own(new):
    text = f"{P}\n<<<<<<< SEARCH\n{OLD}=======\n{new}>>>>>>> REPLACE\n"
    assert await outcome(text) == {P: OVEN.replace(OLD, new)}


async def test_a_block_without_an_end_is_still_none():
    assert await outcome(f"{P}\n<<<<<<< SEARCH\n{OLD}=======\n{NEW}\n\nThis clamps it.\n") is Reason.PARSE_FAILURE


def test_lines_without_markers_stay():
    lines = ["a", "`b`", "c ======= d", "<<<<<<<", ">>>>>>> x"]
    assert marked_lines(lines) == lines
    assert marked_lines(BLOCK.split("\n")) == BLOCK.split("\n")


TAGS = ["bug_analysis", "root_cause_analysis", "self_reflection", "contemplation", "monologue", "investigation"]
TAGS += ["debugging", "fix_planning", "analysis_process", "mental_sandbox"]


@pytest.mark.parametrize(
    "text",
    [
        *(f"<{tag}>\n{DRAFT}</{tag}>\n\n{ANSWER}" for tag in TAGS),
        f"<think>\n{DRAFT}<\\/think>\n{ANSWER}",
        f"[REASONING]\n{DRAFT}[/REASONING]\n{ANSWER}",
        f"*Thinking:*\n\n{DRAFT}\n*Answer:*\n\n{ANSWER}",
    ],
)
async def test_a_draft_in_further_dialects_is_no_edit(text):
    assert await outcome(text) == {P: FIXED}
