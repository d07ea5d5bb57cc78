"""The study's files, from a run folder as the harness writes it and cards as training writes them."""

import csv
import gzip
import io
import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pytest
from cards import card

import harness
from harness.common.run_folder import RunFolder, freeze
from harness.compare.groups_of_run import read_run
from harness.core.verdict import Outcome, Phase, Verdict
from harness.errors import InputError
from harness.grading.exclusions import open_soundness
from harness.model.checkpoint import checkpoint_revision
from harness.report.similarity import similarity
from harness.report.summary import Attempt
from harness.report.write import Result, write_results
from harness.statistics import crossed
from lab.arms import ARMS
from lab.study import joined, load_study, read_study, replaced, write_study
from lab.study.card import read_card
from lab.study.run_of_study import NOT_KEPT
from lab.study.run_of_study import write_run as write_run_of_study
from lab.study.study import subset_of
from lab.training.recipe import Recipe

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


def result(checkpoint, strategy, condition, number, outcome, text):
    """One attempt as the pipeline's last stage gives it."""
    attempt = Attempt(
        checkpoint=checkpoint,
        strategy=strategy,
        packing_metrics=METRICS if strategy else {},
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
        return result(checkpoint, strategy_of(arm), condition, number, Outcome.RESOLVED, patch(number))
    if random.random() < 0.5:
        return result(checkpoint, strategy_of(arm), condition, number, Outcome.EMPTY_PATCH, "")
    return result(checkpoint, strategy_of(arm), condition, number, Outcome.UNRESOLVED, patch(number, "30"))


def write_card(folder, name, **changes):
    path = folder / name / "lab.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    arm = name.rpartition(".seed")[0]
    packing = {"documents": 13_000, "tokens": 3_000_000, "strategy": strategy_of(arm)}
    path.write_text(json.dumps(card(**{"seed": int(name[-1]), "packing": packing, **changes})))


def strategy_of(arm):
    return {made.name: made.strategy for made in ARMS}[arm]


def write_frozen(run, dataset="k" * 32, samples=1, workers=2, serving=(), own=()):
    """``own``: server arguments of the last checkpoint alone."""
    folders = sorted(run.parent.joinpath("checkpoints").iterdir())
    served = [{"name": folder.name, "server_args": []} for folder in folders]
    served[-1]["server_args"] = list(own)
    configuration = {
        "dataset": {"path": "rows.jsonl"},
        "checkpoints": served,
        "prompts": "compact",
        "sampling": {"samples": samples, "greedy": True},
        "serving": {"args": list(serving)},
        "evaluation": {"workers": workers, "timeout": 120.0},
    }
    weights = {folder.name: checkpoint_revision(folder) for folder in folders}
    freeze(run / "frozen.yaml", configuration, {"dataset": dataset, "weights": weights})


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
        patched.setattr(crossed, "RESAMPLES", 500)
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
    assert "The machine failed in none of the 648 attempts" in page
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
    assert "Arms are compared by `held-out` alone" in page
    assert "- Arms have equal numbers of slots, padding included, except where the name says compensated.\n" in page
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


def test_other_budgets_are_told(folders, tmp_path):
    study = read_study(*folders)
    more = {"tokens": 9_000_000, "tokens_asked": 9_000_000}
    trained = [
        replace(c, card=c.card.model_copy(update=more if c.arm == "best-fit+drop" else {})) for c in study.checkpoints
    ]
    write_study(replace(study, checkpoints=tuple(trained)), tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert "- Arms have different numbers of slots (`tokens` in the tables), and not only where the name says" in page
    assert "equal numbers of slots" not in page
    alone = part(study, lambda seed: True, "pad-last-document-compensated")
    write_study(alone, tmp_path / "alone")
    page = (tmp_path / "alone" / "README.md").read_text()
    assert "- Arms have equal numbers of slots, padding included, except where the name says compensated.\n" in page


def test_patches_are_told_of_alone(folders, output):
    made = [
        r for r in read_study(*folders).records if (r.arm, r.subset, r.empty) == ("best-fit+drop", "held-out", False)
    ]
    rates = [100 * sum(values) / len(made) for values in ([r.resolved for r in made], [r.similarity for r in made])]
    wanted = f"| best-fit+drop | {len(made)} | {rates[0]:.1f} | {rates[1]:.1f} |"
    assert wanted in (output / "README.md").read_text()
    assert wanted in (output / "table.md").read_text()


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
    assert "best-fit+drop, pad-last-document-compensated: a single seed, so that nothing" in page
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
PACKED = {"documents": 13_000, "tokens": 3_000_000, "strategy": "concat-then-split"}


def lose_a_verdict(run, checkpoints):
    path = run / "checkpoints" / NAME / "model" / "verdicts.jsonl"
    path.write_text("\n".join(path.read_text().splitlines()[1:]))


def change_a_verdict(run, checkpoints):
    path = run / "checkpoints" / NAME / "model" / "verdicts.jsonl"
    path.write_text(path.read_text().replace('"resolved"', '"unresolved"', 1))


def tear_a_file(run, checkpoints):
    cut(run / "checkpoints" / NAME / "model" / "predictions.jsonl", 20)


def cut(path, length):
    path.write_text(path.read_text()[:-length])


def edit(path, old, new, count=1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def fail_a_reference(run, checkpoints):
    edit(run / "checkpoints" / "gold" / "verdicts.jsonl", '"resolved"', '"infrastructure"')


def fill_in_other_weights(run, checkpoints):
    (checkpoints / NAME / "model.safetensors").write_bytes(b"others")


def serve_one_otherwise(run, checkpoints):
    write_frozen(run, own=("--dtype=half",))


def lose_the_gold_reference(run, checkpoints):
    shutil.rmtree(run / "checkpoints" / "gold")


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
            lambda run, checkpoints: write_card(checkpoints, NAME, packing=PACKED | {"documents": 1}, precision="x"),
            "another corpus and precision than concat-then-split.seed0",
        ),
        (
            lambda run, checkpoints: write_card(checkpoints, NAME, packing=PACKED | {"strategy": "best-fit+drop"}),
            "the run says strategy concat-then-split, its card best-fit",
        ),
        (lambda run, checkpoints: edit(run / "table.csv", "prompt_tokens", "tokens"), "prompt_tokens: Field required"),
        (lambda run, checkpoints: edit(run / "table.csv", "condition", "case"), "has no column 'condition'; let"),
        (
            lambda run, checkpoints: edit(run / "table.csv", ",2400,", ",,", -1),
            "prompt_tokens: Input should be a valid",
        ),
        (lambda run, checkpoints: cut(run / "table.csv", 30), "can't be read"),
        (lambda run, checkpoints: (run / "table.csv").write_bytes(b"\xff\xfe"), "can't be read"),
        (lambda run, checkpoints: edit(run / "frozen.yaml", "prompts: ", "prompt: "), "prompts: Field required"),
        (lambda run, checkpoints: edit(run / "frozen.yaml", "versions:", "versions: 3\nold:"), "versions: Input"),
        (fail_a_reference, "gold: the machine failed in 1 of 24 evaluations; run it again"),
        (fill_in_other_weights, "not the files that the run evaluated"),
        (serve_one_otherwise, "served with different arguments"),
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

    from lab.training.train import train

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
    assert replaced(whole, parts[1]) == []
    first, *others = parts[1].records
    changed = replace(parts[1], records=(replace(first, resolved=not first.resolved), *others))
    assert replaced(whole, changed) == [f"{first.arm}.seed1"]
    assert joined(whole, changed).records[-len(changed.records)] != first


def part(study, wanted, arm=None):
    """The study with the wanted seeds alone, of one arm or all."""
    return replace(
        study,
        checkpoints=tuple(c for c in study.checkpoints if wanted(c.seed) and arm in (None, c.arm)),
        records=tuple(r for r in study.records if wanted(r.seed) and arm in (None, r.arm)),
    )


def test_a_run_that_names_no_packing_is_of_the_cards(tmp_path):
    run, checkpoints = write_run(tmp_path, arms=("concat-then-split",), seeds=(0,))
    text = (run / "table.csv").read_text()
    (run / "table.csv").write_text(
        text.replace("concat-then-split.seed0,concat-then-split,", "concat-then-split.seed0,,")
    )
    assert [c.strategy for c in read_study(run, checkpoints).checkpoints] == ["concat-then-split"]


def test_a_table_with_the_old_name_of_the_strategys_column_is_read_with_one_line(tmp_path, caplog):
    run, checkpoints = write_run(tmp_path, arms=("concat-then-split",), seeds=(0,))
    now = read_study(run, checkpoints).checkpoints
    assert caplog.messages == []
    table = run / "table.csv"
    head, *rows = table.read_text().splitlines(keepends=True)
    assert head.split(",").count("strategy") == 1
    table.write_text("".join([head.replace(",strategy,", ",packing_strategy,"), *rows]))
    assert read_study(run, checkpoints).checkpoints == now
    assert caplog.messages == [f"{table}: the column packing_strategy is called strategy now"]


def test_only_studies_that_were_made_alike_are_joined(folders, tmp_path):
    study = read_study(*folders)
    with pytest.raises(InputError, match="differ in their instances, so"):
        joined(study, replace(study, instance_ids=study.instance_ids[1:]))
    write_frozen(folders[0], dataset="another", samples=4)
    with pytest.raises(InputError, match="differ in their instances and settings, so"):
        joined(study, read_study(*folders))
    write_frozen(folders[0], serving=("--dtype=half",))
    with pytest.raises(InputError, match="differ in their server arguments, so"):
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
    kept = (tmp_path / "study.json.gz").read_bytes()
    for number, damaged in enumerate((b"torn", kept[:200], *(flipped(kept, place) for place in range(10, 30)))):
        (tmp_path / "study.json.gz").write_bytes(damaged)
        with pytest.raises(InputError, match="not a readable study") as caught:
            load_study(tmp_path)
        assert "\n" not in str(caught.value), number


def flipped(data, place):
    return data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]


def test_nothing_is_written_of_what_can_not_be_written_whole(folders, tmp_path):
    study = read_study(*folders)
    (tmp_path / "notes.md").write_bytes("Größe".encode("latin-1"))
    with pytest.raises(InputError, match=r"notes\.md: not UTF-8 text"):
        write_study(study, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.md"]
    (tmp_path / "notes.md").unlink()
    lacking = [r for r in study.records if (r.seed, r.condition, r.instance_id) != (1, "model", INSTANCES[4])]
    with pytest.raises(InputError, match="the study lacks 1 attempts of concat-then-split"):
        write_study(replace(study, records=tuple(lacking)), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("study", "records"), [("ablation", "study.json.gz"), ("heads", "heads.json.gz")])
def test_a_reference_studys_files_are_what_the_command_makes_of_its_attempts(tmp_path, study, records):
    """Its records are in the repository; a column that is renamed, or a formula that changes, has to show there."""
    reference, copy = Path(__file__).parents[2] / "results" / "reference" / study, tmp_path / "copy"
    copy.mkdir()
    for name in (records, "notes.md"):
        shutil.copy(reference / name, copy)
    done = subprocess.run(
        [sys.executable, "-m", "lab", "rewrite", str(copy)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names = {path.name for path in reference.iterdir()}
    assert {path.name for path in copy.iterdir()} == names
    for name in names - {"figure.png"}:  # whose bytes depend on the library that draws it
        assert _unpacked(copy / name) == _unpacked(reference / name), f"{name}: `make reference` writes another"


def _unpacked(path):
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_its_page_has_the_studys_own_numbers_and_says_that_no_patches_are_kept(output, tmp_path):
    write_run_of_study(load_study(output), tmp_path / "run")
    lines = [line for path in tmp_path.rglob("predictions.jsonl") for line in path.read_text().splitlines()]
    assert {json.loads(line)["model_patch"] for line in lines} == {"", NOT_KEPT}
    frames = harness.load_results(tmp_path / "run").attempts
    rows = {(row["arm"], row["measure"]): row for row in table(output, "table.csv") if row["condition"] == "average"}
    for arm in SKILL:
        mine = frames[frames.checkpoint.isin([f"{arm}.seed{seed}" for seed in SEEDS])]
        assert len(mine) == 3 * 3 * 18, "of the instances that arms are compared by"
        for measure in ("resolved", "similarity", "empty"):
            assert mine[measure].astype(float).mean() == pytest.approx(float(rows[arm, measure]["mean"]), abs=1e-4)
    command = [sys.executable, "-m", "lab", "rewrite", str(shutil.copytree(output, tmp_path / "copy"))]
    done = subprocess.run([*command, "--html", str(tmp_path / "page")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"page: {tmp_path / 'page' / 'index.html'}"
    assert "<title>copy" in (tmp_path / "page" / "index.html").read_text()
    groups = [found.group for found in read_run(tmp_path / "run").groups]
    assert {len(group.members) for group in groups} == {3}
    assert {group.members[0].labels.get("arm", group.members[0].strategy) for group in groups} == set(SKILL)


def test_a_folder_without_a_study_is_not_rewritten(tmp_path):
    command = [sys.executable, "-m", "lab", "rewrite", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        f"lab: {tmp_path}: holds no study.json.gz; name the folder of a study\n",
    )
