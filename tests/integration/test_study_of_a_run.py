"""The study of a run that really took place: recorded answers, real containers, cards beside."""

import csv
import json

import pytest
from cards import card

from harness.config.schema import RunConfig
from harness.pipeline.run import run_pipeline
from lab.study import read_study, write_study

pytestmark = pytest.mark.docker

ARMS = {"concat-then-split": 0, "best-fit+drop": 2}  # how many of the three instances the recording mends
SEEDS = (0, 1)


def mend(row):
    """The gold patch's hunk as a search/replace block."""
    path = next(line[6:] for line in row["patch"].splitlines() if line.startswith("+++ b/"))
    lines = row["patch"].splitlines()
    hunk = lines[next(number for number, line in enumerate(lines) if line.startswith("@@")) + 1 :]
    search, replace = ("\n".join(line[1:] for line in hunk if line[:1] in kinds) for kinds in (" -", " +"))
    return f"{path}\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


def write_card(folder, arm, seed):
    folder.mkdir(parents=True)
    packing = {"documents": 13_000, "tokens": 3_000_000, "strategy": arm}
    (folder / "lab.json").write_text(json.dumps(card(seed=seed, packing=packing)))


def test_a_real_run_becomes_a_study(miniature_rows, tmp_path, docker_client):
    rows = [json.loads(line) for line in miniature_rows.read_text().splitlines()]
    checkpoints = []
    for arm, mended in ARMS.items():
        recording = tmp_path / f"{arm}.jsonl"
        texts = [mend(row) if number < mended else "I can't say." for number, row in enumerate(rows)]
        recording.write_text(
            "".join(
                json.dumps({"instance_id": row["instance_id"], "stage": "repair", "text": text}) + "\n"
                for row, text in zip(rows, texts, strict=True)
            )
        )
        for seed in SEEDS:
            name = f"{arm}.seed{seed}"
            checkpoints.append({"name": name, "answers": str(recording), "strategy": arm})
            write_card(tmp_path / "checkpoints" / name, arm, seed)
    settings = {
        "dataset": {"path": str(miniature_rows)},
        "checkpoints": checkpoints,
        "conditions": ["gt-location", "gt-file"],
        "references": ["gold", "empty"],
        "prompts": "compact",
        "sampling": {"samples": 1},
        "evaluation": {"timeout": 60, "memory": 512, "workers": 1},
        "output": str(tmp_path / "run"),
    }
    run_pipeline(RunConfig.model_validate(settings))
    write_study(read_study(tmp_path / "run", tmp_path / "checkpoints"), tmp_path / "study")
    with (tmp_path / "study" / "table.csv").open() as file:
        found = {(row["arm"], row["condition"], row["measure"]): float(row["mean"]) for row in csv.DictReader(file)}
    for arm, mended in ARMS.items():
        for condition in ("average", "gt-location", "gt-file"):
            assert found[arm, condition, "resolved"] == pytest.approx(mended / 3)
            assert found[arm, condition, "similarity"] == pytest.approx(mended / 3)
            assert found[arm, condition, "empty"] == pytest.approx(1 - mended / 3)
    page = (tmp_path / "study" / "README.md").read_text()
    assert "the gold patches resolve 3 of 3 instances, empty patches 0" in page
    assert "under the conditions gt-location, gt-file" in page
