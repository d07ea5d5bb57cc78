"""Blocks whose markers stand on the lines of source, have other words or are there twice: the same change comes out."""

import pytest
from one_edit import ANSWER, BLOCK, DRAFT, FILES, FIXED, HIGHER, NEW, OLD, OVEN, P, outcome

from harness.core.candidate import Reason
from harness.reading.blocks import read_blocks
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


REMARKS = [
    "// new",
    "# updated",
    "(new code)",
    "[new]",
    "REPLACE WITH",
    "Replacement:",
    "new code",
    "with the following",
]
REMARKS += ["<!-- new -->", "/* new */", "-- fixed", "<- new", "; updated", "\u2190 what comes"]


@pytest.mark.parametrize("remark", REMARKS)
@pytest.mark.parametrize("space", [" ", "\t"])
async def test_a_remark_behind_a_divider_is_none_of_the_replacement(remark, space):
    """The remark stood in the file, in one that is no Python without a word."""
    old, new = FILES["web/heat.js"].split("\n")[1], '  throw new Error("too hot");'
    text = f"web/heat.js\n<<<<<<< SEARCH\n{old}\n======={space}{remark}\n{new}\n>>>>>>> REPLACE\n"
    assert await outcome(text) == {"web/heat.js": FILES["web/heat.js"].replace(old, new)}
    assert await outcome(text.replace(f"{old}\n", old)) == {"web/heat.js": FILES["web/heat.js"].replace(old, new)}


def test_the_border_of_a_table_is_no_divider_with_a_remark():
    edits = read_blocks("a.rst\n<<<<<<< SEARCH\nold\n=======\n======= =======\n>>>>>>> REPLACE\n").edits
    assert [(edit.search, edit.replace, edit.others) for edit in edits] == [("old\n", "======= =======\n", ())]


async def test_a_remark_is_behind_the_divider_of_a_block_that_has_underlines_too():
    search, new = "Title\n=======\n", "Heading\n=======\n"
    text = f"docs/merge.md\n<<<<<<< SEARCH\n{search}======= # new\n{new}>>>>>>> REPLACE\n"
    assert await outcome(text) == {"docs/merge.md": FILES["docs/merge.md"].replace(search, new)}


@pytest.mark.parametrize("line", ["    # clamps it", "    with LOCK:", "    new", "    (degrees)"])
async def test_source_that_a_divider_is_glued_to_is_no_remark(line):
    behind = "        return 0\n" if line.endswith(":") else ""
    text = f"{P}\n<<<<<<< SEARCH\n{OLD}======={line}\n{behind}{NEW}>>>>>>> REPLACE\n"
    assert await outcome(text) == {P: OVEN.replace(OLD, f"{line}\n{behind}{NEW}")}


async def test_a_line_like_a_divider_with_a_remark_stays_where_the_block_has_its_own():
    text = "web/heat.js\n<<<<<<< SEARCH\n}\n=======\n}\n/*\n======= # new\n*/\n>>>>>>> REPLACE\n"
    assert await outcome(text) == {"web/heat.js": FILES["web/heat.js"] + "/*\n======= # new\n*/\n"}


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
