"""The study's files, from a run folder as the harness writes it and cards as training writes them."""

import csv
import gzip
import io
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pytest
from cards import card

from harness.errors import InputError
from harness.records import RunFolder, freeze
from harness.report.metrics import Attempt
from harness.report.similarity import similarity
from harness.report.write import Result, write_results
from harness.soundness import open_soundness
from harness.verdict import Outcome, Phase, Verdict
from lab.recipe import Recipe
from lab.study import joined, load_study, read_study, statistics, write_study
from lab.study.card import read_card
from lab.study.collect import subset_of

CONDITIONS = ("model", "gt-location", "gt-file")
INSTANCES = tuple(f"miniature__pack_{n}{'-transfer' if n % 4 == 3 else ''}-{n}" for n in range(24))
SEEDS = (0, 1, 2)
SKILL = {"best-fit+drop": 0.9, "concat-then-split": 0.2, "pad-last-document-compensated": 0.25}  # chance to resolve
METRICS = {
    "tokens_billion": 0.002,
    "fragmentation_pieces_percent": 50.07,
    "fragmentation_documents_percent": 33.19,
    "padding_percent": 0.0025,
}


def patch(number, text="2"):
    name = f"m{number}.py"
    return f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-x = 1\n+x = {text}\n"


def verdict(instance_id, outcome):
    phase = Phase.PATCH if outcome is Outcome.EMPTY_PATCH else Phase.GRADE
    return Verdict(instance_id=instance_id, outcome=outcome, phase=phase, test_seconds=0.5)


def result(checkpoint, packing, condition, number, outcome, text):
    """One attempt as the pipeline's last stage gives it."""
    attempt = Attempt(
        checkpoint=checkpoint,
        packing=packing,
        packing_metrics=METRICS if packing else {},
        condition=condition,
        instance_id=INSTANCES[number],
        verdict=verdict(INSTANCES[number], outcome),
        similarity=similarity(text, patch(number)),
        empty=not text,
        candidate_reasons={},
        prompt_tokens=100,
        completion_tokens=10,
        model_seconds=1.0,
    )
    return Result(attempt, text, {})


def attempt(random, checkpoint, arm, condition, number):
    if random.random() < SKILL[arm]:
        return result(checkpoint, arm, condition, number, Outcome.RESOLVED, patch(number))
    if random.random() < 0.5:
        return result(checkpoint, arm, condition, number, Outcome.EMPTY_PATCH, "")
    return result(checkpoint, arm, condition, number, Outcome.UNRESOLVED, patch(number, "30"))


def write_card(folder, name, **changes):
    path = folder / name / "lab.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(card(**{"seed": int(name[-1]), **changes})))


def write_frozen(run, dataset="k" * 32, samples=1, workers=2):
    configuration = {
        "dataset": {"path": "rows.jsonl"},
        "prompts": "compact",
        "sampling": {"samples": samples, "greedy": True},
        "evaluation": {"workers": workers, "timeout": 120.0},
    }
    freeze(run / "frozen.yaml", configuration, {"dataset": dataset})


