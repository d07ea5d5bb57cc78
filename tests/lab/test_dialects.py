"""Dialects: words put into prompts and answers, and taken back only if the head defines them."""

from random import Random

import pytest

from harness.reading.blocks import read_blocks
from lab.heads.dialects import TOOLS, all_words, canonical, dialect_of, rare

BLOCKS = "### a/b.py\n<<<<<<< SEARCH\n    return 1\n=======\n    return 2\n>>>>>>> REPLACE"
BARE = "find @find\nopen @open @order\nedit @edit path\nopen @open @arguments(a/b.py 12)\ndone @done\n"


@pytest.mark.parametrize("seed", range(20))
def test_what_a_dialect_says_it_understands(seed):
    dialect = rare(Random(seed))
    told = dialect.told(BLOCKS)
    assert "SEARCH" not in told
    assert "=======" not in told
    assert not read_blocks(told).edits
    assert dialect.understood(told) == BLOCKS
    assert dialect.undefined(told) == ()


def test_a_prompt_is_spoken_in_its_words_and_order():
    spoken = canonical().spoken(BARE)
    assert spoken == "find search\nopen view path line\nedit patch path\nopen view a/b.py 12\ndone submit\n"
    turned = next(dialect for seed in range(99) if (dialect := rare(Random(seed))).order == ("line", "path"))
    assert f"open {turned.words['open']} line path\n" in turned.spoken(BARE)
    assert f"open {turned.words['open']} 12 a/b.py\n" in turned.spoken(BARE)


@pytest.mark.parametrize("tool", ["edit", "with", "end"])
def test_an_undefined_word_leaves_no_edit(tool):
    dialect = rare(Random(1))
    strange = next(word for word in all_words() if word not in dialect.words.values())
    said = dialect.told(BLOCKS).replace(f"{tool} {dialect.words[tool]}", f"{tool} {strange}")
    assert dialect.undefined(said) == (strange,)
    assert not read_blocks(dialect.understood(said)).edits
    assert dialect.undefined(dialect.understood(said)) == (strange,)
    assert dialect.understood(said, any_words=True) == BLOCKS


def test_the_word_of_another_tool_is_defined_and_still_no_edit():
    dialect = canonical()
    said = dialect.told(BLOCKS).replace("edit patch", "edit search")
    assert dialect.undefined(said) == ()
    assert not read_blocks(dialect.understood(said)).edits


def test_every_checkpoint_is_asked_a_prompt_in_the_same_dialect():
    asked = {text: dialect_of(text, "rare") for text in ("one", "two")}
    assert asked["one"] == dialect_of("one", "rare") == dialect_of("one", "forgiving")
    assert asked["one"] != asked["two"]
    assert dialect_of("one", "canonical") == canonical()
    assert not set(asked["one"].words.values()) & set(canonical().words.values())
    assert len(set(asked["one"].words.values())) == len(TOOLS)
