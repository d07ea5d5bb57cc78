"""One edit in the habits of many models: whatever stands around it, the same change comes out."""

import html

import pytest

from harness.core.location import Location
from harness.model.answers import read_edits
from harness.reading.formats import Format, read_format
from harness.repair.edits import apply_edits
from harness.repo.memory_snapshot import MemorySnapshot

OVEN = "LIMIT = 250\n\n\ndef heat(degrees):\n    return degrees\n\n\ndef cool(degrees):\n    return degrees - 10\n"
FILES = {"bakery/oven.py": OVEN.encode(), "bakery/dough.py": b"class Dough:\n    water = 1\n"}
OLD, NEW = "    return degrees - 10\n", "    return max(degrees - 10, 0)\n"
PATH = "bakery/oven.py\n"
BLOCK = f"<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n"
ANSWER = PATH + BLOCK
DRAFT = "Maybe:\n" + ANSWER.replace("max", "min")


def changed(text: str) -> dict[str, str]:
    snapshot, shown = MemorySnapshot(FILES), tuple(map(Location, FILES))
    reading = read_edits(text)
    assert reading.problems == ()
    return {change.path: change.content.decode() for change in apply_edits(reading.edits, snapshot, shown).changes}


@pytest.mark.parametrize(
    "text",
    [
        *(f"<{tag}>\n{DRAFT}</{tag}>\n{ANSWER}" for tag in ("thought_process", "chain_of_thought", "cot", "plan")),
        *(f"<{tag}>{DRAFT}</{tag}>{ANSWER}" for tag in ("antThinking", "reflexion", "internal_monologue")),
        f"<|think_start|>{DRAFT}<|think_end|>{ANSWER}",
        f"<|thinking|>{DRAFT}<|/thinking|>{ANSWER}",
        f"<|start_thinking|>{DRAFT}<|end_thinking|>{ANSWER}",
        f"<｜think｜>{DRAFT}</｜think｜>{ANSWER}",
        f"&lt;think&gt;{DRAFT}&lt;/think&gt;{ANSWER}",
        f'<details type="reasoning" done="true">\n{DRAFT}</details>\n{ANSWER}',
        f"<details><summary>Thinking</summary>\n{DRAFT}</details>\n{ANSWER}",
        f"{DRAFT}so that is it </think> {ANSWER}",
        f"{DRAFT}so that is it </think> `bakery/oven.py`:\n{BLOCK}",
        f"<|channel|>analysis<|message|>{DRAFT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
        f"analysisI see.\n{DRAFT}assistantcommentaryI mend it.assistantfinal{ANSWER}",
        f"<seed:think>{DRAFT}<seed:cot_budget_reflect>90 left</seed:cot_budget_reflect>{DRAFT}</seed:think>{ANSWER}",
    ],
)
def test_a_draft_is_no_edit(text):
    assert changed(text) == {"bakery/oven.py": OVEN.replace(OLD, NEW)}


@pytest.mark.parametrize(
    "text",
    [
        ANSWER.replace("<<<<<<<", "-------").replace(">>>>>>>", "+++++++"),
        f"<replace_in_file>\n<path>bakery/oven.py</path>\n<diff>\n{BLOCK}</diff>\n</replace_in_file>\n",
        f"{PATH}<<<<<<< SEARCH\n:start_line:9\n-------\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n",
        f"{PATH}<<<<<<< SEARCH\n:start_line:9\n:end_line:9\n-------\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n",
        f"<<<<<<< SEARCH\n# {PATH}{OLD}=======\n# {PATH}{NEW}>>>>>>> REPLACE\n",
        f"{PATH}<<<<<<< SEARCH\n{PATH}{OLD}=======\n{NEW}>>>>>>> REPLACE\n",
        "".join(f"> {line}\n" for line in ANSWER.splitlines()),
        html.escape(ANSWER).replace("&lt;", "&#60;").replace("&gt;", "&#62;"),
        ANSWER.replace("<<<<<<<", "<<<").replace("=======", "===").replace(">>>>>>>", ">>>"),
        ANSWER.replace("REPLACE", "END"),
        ANSWER.replace("REPLACE", "SEARCH"),
        ANSWER.replace(">>>>>>> REPLACE", "<<<<<<< REPLACE"),
        f"{PATH}  ```python\n{BLOCK}  ```\n",
        f"1. **File: `bakery/oven.py`**\n   ```python\n{BLOCK}   ```\n",
        f"file:///testbed/{ANSWER}",
        f"{ANSWER}\nSo the final answer is:\n\n{ANSWER}",
    ],
)
def test_a_block_comes_to_the_same_change(text):
    assert changed(text) == {"bakery/oven.py": OVEN.replace(OLD, NEW)}


@pytest.mark.parametrize("tag", ["<think>", "</think>", "<|think_end|>", "&lt;/think&gt;", "</details>", "</plan>"])
def test_source_that_speaks_of_tags_stays_source(tag):
    new = f'    return "{tag}", {tag!r}  # see {tag}\n'
    text = f"It returns {tag} now, as asked.\n{PATH}<<<<<<< SEARCH\n{OLD}=======\n{new}>>>>>>> REPLACE\n"
    assert changed(text) == {"bakery/oven.py": OVEN.replace(OLD, new)}


@pytest.mark.parametrize("asked", Format)
def test_a_call_that_holds_blocks_is_read_whatever_was_asked_for(asked):
    call = f"<replace_in_file>\n<path>bakery/oven.py</path>\n<diff>\n{BLOCK}</diff>\n</replace_in_file>\n"
    reading = read_format(call, asked)
    assert not reading.problems
    assert [(edit.path, edit.search, edit.replace) for edit in reading.edits] == [("bakery/oven.py", OLD, NEW)]
