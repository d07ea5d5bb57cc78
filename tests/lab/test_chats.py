"""Training documents hold the very prompts that a run asks, and the answers that it accepts."""

import random as random_module
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from harness.config.localization_keys import LocalizationConfig
from harness.config.schema import SamplingConfig
from harness.core.interfaces import Drawing
from harness.core.location import Location
from harness.localize.stages import Localizer
from harness.miniature.package import Difficulty, draw_packages
from harness.miniature.texts import write_texts
from harness.model.prompts import Prompts
from harness.model.tokens import PromptTokens
from harness.pipeline.demo import pipeline_settings
from harness.repair.sample import repair
from harness.repo.blob_cache import BlobStore
from harness.repo.gold_locations import gold_locations
from harness.repo.outline import Outlines
from lab.corpus.chats import CONDITIONS, SESSION, SINGLE, TRAJECTORY, Mix, chat, question, write_document
from lab.corpus.make_corpus import CorpusRecipe, described, make_corpus, write_tokenizer
from lab.corpus.oracle import SAMPLING, Oracle, Questions

PACKAGES = 12


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlobStore]:
    with BlobStore(tmp_path / "derived.sqlite3") as opened:
        yield opened


@pytest.fixture
def questions(store: BlobStore) -> Questions:
    return Questions(Prompts("compact"), Outlines(store))


def packages(count: int = PACKAGES, split: str = "train", **difficulty):
    random = random_module.Random(5)
    drawn = islice(draw_packages(5, split, Difficulty(**difficulty)), count)
    return [described(write_texts(random, package)) for package in drawn]


async def test_a_run_asks_what_training_shows(questions, store):
    """Through the `Localizer` and `repair` with the settings of the demonstration's run file."""
    settings = pipeline_settings()
    sampling = SamplingConfig.model_validate(settings["sampling"])
    localizer = Localizer(
        Prompts(settings["prompts"]), LocalizationConfig.model_validate(settings["localization"]), sampling, store
    )
    for instance, snapshot in packages():
        learned = await questions.localization(instance, snapshot)
        model = Oracle({turn.stage: turn.answer for turn in learned})
        found = await localizer.localize(model, instance, snapshot)
        assert model.turns == learned
        whole = tuple(Location(place.path) for place in found.locations)
        around = gold_locations(instance, snapshot, sampling.context_lines)
        for condition, locations in zip(CONDITIONS, (found.locations, around, whole), strict=True):
            turn = await questions.repair(instance, snapshot, condition)
            asked = Oracle({turn.stage: turn.answer})
            [candidate] = await repair(asked, Prompts("compact"), Drawing(SAMPLING, 1), instance, snapshot, [locations])
            assert asked.turns == [turn]
            assert candidate.patch


async def test_the_gold_answer_makes_the_gold_patch(questions):
    for instance, snapshot in packages():
        turn = await questions.repair(instance, snapshot, "gt-file")
        [candidate] = await repair(
            Oracle({turn.stage: turn.answer}),
            questions.prompts,
            Drawing(SAMPLING, 1),
            instance,
            snapshot,
            [tuple(Location(path) for path in snapshot.paths() if path in instance.patch)],
        )
        changed = [line for line in candidate.patch.splitlines() if line[:1] in "+-"]
        assert changed == [line for line in instance.patch.splitlines() if line[:1] in "+-"]


async def test_kinds_of_documents(questions):
    [(instance, snapshot)] = packages(1, modules=6)
    random = random_module.Random(0)
    kinds = [*[SINGLE] * 20, TRAJECTORY, SESSION]
    texts = [await write_document(kind, random, Mix(), questions, instance, snapshot) for kind in kinds]
    answers = [text.count("<|assistant|>") for text in texts]
    assert answers[:21] == [*[1] * 20, 3]
    assert answers[21] >= 3
    assert len(set(texts[:20])) >= 4  # the questions that a run asks; two conditions may show the same lines
    for text in texts:
        assert text.startswith("<bos><|user|>\n")
        assert text.endswith("<eos>")
        assert text.count("<eos>") == text.count("<|assistant|>")


async def test_a_server_puts_a_question_as_training_did(questions, tmp_path):
    """The chat template of the checkpoint, as the harness counts and vLLM renders it."""
    write_tokenizer(tmp_path, ["def run():\n    pass\n"], 400)
    tokens = PromptTokens(tmp_path)
    [(instance, snapshot)] = packages(1)
    turn = await questions.repair(instance, snapshot, "model")
    assert chat([turn]) == question(turn) + turn.answer + "<eos>"
    assert tokens.count(turn.prompt) == len(tokens._tokenizer.encode(question(turn), add_special_tokens=False).ids)


def test_the_same_recipe_gives_the_same_corpus(tmp_path):
    recipe = CorpusRecipe(seed=3, tokens=20_000, tokenizer_documents=20, held_out=4)
    first, second = (make_corpus(tmp_path / name, recipe) for name in ("a", "b"))
    for one, other in zip(
        (first.documents, first.held_out, first.tokenizer / "tokenizer.json"),
        (second.documents, second.held_out, second.tokenizer / "tokenizer.json"),
        strict=True,
    ):
        assert one.read_bytes() == other.read_bytes()
    before = first.documents.stat().st_mtime_ns
    make_corpus(tmp_path / "a", recipe)
    assert first.documents.stat().st_mtime_ns == before
