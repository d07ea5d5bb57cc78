"""What is exported and scored: transformers computes what we trained, and both readings of an answer agree."""

import json
from dataclasses import replace

import pytest
import torch
from tiny_recipe import CONTEXT, TINY

from lab import LabError
from lab.score import read_questions, score_checkpoint
from lab.training.data import load_specials
from lab.training.export import export
from lab.training.model import Llama
from lab.training.recipe import Recipe
from lab.training.train import train

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def checkpoint(workshop, tmp_path_factory):
    """Trained until some answers are right and others are not."""
    output = tmp_path_factory.mktemp("scored") / "half-learnt"
    train(workshop.data("pad-last-document"), workshop.tokenizer, output, TINY, 0, 90 * 4 * CONTEXT, "cpu")
    return output


def test_transformers_computes_the_same_logits(workshop, tmp_path):
    recipe = replace(TINY, rope_theta=500.0)
    specials = load_specials(workshop.tokenizer)
    model = Llama(recipe, specials.vocabulary, 64, seed=3)
    with torch.no_grad():
        for parameter in model.parameters():  # away from zeros and ones, and to what bfloat16 holds
            parameter.copy_((parameter + 0.1 * torch.randn_like(parameter)).bfloat16())
    export(model, workshop.tokenizer, specials, tmp_path)
    theirs, report = transformers.AutoModelForCausalLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report[problem] for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tokens = torch.randint(0, specials.vocabulary, (2, 64))
    with torch.no_grad():
        assert torch.allclose(model(tokens), theirs.float()(tokens).logits, atol=1e-4, rtol=1e-4)


def test_transformers_splits_text_as_the_tokenizer_does(workshop, checkpoint):
    from tokenizers import Tokenizer

    text = "<bos><|user|>\nrepeat total_count  window 12345\n\tlimit\n<|assistant|>\n"
    ours = Tokenizer.from_file(str(workshop.tokenizer / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    theirs = transformers.AutoTokenizer.from_pretrained(checkpoint)
    assert theirs(text, add_special_tokens=False)["input_ids"] == ours
    asked = [{"role": "user", "content": "repeat total_count  window 12345\n\tlimit"}]
    assert theirs.apply_chat_template(asked, tokenize=False, add_generation_prompt=True) == text


def test_a_checkpoint_of_the_recipe_as_it_stands_takes_less_than_5_megabytes(workshop, tmp_path):
    specials = replace(load_specials(workshop.tokenizer), vocabulary=1536)
    export(Llama(Recipe(), 1536, 64, seed=0), workshop.tokenizer, specials, tmp_path)
    assert 2.4e6 < sum(file.stat().st_size for file in tmp_path.iterdir()) < 5e6


@pytest.fixture(scope="module")
def score(workshop, checkpoint):
    return score_checkpoint(checkpoint, workshop.questions, generate=True, device="cpu")


def test_teacher_forced_and_greedy_answers_agree(score):
    assert [answer.teacher_forced for answer in score.answers] == [answer.exact for answer in score.answers]
    right = sum(answer.exact for answer in score.answers)
    assert 0 < right < len(score.answers), "learnt nothing or all: the agreement says nothing"
    kinds = score.kinds()
    assert sum(row["questions"] for row in kinds.values()) == 12
    assert sum(row["questions"] * row["greedy"] for row in kinds.values()) == pytest.approx(right)
    assert "teacher-forced" in str(score)
    assert "greedy" in str(score)


def test_batches_do_not_change_answers(workshop, checkpoint, score, monkeypatch):
    monkeypatch.setattr("lab.score.BATCH_TOKENS", 1)
    alone = score_checkpoint(checkpoint, workshop.questions, generate=True, device="cpu")
    for one, among in zip(alone.answers, score.answers, strict=True):
        assert (one.teacher_forced, one.greedy) == (among.teacher_forced, among.greedy)
        assert one.nats == pytest.approx(among.nats, abs=1e-4)


def test_the_limit_is_of_each_kind(workshop):
    kinds = [question.kind for question in read_questions(workshop.questions, limit=2)]
    assert sorted(kinds) == ["0", "0", "1", "1"]


def test_texts_may_hold_line_separators_and_lines_be_blank(tmp_path):
    lines = tmp_path / "questions.jsonl"
    row = {"prompt": "a\u2028b", "answer": "c", "kind": "k"}
    lines.write_text(json.dumps(row, ensure_ascii=False) + "\n\n" + json.dumps(row) + "\n")
    assert [question.prompt for question in read_questions(lines)] == ["a\u2028b"] * 2


def test_wrong_input_gets_a_line(workshop, checkpoint, tmp_path):
    with pytest.raises(LabError, match="no checkpoint there"):
        score_checkpoint(tmp_path, workshop.questions)
    lines = tmp_path / "questions.jsonl"
    lines.write_text("")
    with pytest.raises(LabError, match="holds no questions"):
        score_checkpoint(checkpoint, lines)


@pytest.mark.parametrize(
    "line",
    [
        '{"prompt": "a"}',
        '{"prompt": "a", "answer": 3, "kind": "k"}',
        '{"prompt": "", "answer": "b", "kind": "k"}',
        '{"prompt": "a", "answer": "", "kind": "k"}',
        '{"prompt": "a", "answer": "b", "kind": ["k"]}',
        "[1]",
        "{",
        '{"prompt": ' + "[" * 100_000,
    ],
)
def test_what_is_no_question_is_named_by_its_line(tmp_path, line):
    lines = tmp_path / "questions.jsonl"
    lines.write_text(json.dumps({"prompt": "a", "answer": "b", "kind": "k"}) + f"\n{line}\n")
    with pytest.raises(LabError, match="line 2: not an object with texts for prompt, answer and kind"):
        read_questions(lines)


@pytest.mark.parametrize("config", ["{", "{}", "[]", "[" * 100_000])
def test_a_damaged_checkpoint_is_named(workshop, tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(LabError, match=f"{tmp_path}: not a readable checkpoint"):
        score_checkpoint(tmp_path, workshop.questions, device="cpu")
