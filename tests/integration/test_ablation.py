"""`make ablation` on a small scale: trained, served by vLLM, tested in containers, written; then gone on with."""

from dataclasses import replace

import pytest

from harness.core.verdict import Outcome
from harness.errors import InputError

pytest.importorskip("torch")

from lab import ablation
from lab.ablation import Instances, run_ablation
from lab.arms import arms_named
from lab.corpus.make_corpus import CorpusRecipe
from lab.laboratory import Laboratory
from lab.study import load_study, write_study
from lab.training.recipe import Recipe

pytestmark = [pytest.mark.docker, pytest.mark.vllm]

RECIPE = Recipe(width=128, layers=3, feed_forward=64, step_tokens=2048, warmup=2, threads=1, compile=False)
ARMS = arms_named(("best-fit+drop",))
INSTANCES = Instances(held_out=2, transfer=1)


def laboratory(folder, tokens=30_000):
    return Laboratory(folder, CorpusRecipe(tokens=tokens, tokenizer_documents=30, held_out=2), RECIPE)


def test_a_study_is_made_and_gone_on_with(docker_client, tmp_path, monkeypatch):
    mine, output, said = laboratory(tmp_path / "lab"), tmp_path / "study", []
    run_ablation(mine, output, ARMS, [0], INSTANCES, 1, said.append)
    made = load_study(output)
    assert [(c.arm, c.seed) for c in made.checkpoints] == [("best-fit+drop", 0)]
    assert (len(made.instance_ids), len(made.records), made.references) == (3, 9, {"gold": 3, "empty": 0})
    assert {record.outcome for record in made.records} <= set(Outcome) - {Outcome.INFRASTRUCTURE}
    page = (output / "README.md").read_text()
    assert "held-out (2)" in page
    assert "transfer (1)" in page

    evaluated = []
    run = ablation.run_pipeline
    monkeypatch.setattr(ablation, "run_pipeline", lambda config: evaluated.append(config) or run(config))
    (output / "notes.md").write_text("Seen by hand.\n")
    run_ablation(mine, output, ARMS, [0], INSTANCES, 1, said.append)
    assert not evaluated, "what the study holds is not done again"
    assert "Seen by hand." in (output / "README.md").read_text()

    with pytest.raises(InputError, match=r"'transfer': 1\} instances, not \{'held-out': 1, 'transfer': 2\}"):
        run_ablation(mine, output, ARMS, [0, 1], Instances(held_out=1, transfer=2), 1, said.append)
    with pytest.raises(InputError, match=r"best-fit\+drop\.seed0 of the study was trained on another corpus"):
        run_ablation(laboratory(tmp_path / "other", 40_000), output, ARMS, [0, 1], INSTANCES, 1, said.append)
    other_weights = Laboratory(mine.folder, mine.corpus, replace(RECIPE, copy_gain=1.0))
    with pytest.raises(InputError, match="trained with another recipe; name another output folder"):
        run_ablation(other_weights, output, ARMS, [0, 1], INSTANCES, 1, said.append)
    circumstances, [checkpoint] = made.circumstances, made.checkpoints
    rough = checkpoint.card.model_copy(update={"precision": "float8"})
    strange = {
        "other instances under the same names": {"circumstances": replace(circumstances, dataset="another")},
        "other settings or server arguments": {"circumstances": replace(circumstances, server_args=("--dtype=half",))},
        "trained in float8, and this machine trains in ": {"checkpoints": (replace(checkpoint, card=rough),)},
    }
    for number, (message, change) in enumerate(strange.items()):
        folder = tmp_path / f"strange-{number}"
        write_study(replace(made, **change), folder)
        with pytest.raises(InputError, match=message):
            run_ablation(mine, folder, ARMS, [0, 1], INSTANCES, 1, said.append)
    assert not (mine.checkpoint(ARMS[0], 1)).exists()
    assert not evaluated
    assert not (tmp_path / "other" / "checkpoints").exists(), "refused before anything is trained"

    first, *others = made.records
    failed = replace(first, outcome=Outcome.INFRASTRUCTURE, resolved=False)
    write_study(replace(made, records=(failed, *others)), output)
    run_ablation(mine, output, ARMS, [0], INSTANCES, 1, said.append)
    assert len(evaluated) == 1, "where the machine failed, the checkpoint is evaluated again"
    assert load_study(output) == made
