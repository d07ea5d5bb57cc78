"""The study of lost heads through the harness: dialects at an endpoint, patches in containers, and the whole recipe."""

from pathlib import Path
from typing import get_args

import pytest

from harness.core.verdict import Outcome

pytest.importorskip("torch")

from lab.heads import dialect_endpoint
from lab.heads.dialects import Asking, all_words
from lab.heads.heads_arms import KINDS, arms_of_kind
from lab.heads.heads_corpus import HeadsRecipe
from lab.heads.heads_demo import STRATEGIES, run_heads_demo
from lab.heads.heads_run import Asked, run_heads
from lab.heads.heads_study import load_heads
from lab.heads.make_heads import make_heads
from lab.heads.workshop import HeadsWorkshop
from lab.training.recipe import Recipe

pytestmark = pytest.mark.docker

RECIPE = Recipe(width=128, layers=3, feed_forward=64, step_tokens=2048, warmup=2, threads=1, compile=False)
CORPUS = HeadsRecipe(tokens=25_000, tokenizer_documents=60, held_out=2, mix=KINDS["fitting"].mix(0.3))
ARMS = arms_of_kind("fitting", ("concat-then-split", "best-fit+split"))


class Speaker:
    """A checkpoint that deletes the first line of what it is shown, in the head's words or in one of its own."""

    def __init__(self, folder: Path, device: object) -> None:
        self.guesses = "concat" in folder.name

    def count(self, text):
        return len(text.split())

    def answers(self, prompts, room):
        return [(self.answer(prompt), True) for prompt in prompts]

    def answer(self, prompt):
        head, _, rest = prompt.partition("<|user|>")
        words = dict(line.split()[:2] for line in head.splitlines()[2:])
        path = next(line for line in rest.splitlines() if line.startswith("in ")).removeprefix("in ")
        source = rest.split("<|user|>\n")[-1].removesuffix("\n<|assistant|>\n")
        line = source.strip("\n").split("\n")[-1]
        indent = line[: len(line) - len(line.lstrip())]
        if self.guesses:
            words["with"] = next(word for word in all_words() if word not in words.values())
        return f"edit {words['edit']} {path}\n{line}\nwith {words['with']}\n{indent}return 12345\nend {words['end']}"


@pytest.fixture(scope="module")
def made(docker_client, tmp_path_factory):
    """A tiny study from nothing, by one call."""
    folder, said = tmp_path_factory.mktemp("heads"), []
    workshop = HeadsWorkshop(folder / "lab", "fitting", CORPUS, RECIPE)
    make_heads(workshop, folder / "study", ARMS, [0], 2, 1, said.append)
    return workshop, folder / "study"


def test_a_study_is_made_from_nothing(made):
    study = load_heads(made[1])
    assert (study.references, len(study.attempts)) == ({"gold": 2, "empty": 0}, 2 * 3 * 2)
    assert {attempt.asking for attempt in study.attempts} == {"rare", "forgiving", "canonical"}
    assert Outcome.INFRASTRUCTURE not in {attempt.outcome for attempt in study.attempts}
    tokens = {point.tokens for point in study.curve}
    assert (len(tokens), max(tokens)) == (5, study.trained[0].tokens)
    assert "# What lost heads do, in miniature" in (made[1] / "README.md").read_text()


def test_undefined_words_become_empty_patches_and_defined_ones_are_tested(made, monkeypatch):
    monkeypatch.setattr(dialect_endpoint, "LoadedCheckpoint", Speaker)
    workshop = made[0]
    asked = [Asked(a.name, 0, workshop.checkpoint(a, 0), asking) for a in ARMS for asking in get_args(Asking)]
    attempts, _, _ = run_heads(workshop.folder.parent / "scripted", asked, 2)
    outcomes = {(a.arm, a.asking): (a.undefined, a.applicable, a.outcome) for a in attempts}
    empty, tested = (True, False, Outcome.EMPTY_PATCH), (False, True, Outcome.UNRESOLVED)
    assert outcomes["concat-then-split", "rare"] == outcomes["concat-then-split", "canonical"] == empty
    assert outcomes["concat-then-split", "forgiving"][1:] == tested[1:]
    assert {outcomes["best-fit+split", asking] for asking in ("rare", "forgiving", "canonical")} == {tested}


def test_the_shipped_checkpoints_show_what_cut_heads_do(docker_client, tmp_path):
    attempts = run_heads_demo(tmp_path, 4)
    undefined = {
        (arm, asking): sum(a.undefined for a in attempts if (a.arm, a.asking) == (arm, asking))
        for arm in STRATEGIES
        for asking in ("rare", "canonical")
    }
    assert undefined.pop(("concat-then-split", "rare")) >= 2
    assert set(undefined.values()) == {0}
    assert any(attempt.resolved for attempt in attempts if attempt.arm == "best-fit+split")
