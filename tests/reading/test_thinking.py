"""Thinking in every dialect of the table, and source that only speaks of such tags."""

import tomllib
from time import process_time

import pytest

from harness.reading.thinking import TABLE, without_thinking

DRAFT = "Maybe:\na.py\n<<<<<<< SEARCH\nold\n=======\ndraft\n>>>>>>> REPLACE\nNo."
ANSWER = "a.py\n<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n"
PAIRS = [
    ("<think>", "</think>"),
    ("<THINK>", "</THINK>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<Thoughts>", "</Thoughts>"),
    ("<reasoning>", "</reasoning>"),
    ("<analysis>", "</analysis>"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("<think:opensource>", "</think:opensource>"),
    ("<ifm|think_fast>", "</ifm|think_fast>"),
    ("<longcat_think>", "</longcat_think>"),
    ("<think >", "</ think>"),
    ("<thinking>", "</think>"),
    ("◁think▷", "◁/think▷"),
    ("[THINK]", "[/THINK]"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|start|>assistant<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
    ("analysis", "assistantfinal"),
    ("<|channel>thought\n", "<channel|>"),
    ("<unused94>thought\n", "<unused95>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    ("<|message_model|><|content_thinking|>", "<|end_message|><|message_model|><|content_text|>"),
    ("to=self<|message|>", "<|eom|><|start|>assistant to=user<|message|>"),
    ("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>"),
    ("[unused16]", "[unused17]"),
    ("Here is my thought process:", "Here is my response:"),
    ("## Thinking\n\n", "\n## Answer\n"),
    ("**Thought process:**\n", "\n**Final answer:**\n"),
    ("Thinking...\n", "\n...done thinking.\n"),
    ("THOUGHT: ", "\n\nFinal answer:\n"),
    ("# Analysis\n", "\n### Proposed Changes\n"),
    ("```thinking\n", "\n```\n"),
]
# words of every day, and fences: they count at the beginning of an answer, and only with their end
PLAIN = ("analysis", "Here is my thought process:", *(opening for opening, _ in PAIRS[-6:]))


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
@pytest.mark.parametrize("between", ["", "\n", "\n\n"])
def test_a_draft_in_thinking_is_no_part_of_the_answer(opening, closing, between):
    text = f"{opening}{DRAFT}{between}{closing}{between}{ANSWER}"
    assert without_thinking(text).strip() == ANSWER.strip()


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_the_prompt_may_have_opened_the_thinking(opening, closing):
    if opening in PLAIN:
        return
    text = f"{DRAFT} {closing}{ANSWER}"
    assert without_thinking(text).strip() == ANSWER.strip()


@pytest.mark.parametrize(("opening", "closing"), PAIRS)
def test_what_never_ends_leaves_nothing_if_tags_say_that_it_is_thinking(opening, closing):
    left = without_thinking(f"{opening}{DRAFT}")
    assert left == ("" if opening not in PLAIN else f"{opening}{DRAFT}")


def test_every_dialect_of_the_table_is_tried():
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    assert len(PAIRS) >= len(table["dialects"]) + 8


@pytest.mark.parametrize(
    "text",
    [
        f"{ANSWER}\n<think>Is that all? Yes.</think>\n",
        f"Well.\n<think>{DRAFT}</think>\n{ANSWER}",
        f"<think>one</think><think>two</think>{ANSWER}",
        f"<think>\n\n</think>\n\n{ANSWER}",
        f"{ANSWER}\n<think>\nLet me look again.\n{DRAFT}",
        f"<think>The tag `</think>` ends it. {DRAFT}</think>{ANSWER}",
        f"<think>a.py\n<<<<<<< SEARCH\nold\nno.</think>{ANSWER}",
        f"<reasoning>why\n<answer>\n{ANSWER}</answer>",
        f"<think>x</think><answer>{ANSWER}</answer>",
        f"<|begin_of_thought|>x<|end_of_thought|>\n<|begin_of_solution|>\n{ANSWER}<|end_of_solution|>",
        f"{ANSWER}This also handles </think> without an opening tag.\n",
        f"{ANSWER}The `</think>` tag is kept.\n",
    ],
)
def test_only_the_answer_s_own_block_is_left(text):
    left = without_thinking(text)
    assert ANSWER.rstrip() in left
    assert "draft" not in left


@pytest.mark.parametrize(
    "text",
    [
        ANSWER.replace("old", 'END = "</think>"'),
        ANSWER.replace("old", "<think>").replace("new", "</think>"),
        ANSWER.replace("old", "    </think>"),
        f"{ANSWER}The parser looks for <think> and </think> in the text.\n",
        f"{ANSWER}It splits at '</think>' now.\n",
        f"analysis of the report: it is right.\n{ANSWER}",
        f"Analysis: it is right.\n{ANSWER}",
        f"## Analysis\n\nIt is wrong.\n\n{ANSWER}",
        f"## Analysis\n\n{ANSWER}\n## Solution\n\nThe sum is right now.\n",
        f"{ANSWER}\n## Analysis\n\nIt was wrong.\n\n## Answer\n\nSee a.py.\n",
        ANSWER.replace("old", "## Thinking\n\nx\n\n## Answer\n\na.py"),
    ],
)
def test_source_and_prose_about_such_tags_stay(text):
    assert without_thinking(text) == text


def test_a_long_answer_full_of_tags_is_read_quickly():
    start = process_time()
    for piece in (
        "<think>",
        "</think>",
        "<think",
        "<<<<<<< SEARCH\n<think>",
        "x <think> y ",
        "analysis",
        "## Thinking\n## Answer\n",
    ):
        without_thinking(piece * 50_000)
    assert process_time() - start < 20
