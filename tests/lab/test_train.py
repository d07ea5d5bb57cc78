"""Training: budgets, the same curve from the same seed, going on after a kill, and what is written."""

import json
from dataclasses import replace

import pytest
import torch
from tiny_recipe import CONTEXT, TINY

from lab import LabError
from lab.training import train as trainer
from lab.training.model import Llama
from lab.training.recipe import Recipe
from lab.training.step import Steps
from lab.training.train import kept_name, train

TOKENS = 25 * 4 * CONTEXT  # 25 steps


def curve(checkpoint):
    """The logged losses by step, in full."""
    lines = [json.loads(line) for line in (checkpoint / "log.jsonl").read_text().splitlines()]
    return {line["step"]: (line["loss"], line["answer_loss"]) for line in lines}


@pytest.fixture(scope="module")
def checkpoint(workshop, tmp_path_factory):
    output = tmp_path_factory.mktemp("trained") / "concat.seed0"
    train(workshop.data(), workshop.tokenizer, output, TINY, seed=0, tokens=TOKENS, device="cpu")
    return output


def test_the_same_seed_gives_the_same_curve_and_weights_bit_for_bit(workshop, checkpoint, tmp_path):
    train(workshop.data(), workshop.tokenizer, tmp_path / "again", TINY, 0, TOKENS, "cpu")
    assert curve(tmp_path / "again") == curve(checkpoint)
    weights = [(folder / "model.safetensors").read_bytes() for folder in (tmp_path / "again", checkpoint)]
    assert weights[0] == weights[1]
    train(workshop.data(), workshop.tokenizer, tmp_path / "other", TINY, 1, TOKENS, "cpu")
    assert curve(tmp_path / "other") != curve(checkpoint)


def test_it_learns(checkpoint):
    losses = curve(checkpoint)
    assert losses[25][0] < 0.5 * losses[10][0]
    record = json.loads((checkpoint / "lab.json").read_text())
    assert record["loss"]["curve"][0] > 2 * record["loss"]["last"]


def test_the_record_says_what_was_done(workshop, checkpoint):
    record = json.loads((checkpoint / "lab.json").read_text())
    assert record["tokens"] == record["tokens_asked"] == TOKENS
    assert (record["seed"], record["steps"], record["context"]) == (0, 25, CONTEXT)
    assert record["recipe"]["answer_weight"] == 5
    assert record["packing"]["strategy"] == "concat-then-split"
    assert record["packing"]["sequences"] == 100 / record["passes"]
    assert 0 < record["peak_memory"] < 4e9
    assert sorted(file.name for file in checkpoint.iterdir()) == [
        "config.json",
        "generation_config.json",
        "lab.json",
        "log.jsonl",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


@pytest.mark.parametrize(
    ("strategy", "tokens", "steps"), [("pad-last-document", 7 * 384 + 383, 7), ("pad-last-document", 384, 1)]
)
def test_the_budget_counts_slots_and_is_never_exceeded(workshop, tmp_path, strategy, tokens, steps):
    record = train(workshop.data(strategy), workshop.tokenizer, tmp_path / "out", TINY, 0, tokens, "cpu")
    assert record["steps"] == steps
    assert record["tokens"] == steps * 384


class Killed(BaseException):
    """Nothing catches it."""


def test_a_killed_training_goes_on_with_an_equal_curve(workshop, checkpoint, tmp_path, monkeypatch):
    advance, ran = Steps.advance, []

    def dying(steps):
        ran.append(1)
        if len(ran) == 17:
            raise Killed
        advance(steps)

    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(Steps, "advance", dying)
    output = tmp_path / "killed"
    with pytest.raises(Killed):
        train(workshop.data(), workshop.tokenizer, output, TINY, 0, TOKENS, "cpu")
    assert not output.exists()
    record = train(workshop.data(), workshop.tokenizer, output, TINY, 0, TOKENS, "cpu")
    assert len(ran) == 17 + 15  # it went on from step 10, the last that was saved
    assert curve(output) == curve(checkpoint)
    assert (output / "model.safetensors").read_bytes() == (checkpoint / "model.safetensors").read_bytes()
    assert record["loss"] == json.loads((checkpoint / "lab.json").read_text())["loss"]


def test_what_is_finished_is_not_done_again(workshop, checkpoint, monkeypatch):
    monkeypatch.setattr(Steps, "advance", lambda steps: pytest.fail("trained again"))
    faster = replace(TINY, threads=2, compile=True)  # how, not what
    record = train(workshop.data(), workshop.tokenizer, checkpoint, faster, 0, TOKENS, "cpu")
    assert record == json.loads((checkpoint / "lab.json").read_text())


def test_other_trainings_are_not_mixed_up(workshop, checkpoint, tmp_path):
    with pytest.raises(LabError, match="other seed"):
        train(workshop.data(), workshop.tokenizer, checkpoint, TINY, 1, TOKENS, "cpu")
    with pytest.raises(LabError, match="other data_sha256"):
        train(workshop.data("pad-last-document"), workshop.tokenizer, checkpoint, TINY, 0, TOKENS, "cpu")
    with pytest.raises(LabError, match="no checkpoint of the laboratory"):
        train(workshop.data(), workshop.tokenizer, workshop.tokenizer, TINY, 0, TOKENS, "cpu")


def test_an_unfinished_other_training_is_not_gone_on_with(workshop, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "export", lambda *_: pytest.fail("stop"))
    output = tmp_path / "out"
    with pytest.raises(pytest.fail.Exception):
        train(workshop.data(), workshop.tokenizer, output, TINY, 0, 384, "cpu")
    with pytest.raises(LabError, match="unfinished training with other settings"):
        train(workshop.data(), workshop.tokenizer, output, TINY, 1, 384, "cpu")


def test_what_makes_no_sense_is_refused(workshop, tmp_path):
    arguments = (workshop.data(), workshop.tokenizer, tmp_path / "out")
    with pytest.raises(LabError, match="a single step takes 384"):
        train(*arguments, TINY, 0, 383, "cpu")
    with pytest.raises(LabError, match="64 positions at most"):
        train(*arguments, replace(TINY, positions=64), 0, TOKENS, "cpu")
    with pytest.raises(LabError, match="knows none of that name"):
        train(*arguments, TINY, 0, TOKENS, "abacus")
    with pytest.raises(LabError, match="device 'meta': give cpu, cuda or auto"):
        train(*arguments, TINY, 0, TOKENS, "meta")
    with pytest.raises(LabError, match="device 'cuda:99': torch finds"):
        train(*arguments, TINY, 0, TOKENS, "cuda:99")
    with pytest.raises(LabError, match="multiple of 64"):
        replace(TINY, width=100)
    assert not (tmp_path / "out").exists()


def test_a_place_where_no_folder_can_be_is_refused_before_training(workshop, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "Llama", lambda *_: pytest.fail("work was done"))
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match="file/x: no checkpoint can be written there"):
        train(workshop.data(), workshop.tokenizer, tmp_path / "file" / "x", TINY, 0, TOKENS, "cpu")


