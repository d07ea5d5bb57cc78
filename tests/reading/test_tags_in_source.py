"""Tags of thinking in the source that edits of each format hold, or spoken of; and drafts that are given up in such."""

import json

import pytest
from one_edit import ANSWER, CALL, DRAFT, FIXED, OLD, OVEN, P, outcome

from harness.reading.thinking import without_thinking

ASIDE = '    """\n    <thinking>\n    Work it out.\n    </thinking>\n    """\n'
TAGGED = [
    '    prompt = """\n<thinking>\nWork it out.\n</thinking>\nAnswer.\n"""\n    return len(prompt)\n',
    '    """Removes <think>...</think> from t."""\n    return 0\n',
    '    """Removes <think>what it thought</think>from t."""\n    return 0\n',
    ASIDE,
    '    """\n[THINK]\nx\n[/THINK]\n"""\n    return "◁think▷"\n',
    '    return """\n<|assistant|>\n<think>\n"""\n',
    '    return """\n</think>\n\n"""\n',
    '    """\n<details>\n<summary>Thinking</summary>\nx\n</details>\n<!-- thinking: x -->\n"""\n    return 0\n',
]


def lines(text: str, sign: str) -> str:
    return "".join(f"{sign}{line}\n" for line in text.splitlines())


def shapes(old: str, new: str, before: str, after: str) -> list[str]:
    """The edit in each format; ``before`` and ``after`` are the whole file."""
    signed = lines(old, "-") + lines(new, "+")
    path = f"<parameter=path>{P}</parameter>"
    return [
        f"{P}\n```python\n{after}```\n",
        f"Here is `{P}`:\n\n```\n{after}```\n\nThat is all.\n",
        f"```python\n# {P}\n{after}```\n",
        f'<file path="{P}">\n{after}</file>\n',
        f"cat > {P} <<'EOF'\n{after}EOF\n",
        f"--- a/{P}\n+++ b/{P}\n@@ -10,2 +10,9 @@\n def cool(degrees):\n{signed}",
        f"```diff\n--- a/{P}\n+++ b/{P}\n@@ -10,2 +10,9 @@\n def cool(degrees):\n{signed}```\n",
        f"*** Begin Patch\n*** Update File: {P}\n@@ def cool(degrees):\n{signed}*** End Patch\n",
        f"<function=str_replace>{path}<parameter=old_str>\n{old}</parameter>\n<parameter=new_str>\n{new}</parameter>\n"
        f"</function>\n",
        f"<str_replace>\n<path>{P}</path>\n<old_str>\n{old}</old_str>\n<new_str>\n{new}</new_str>\n</str_replace>\n",
        f"{P}\n<search>\n{old}</search>\n<replace>\n{new}</replace>\n",
        f"In `{P}`, replace:\n```python\n{old}```\nwith:\n```python\n{new}```\n",
        f"{P}\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n",
        json.dumps({**CALL, "old_str": old, "new_str": new}),
    ]


@pytest.mark.parametrize("new", TAGGED)
@pytest.mark.parametrize("shape", range(14))
async def test_tags_in_what_an_edit_puts_in_are_source(new, shape):
    after = OVEN.replace(OLD, new)
    assert await outcome(shapes(OLD, new, OVEN, after)[shape]) == {P: after}


@pytest.mark.parametrize("tagged", TAGGED)
@pytest.mark.parametrize("shape", range(14))
def test_tags_in_what_an_edit_looks_for_are_source(tagged, shape):
    text = shapes(tagged, OLD, OVEN.replace(OLD, tagged), OVEN)[shape]
    assert without_thinking(text) == text


@pytest.mark.parametrize("shape", [5, 6, 7])
def test_tags_in_lines_that_a_hunk_keeps_are_source(shape):
    text = shapes("    x\n", "    y\n", "", "")[shape].replace("-    x", lines(ASIDE, " ") + "-    x")
    assert ASIDE.splitlines()[1] in text
    assert without_thinking(text) == text


