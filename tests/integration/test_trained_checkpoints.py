"""The checkpoints that come with the project: what their scorer, transformers and a real vLLM server answer."""

import json
from random import Random

import pytest

from harness.common.journal import Journal
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Sampling
from harness.miniature.package import draw_packages
from harness.miniature.texts import write_texts
from harness.model.client import open_model
from harness.model.prompts import Prompts
from harness.pipeline.demo import pipeline_settings, shipped_checkpoints
from harness.repo.blob_cache import BlobStore
from harness.repo.outline import Outlines
from lab.arms import STRATEGIES
from lab.corpus.chats import CONDITIONS, question
from lab.corpus.make_corpus import described
from lab.corpus.oracle import Questions
from lab.score import score_checkpoint

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

PACKAGES = 10  # with five questions each
SEED = 7  # neither the corpus' nor the demonstration's
NEAR_TIE = 0.5  # nats between two tokens that bfloat16 may put in either order
GREEDY = Sampling(temperature=0.0, max_tokens=128)
SHIPPED = {entry["strategy"]: entry for entry in shipped_checkpoints()}


def test_one_checkpoint_for_each_strategy_with_recipe_seed_data_and_score():
    assert tuple(SHIPPED) == STRATEGIES
    hashes = set()
    for entry in shipped_checkpoints():
        folder = CheckpointConfig.model_validate(entry).path
        assert sum(file.stat().st_size for file in folder.iterdir()) <= 5_000_000
        card = json.loads((folder / "lab.json").read_text())
        assert card["packing"]["strategy"] == entry["strategy"]
        assert card["seed"] == 0
        assert card["recipe"]["answer_weight"] > 1
        assert set(card["score"]) == {"localize_files", "localize_elements", *(f"repair, {c}" for c in CONDITIONS)}
        hashes.add(card["data_sha256"])
    assert len(hashes) == len(SHIPPED)


@pytest.fixture
async def turns(tmp_path):
    """Fifty questions about packages that no training saw."""
    asked = []
    with BlobStore(tmp_path / "derived.sqlite3") as store:
        questions, packages = Questions(Prompts("compact"), Outlines(store)), draw_packages(SEED, "held-out")
        for _ in range(PACKAGES):
            instance, snapshot = described(write_texts(Random(SEED), next(packages), "short"))
            asked += await questions.localization(instance, snapshot)
            asked += [await questions.repair(instance, snapshot, condition) for condition in CONDITIONS]
    return asked


def gap(folder, turn, one, other):
    """Nats between the first tokens in which two answers differ, in float32."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).float().eval()
    first, second = (
        [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id] for text in (one, other)
    )
    place = next(n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b)
    ids = tokenizer(question(turn), add_special_tokens=False)["input_ids"] + first[:place]
    with torch.inference_mode():
        logits = model(torch.tensor([ids])).logits[0, -1]
    return abs(float(logits[first[place]] - logits[second[place]]))


@pytest.mark.vllm
async def test_scorer_transformers_and_vllm_answer_alike(turns, tmp_path):
    """Where vLLM, which computes in bfloat16, says something else, the two tokens were nearly as likely."""
    entry = CheckpointConfig.model_validate(SHIPPED["best-fit+drop"])
    path = tmp_path / "questions.jsonl"
    rows = [{"prompt": question(turn), "answer": turn.answer, "kind": turn.stage} for turn in turns]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    scored = score_checkpoint(entry.path, path, generate=True, device="cpu").answers
    serving = ServingConfig(args=tuple(pipeline_settings()["serving"]["args"]), startup_seconds=400)
    journal = Journal(tmp_path / "answers.jsonl")
    try:
        async with open_model(entry, serving, 8, tmp_path, journal) as model:
            served = [(await model.answer(turn.prompt, GREEDY, 0)).text for turn in turns]
    finally:
        journal.close()
    assert len(turns) == 50
    assert [one.teacher_forced for one in scored] == [one.exact for one in scored]
    other = [
        (turn, one.greedy, text)
        for turn, one, text in zip(turns, scored, served, strict=True)
        if one.greedy != text and (one.ended or not text.startswith(one.greedy))  # the scorer cuts what does not end
    ]
    gaps = [gap(entry.path, *told) for told in other]
    assert sum(one.exact for one in scored) > len(turns) / 2
    assert len(other) <= 5
    assert max(gaps, default=0.0) < NEAR_TIE, sorted(gaps)