def test_a_torn_state_is_named_and_kept(workshop, tmp_path):
    state = tmp_path / "out.partial" / "state.pt"
    state.parent.mkdir()
    for torn in (b"", b"PK\x03\x04 torn"):
        state.write_bytes(torn)
        with pytest.raises(LabError, match=r"state\.pt: not a readable state; remove .*out\.partial") as caught:
            train(workshop.data(), workshop.tokenizer, tmp_path / "out", TINY, 0, TOKENS, "cpu")
        assert "\n" not in str(caught.value)
        assert state.read_bytes() == torn


def test_threads_are_put_back(workshop, tmp_path):
    before = torch.get_num_threads()
    train(workshop.data(), workshop.tokenizer, tmp_path / "out", replace(TINY, threads=before + 1), 0, 384, "cpu")
    assert torch.get_num_threads() == before


def test_the_model_begins_by_copying_what_followed_a_token_before():
    """Of 1,536 ids the one that followed the current token earlier is often the likeliest but for the current one."""
    torch.manual_seed(1)
    once = torch.randint(0, 1536, (8, 40))
    twice = torch.cat([once, once], dim=1)

    def hits(model):
        with torch.no_grad():
            likeliest = model(twice).scatter(2, twice[..., None], -torch.inf).argmax(-1)
        return (likeliest[:, 40:-1] == twice[:, 41:]).float().mean()

    assert hits(Llama(Recipe(), 1536, 80, seed=0)) > 0.1
    assert hits(Llama(Recipe(previous_bias=0.0, copy_gain=0.0), 1536, 80, seed=0)) < 0.02


def test_checkpoints_on_the_way_are_those_of_a_training_that_was_not_told_to_keep_them(workshop, checkpoint, tmp_path):
    output = tmp_path / "kept"
    train(workshop.data(), workshop.tokenizer, output, TINY, 0, TOKENS, "cpu", keep=5)
    parts = [output / kept_name(number, 5) for number in range(1, 5)]
    assert sorted(path for path in output.iterdir() if path.is_dir()) == parts
    weights = [(folder / "model.safetensors").read_bytes() for folder in (*parts, output, checkpoint)]
    assert weights[-2] == weights[-1]
    assert len(set(weights)) == 5
    assert all((part / "config.json").is_file() for part in parts)