@pytest.mark.parametrize(
    "sentence",
    [
        "Now <think>...</think> is handled.", "Now <think>…</think>, too.", "It keeps `<think>...</think>` as it is.",
        "Now <think>...</think> (and others) go.", "<think> and </think> are left out.", "So <think>, </think> go.",
        "- Text in <think>...</think> goes.",
    ],
)  # fmt: skip
async def test_a_sentence_that_speaks_of_tags_takes_nothing_away(sentence):
    assert await outcome(f"{ANSWER}\n{sentence}\n") == {P: FIXED}
    assert await outcome(f"It is the oven.\n\n{sentence}\n\n{ANSWER}") == {P: FIXED}
    assert await outcome(f"{P}\n```python\n{FIXED}```\n{sentence}\n") == {P: FIXED}


WORSE = FIXED.replace("max", "min")
WORSE_LINE = "    return min(degrees - 10, 0)\n"
DRAFTS = [
    DRAFT,
    f"{P}\n```python\n{WORSE}```\n",
    f"{P}\n```python\n{WORSE}",
    f"{P}\n```\n{WORSE}",
    f"```python\n{WORSE_LINE}",
    f"--- a/{P}\n+++ b/{P}\n@@ -10,2 +10,2 @@\n def cool(degrees):\n-{OLD}+{WORSE_LINE}",
    f"```diff\n--- a/{P}\n+++ b/{P}\n@@ -10,2 +10,2 @@\n def cool(degrees):\n-{OLD}+{WORSE_LINE}",
    f"*** Begin Patch\n*** Update File: {P}\n@@ def cool(degrees):\n-{OLD}+{WORSE_LINE}*** End Patch\n",
    f"*** Begin Patch\n*** Update File: {P}\n@@ def cool(degrees):\n-{OLD}+{WORSE_LINE}",
    f"<str_replace>\n<path>{P}</path>\n<old_str>\n{OLD}</old_str>\n<new_str>\n{WORSE_LINE}</new_str>\n</str_replace>\n",
    f"<str_replace>\n<path>{P}</path>\n<old_str>\n{OLD}</old_str>\n<new_str>\n{WORSE_LINE}",
    f'<file path="{P}">\n{WORSE}',
    f"cat > {P} <<'EOF'\n{WORSE}",
    f"{P}\n```python\n{OVEN.replace(OLD, TAGGED[0])}```\n",
]
NEW = "    return max(degrees - 10, 0)\n"


@pytest.mark.parametrize("opening", ["<think>", "<think>\n", ""])
@pytest.mark.parametrize(
    "closing", ["No.</think>\n", "No, it is wrong.\n</think>\n\n", "</think>", "\nNo.</think>So:\n"]
)
@pytest.mark.parametrize("draft", DRAFTS)
async def test_a_draft_is_no_part_of_an_answer_in_any_format(opening, closing, draft):
    for answer in shapes(OLD, NEW, OVEN, FIXED):
        text = f"{opening}Maybe:\n{draft}{closing}{answer}"
        assert await outcome(text) == {P: FIXED}, text


@pytest.mark.parametrize(
    "text",
    [
        f"```\n<think>{DRAFT}</think>\n{ANSWER}```\n",
        f"```text\n{DRAFT}</think>\n{ANSWER}```\n",
        f"```xml\n<think>\n{DRAFT}</think>\n<answer>\n{ANSWER}</answer>\n```\n",
        f"{P}\n<think>\n{DRAFT}</think>\n```python\n{FIXED}```\n",
        f"```python\n{P}\n<think>{DRAFT}</think>\n<<<<<<< SEARCH\n{OLD}=======\n{NEW}>>>>>>> REPLACE\n```\n",
        f"<content>\n<think>\n{DRAFT}</think>\n{ANSWER}</content>\n",
    ],
)
async def test_what_stands_around_an_answer_makes_no_source_of_its_thinking(text):
    assert await outcome(text) == {P: FIXED}


@pytest.mark.parametrize("draft", DRAFTS)
async def test_thinking_behind_an_answer_is_no_part_of_it(draft):
    for answer in shapes(OLD, NEW, OVEN, FIXED):
        assert without_thinking(f"{answer}\n<think>\nOr:\n{draft}\nNo.\n</think>\n").strip() == answer.strip()
        assert without_thinking(f"{answer}\n<think>\nOr:\n{draft}").strip() == answer.strip()