def write_run(folder: Path, arms=tuple(SKILL), seeds=SEEDS) -> tuple[Path, Path]:
    """A run of arms whose chances to resolve differ, and the folder of its checkpoints."""
    random = Random(7)
    results = [result("gold", None, None, n, Outcome.RESOLVED, patch(n)) for n in range(len(INSTANCES))]
    results += [result("empty", None, None, n, Outcome.EMPTY_PATCH, "") for n in range(len(INSTANCES))]
    for arm in arms:
        for seed in seeds:
            name = f"{arm}.seed{seed}"
            write_card(folder / "checkpoints", name)
            results += [
                attempt(random, name, arm, condition, n) for condition in CONDITIONS for n in range(len(INSTANCES))
            ]
    with RunFolder(folder / "run") as run:
        write_results(run, results, lambda verdict: Path("none"), open_soundness(None))
    write_frozen(folder / "run")
    return folder / "run", folder / "checkpoints"


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    """What is tested here does not hang on the number of random draws."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(statistics, "RESAMPLES", 500)
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def output(folders, tmp_path_factory):
    output = tmp_path_factory.mktemp("output")
    (output / "notes.md").write_text("Seed 1 looked odd.\n")
    write_study(read_study(*folders), output)
    return output


def table(output, name):
    text = (output / name).read_bytes()
    return list(csv.DictReader(io.StringIO((gzip.decompress(text) if name.endswith(".gz") else text).decode())))


def test_records_are_the_runs_own(folders):
    study = read_study(*folders)
    assert study.arms == ("concat-then-split", "best-fit+drop", "pad-last-document-compensated")
    assert (study.conditions, study.instance_ids) == (CONDITIONS, INSTANCES)
    assert study.references == {"gold": len(INSTANCES), "empty": 0}
    assert len(study.records) == 3 * 3 * 3 * len(INSTANCES)
    with (folders[0] / "table.csv").open() as file:
        for row in csv.DictReader(file):
            arm, _, seed = row["checkpoint"].rpartition(".seed")
            mine = [r for r in study.records if (r.arm, str(r.seed), r.condition) == (arm, seed, row["condition"])]
            if arm:
                assert sum(r.resolved for r in mine) == int(row["resolved"])
                assert sum(r.empty for r in mine) == int(row["empty"])
                assert sum(r.applied for r in mine) == int(row["patch_applied"])
                assert sum(r.similarity for r in mine) / len(mine) == pytest.approx(float(row["similarity"]))
    costs = study.checkpoints[0].costs
    assert (costs.prompt_tokens, costs.completion_tokens) == (300 * len(INSTANCES), 30 * len(INSTANCES))


def test_tables_hold_the_means_of_the_records(folders, output):
    records = table(output, "records.csv.gz")
    assert len(records) == len(read_study(*folders).records)
    records = [record for record in records if record["subset"] == "held-out"]
    assert len(records) == 3 * 3 * 3 * 18
    rows = {(row["arm"], row["condition"], row["measure"]): row for row in table(output, "table.csv")}
    assert len(rows) == 3 * 4 * 3
    for (arm, view, measure), row in rows.items():
        mine = [r[measure] for r in records if r["arm"] == arm and view in ("average", r["condition"])]
        values = [float({"True": 1, "False": 0}.get(value, value)) for value in mine]
        assert float(row["mean"]) == pytest.approx(sum(values) / len(values), abs=1e-4)
        assert float(row["bootstrap_low"]) <= float(row["mean"]) <= float(row["bootstrap_high"])
        assert (row["seeds"], len(row["seed_means"].split())) == ("3", 3)
        assert (row["p_holm"] == "") == (arm == "concat-then-split")
        assert float(row["fragmentation_pieces_percent"]) == 50.07
    checkpoints = table(output, "checkpoints.csv")
    assert [c["seed"] for c in checkpoints] == ["0", "1", "2"] * 3
    assert {c["evaluation_test_seconds"] for c in checkpoints} == {str(0.5 * 3 * len(INSTANCES))}


def test_the_page_says_what_the_numbers_say(output):
    page = (output / "README.md").read_text()
    drop = next(
        row for row in table(output, "table.csv") if (row["arm"], row["condition"]) == ("best-fit+drop", "average")
        and row["measure"] == "resolved"
    )  # fmt: skip
    assert float(drop["p_holm"]) < 0.001
    points = f"{100 * float(drop['less_baseline']):.1f} points"
    assert f"`best-fit+drop` exceeds `concat-then-split` by {points}" in page
    assert "`best-fit+drop` falls short of `concat-then-split`" in page  # in empty patches
    assert "No difference is shown between `pad-last-document-compensated` and `concat-then-split`" in page
    assert "of all 3 pairs (p by Holm over 3 of them): a difference is shown for 2" in page
    assert "gold patches resolve 24 of 24 instances, empty patches 0" in page
    assert "The machine failed in none of the 648 evaluations." in page
    for piece in ("copy circuit", "weigh 5.0", "synthetic", "no mask", "tiny (2.36M", "50.07", "33.19"):
        assert piece in page
    for piece in (
        "on 18 instances that",
        "held-out (18)",
        "transfer (6)",
        "Prompt set `compact`; 1 greedy answer to each question.",
    ):
        assert piece in page
    assert "corpus of 13,000 documents\nand 3,000,000 tokens. Instances: key kkkkkkkkkkkk." in page
    assert "\n- harness 0." in page
    assert "\n- There is no mask" in page  # what arms alone have ends its line
    assert page.endswith("## Notes\n\nSeed 1 looked odd.\n")
    assert "None" not in page
    assert "nan" not in page


def test_arms_are_compared_by_the_ordinary_instances_alone(folders, output, tmp_path):
    study = read_study(*folders)
    for resolved in (True, False):
        records = [r if r.subset == "held-out" else replace(r, resolved=resolved) for r in study.records]
        write_study(replace(study, records=tuple(records)), tmp_path)
        assert table(tmp_path, "table.csv") == table(output, "table.csv")
        rates = [row["resolve_rate"] for row in table(tmp_path, "checkpoints.csv")]
        assert rates == [row["resolve_rate"] for row in table(output, "checkpoints.csv")]
        assert ("| 100.0 [100.0" in (tmp_path / "README.md").read_text()) == resolved


def test_every_table_is_there(output):
    text = (output / "table.md").read_text()
    for heading in ("Average over the conditions", "Condition model", "Condition gt-file", "Costs of one checkpoint"):
        assert f"## {heading}" in text
    assert text.count(": against concat-then-split") == 4 * 3
    assert "held-out (18)" in text
    assert "transfer (6)" in text
    assert "nan" not in text
    picture = (output / "figure.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000


def test_the_same_run_gives_the_same_bytes(folders, output, tmp_path):
    (tmp_path / "notes.md").write_text("Seed 1 looked odd.\n")
    write_study(read_study(*folders), tmp_path)
    names = sorted(path.name for path in output.iterdir())
    tables = ["README.md", "table.md", "table.csv", "checkpoints.csv", "records.csv.gz", "figure.png", "notes.md"]
    assert names == sorted([*tables, "study.json.gz"])
    for name in names:
        assert (tmp_path / name).read_bytes() == (output / name).read_bytes(), name


def test_a_single_seed_and_no_baseline_claim_nothing(tmp_path):
    run, checkpoints = write_run(tmp_path, arms=("best-fit+drop", "pad-last-document-compensated"), seeds=(0,))
    write_study(read_study(run, checkpoints), tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text()
    assert "An arm has a single seed" in page
    assert "no arm `concat-then-split`" in page
    assert "no difference is shown for any" in page
    assert "exceeds" not in page
    assert "±" not in page
    assert "best-fit+drop loses the longest documents" in page
    assert "hardly ever" not in page  # said of an arm that is not there


def test_the_page_names_only_arms_that_the_study_has(tmp_path):
    run, checkpoints = write_run(tmp_path, arms=("concat-then-split",), seeds=(0,))
    write_study(read_study(run, checkpoints), tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text()
    assert "(concat-then-split hardly ever)" in page
    assert "best-fit+drop" not in page


def test_a_single_seed_beside_its_baseline_claims_nothing(tmp_path):
    run, checkpoints = write_run(tmp_path, arms=("concat-then-split", "best-fit+drop"), seeds=(0,))
    write_study(read_study(run, checkpoints), tmp_path / "out")
    page = (tmp_path / "out" / "README.md").read_text()
    assert re.search(
        r"No difference is shown between `best-fit\+drop` and `concat-then-split`: \+[0-9.]+ points\.\n", page
    )
    assert "exceeds" not in page
    assert "None" not in page
    assert "Holm" not in page
    assert "\n\n\n" not in page


@pytest.mark.parametrize(
    ("instance_id", "subset"),
    [
        ("miniature__some_pack-12", "held-out"),
        ("miniature__some_pack-transfer-3", "transfer"),
        ("miniature__some_pack-transfer-two-lines-modules-12-3", "transfer-two-lines-modules-12"),
        ("django__django-11099", "held-out"),
    ],
)
def test_subsets_stand_in_the_ids(instance_id, subset):
    assert subset_of(instance_id) == subset


NAME = "concat-then-split.seed1"


def lose_a_verdict(run, checkpoints):
    path = run / "checkpoints" / NAME / "model" / "verdicts.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[1:]))


def change_a_verdict(run, checkpoints):
    path = run / "checkpoints" / NAME / "model" / "verdicts.jsonl"
    path.write_text(path.read_text().replace('"resolved"', '"unresolved"', 1))


def tear_a_file(run, checkpoints):
    path = run / "checkpoints" / NAME / "model" / "predictions.jsonl"
    path.write_text(path.read_text()[:-20])


def lose_the_gold_reference(run, checkpoints):
    (run / "checkpoints" / "gold" / "predictions.jsonl").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run, checkpoints: (run / "table.csv").unlink(), "no such table"),
        (lambda run, checkpoints: (checkpoints / NAME / "lab.json").unlink(), "not a checkpoint's card"),
        (lambda run, checkpoints: write_card(checkpoints, NAME, seed=5), "its card says seed 5"),
        (lambda run, checkpoints: write_card(checkpoints, NAME, loss={}), "loss.last: Field required"),
        (lambda run, checkpoints: write_card(checkpoints, NAME, data_sha256="e"), "on other data, or on more or less"),
        (lambda run, checkpoints: write_card(checkpoints, NAME, tokens=9_000_000), "on other data, or on more or less"),
        (lambda run, checkpoints: write_card(checkpoints, NAME, tokenizer_sha256="b"), "another tokenizer than"),
        (
            lambda run, checkpoints: write_card(
                checkpoints, NAME, packing={"documents": 1, "tokens": 2}, precision="x"
            ),
            "another corpus and precision than concat-then-split.seed0",
        ),
        (lambda run, checkpoints: (run / "frozen.yaml").unlink(), "not what a run froze"),
        (lambda run, checkpoints: (run / "frozen.yaml").write_text("versions: 1"), "not what a run froze"),
        (
            lambda run, checkpoints: write_card(checkpoints, NAME, recipe=asdict(Recipe(answer_weight=1.0))),
            "trained with another recipe",
        ),
        (lose_a_verdict, "does not hold the instances"),
        (change_a_verdict, "the verdicts"),
        (tear_a_file, "can't be read"),
        (lose_the_gold_reference, "the study needs the references"),
    ],
)
def test_damaged_input_is_refused_in_one_line(tmp_path, damage, message):
    run, checkpoints = write_run(tmp_path, arms=("concat-then-split",), seeds=(0, 1))
    damage(run, checkpoints)
    with pytest.raises(InputError, match=message) as caught:
        write_study(read_study(run, checkpoints), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_other_names_are_refused(tmp_path):
    run, checkpoints = write_run(tmp_path, arms=("concat-then-split",), seeds=(0,))
    text = (run / "table.csv").read_text()
    (run / "table.csv").write_text(text.replace("concat-then-split.seed0", "mine"))
    with pytest.raises(InputError, match=r"mine: the study needs names of the form ARM\.seedN"):
        read_study(run, checkpoints)


def test_how_the_machine_was_used_may_differ(tmp_path):
    run, checkpoints = write_run(tmp_path, arms=("concat-then-split",), seeds=(0, 1))
    write_card(checkpoints, NAME, recipe=asdict(Recipe(threads=3, compile=False)), device="NVIDIA")
    assert len(read_study(run, checkpoints).checkpoints) == 2


def test_cards_are_those_that_training_writes(workshop, tmp_path):
    from tiny_recipe import CONTEXT, TINY

    from lab.train import train

    record = train(workshop.data(), workshop.tokenizer, tmp_path / "made", TINY, 3, 12 * CONTEXT, "cpu")
    found = read_card(tmp_path / "made" / "lab.json")
    assert (found.seed, found.recipe, found.tokens) == (3, TINY, record["tokens"])
    assert found.loss.last_answers == record["loss"]["last_answers"]


def test_seeds_can_be_added_to_a_study_that_was_kept(folders, output, tmp_path):
    whole = read_study(*folders)
    assert load_study(output) == whole
    parts = [part(whole, lambda seed: seed < 2), part(whole, lambda seed: seed > 0)]
    write_study(parts[0], tmp_path)
    found = joined(load_study(tmp_path), parts[1])
    assert found.checkpoints == whole.checkpoints
    assert sorted(found.records, key=str) == sorted(whole.records, key=str)
    write_study(found, tmp_path)
    assert table(tmp_path, "table.csv") == table(output, "table.csv")
    assert load_study(tmp_path / "elsewhere") is None


def part(study, wanted):
    """The study with the wanted seeds alone."""
    return replace(
        study,
        checkpoints=tuple(checkpoint for checkpoint in study.checkpoints if wanted(checkpoint.seed)),
        records=tuple(record for record in study.records if wanted(record.seed)),
    )


def test_only_studies_that_were_made_alike_are_joined(folders, tmp_path):
    study = read_study(*folders)
    with pytest.raises(InputError, match="differ in their instances, so"):
        joined(study, replace(study, instance_ids=study.instance_ids[1:]))
    write_frozen(folders[0], dataset="another", samples=4)
    with pytest.raises(InputError, match="differ in their instances and settings, so"):
        joined(study, read_study(*folders))
    write_frozen(folders[0], workers=7)
    newer = read_study(*folders)
    newer = replace(newer, circumstances=replace(newer.circumstances, versions=({"vllm": "9"},)))
    assert joined(study, newer).circumstances.versions == (*study.circumstances.versions, {"vllm": "9"})
    write_frozen(folders[0])
    first, other = part(study, lambda seed: seed == 0), part(study, lambda seed: seed == 1)
    strange = replace(other.checkpoints[0], card=other.checkpoints[0].card.model_copy(update={"data_sha256": "e"}))
    with pytest.raises(InputError, match="on other data, or on more or less"):
        joined(first, replace(other, checkpoints=(strange, *other.checkpoints[1:])))
    write_study(first, tmp_path)
    (tmp_path / "study.json.gz").write_bytes(b"torn")
    with pytest.raises(InputError, match="not a readable study") as caught:
        load_study(tmp_path)
    assert "\n" not in str(caught.value)
