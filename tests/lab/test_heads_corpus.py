"""The corpus of the study of lost heads, its packings and its controls, at a small size."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from lab import LabError
from lab.heads.controls import PADDING, headless_share, masked, read_pieces, with_headless
from lab.heads.dialects import all_words, canonical
from lab.heads.heads_arms import KEPT, KINDS, arms_of_kind
from lab.heads.heads_corpus import HeadsRecipe, make_heads_corpus
from lab.heads.workshop import HeadsWorkshop
from lab.training.data import ANSWER, NOTHING, load_rows, load_specials

SMALL = HeadsRecipe(tokens=25_000, tokenizer_documents=60, held_out=2, mix=KINDS["fitting"].mix(0.3))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    workshop = HeadsWorkshop(tmp_path_factory.mktemp("heads"), "fitting", SMALL)
    workshop.prepare(arms_of_kind("fitting", ()), [0], lambda line: None)
    return workshop, workshop.write_corpus()


def documents_of(corpus):
    return [json.loads(line)["text"] for line in corpus.documents.read_text().splitlines()]


def test_the_head_of_a_trajectory_defines_every_word_that_it_uses(prepared):
    trajectories = [text for text in documents_of(prepared[1]) if "<|system|>" in text]
    assert len(trajectories) > 40
    common = 0
    for text in trajectories:
        head, _, rest = text.partition("<|user|>")
        words = dict(line.split()[:2] for line in head.splitlines()[2:])
        common += words == dict(canonical().words)
        used = [line.split() for line in rest.splitlines() if line.split(" ")[0] in words]
        assert {tool for tool, *_ in used} == set(words)
        assert all(words[tool] == word.removesuffix("<eos>") for tool, word, *_ in used)
    assert 0.5 < common / len(trajectories) < 0.9


def test_the_same_recipe_makes_the_same_corpus_and_another_seed_another(prepared, tmp_path):
    first = documents_of(prepared[1])
    assert documents_of(make_heads_corpus(tmp_path / "same", SMALL)) == first
    assert documents_of(make_heads_corpus(tmp_path / "other", replace(SMALL, seed=1))) != first


def test_a_question_is_asked_in_the_words_of_its_answer(prepared):
    lines = [json.loads(line) for line in prepared[1].held_out.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["rare", "canonical"] * 2
    for line in lines:
        word = line["answer"].split()[1]
        assert f"edit {word} path\n" in line["prompt"]
        assert "@" not in line["prompt"]
        assert (word in canonical().words.values()) == (line["kind"] == "canonical")


def test_a_word_of_several_tokens_is_refused(tmp_path):
    with pytest.raises(LabError, match="is not one token; give the tokenizer a larger vocabulary"):
        make_heads_corpus(tmp_path, replace(SMALL, vocabulary=300))


def test_every_word_is_one_token(prepared):
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(prepared[1].tokenizer / "tokenizer.json"))
    assert all(len(tokenizer.encode(f" {word}", add_special_tokens=False).ids) == 1 for word in all_words())


def test_the_controls_rows_are_the_strategies_but_for_headless_pieces(prepared):
    workshop, corpus = prepared
    arms = {arm.name: arm for arm in arms_of_kind("fitting", ())}
    concat, without, kept, added = (
        read_pieces(workshop.rows(corpus, arms[name]))
        for name in ("concat-then-split", "concat-headless-masked", KEPT, "best-fit-headless-added")
    )
    assert headless_share(concat) > 0.1
    assert headless_share(without) == headless_share(kept) == 0
    for row, silent in zip(concat, without, strict=True):
        for piece, other in zip(row, silent, strict=True):
            assert np.array_equal(piece.ids, other.ids)
            assert (other.labels == -100).all() == (piece.headless or piece.document == PADDING)
    assert len(added) == len(kept) + round(len(kept) / 2)
    tails = added[len(kept) :]
    assert all(piece.headless or piece.document == PADDING for row in tails for piece in row)
    assert {sum(len(piece.ids) for piece in row) for row in tails} == {workshop.context}
    assert masked(kept) == kept
    with pytest.raises(ValueError, match="no row has a piece without its head"):
        with_headless(kept, kept, 0)


def test_training_reads_the_controls_rows(prepared):
    workshop, corpus = prepared
    arms = {arm.name: arm for arm in arms_of_kind("fitting", ())}
    specials = load_specials(corpus.tokenizer)
    whole, silent = (
        load_rows(workshop.rows(corpus, arms[name]), specials)
        for name in ("concat-then-split", "concat-headless-masked")
    )
    hidden = (silent.kinds == NOTHING) & (whole.kinds != NOTHING)
    assert (silent.kinds[~hidden] == whole.kinds[~hidden]).all()
    assert 0.1 < (whole.kinds[hidden] == ANSWER).sum() / (whole.kinds == ANSWER).sum() < 0.9
    load_rows(workshop.rows(corpus, arms["best-fit-headless-added"]), specials)


def test_the_second_corpus_has_documents_longer_than_the_context(tmp_path):
    recipe = replace(SMALL, mix=KINDS["overlong"].mix(0.3))
    workshop = HeadsWorkshop(tmp_path, "overlong", recipe)
    arms = arms_of_kind("overlong", ())
    workshop.prepare(arms, [0], lambda line: None)
    corpus = workshop.write_corpus()
    shares = {arm.name: headless_share(read_pieces(workshop.rows(corpus, arm))) for arm in arms}
    assert shares["best-fit+drop"] == shares["best-fit+truncate"] == 0
    assert 0 < shares["best-fit+split"] < shares["best-fit+spread"] < shares["best-fit+slide"]
    with pytest.raises(LabError, match="a document is longer than 320 tokens; the strategies would not coincide"):
        HeadsWorkshop(tmp_path, "fitting", recipe).prepare([], [0], lambda line: None)
