"""The study of lost heads: made-up attempts in, page and tables out."""

import csv
import io
import json
from random import Random

import pytest

from harness.core.verdict import Outcome
from harness.errors import InputError
from harness.statistics import crossed
from lab.__main__ import main
from lab.heads.heads_page import write_heads
from lab.heads.heads_study import Attempt, CurvePoint, HeadsStudy, Trained, load_heads

ARMS = {"concat-then-split": (0.9, 0.1), "best-fit+split": (0.05, 0.6), "restart-last-document": (0.06, 0.58)}
INSTANCES = tuple(f"miniature__pack-{number}" for number in range(30))


@pytest.fixture(scope="module", autouse=True)
def few_draws():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(crossed, "RESAMPLES", 300)
        yield


def attempt(random, arm, seed, asking, instance_id):
    undefined, applicable = ARMS[arm] if asking == "rare" else (0.0, 0.6)
    applies = random.random() < applicable
    outcome = (Outcome.RESOLVED if random.random() < 0.8 else Outcome.UNRESOLVED) if applies else Outcome.EMPTY_PATCH
    return Attempt(arm, seed, asking, instance_id, random.random() < undefined, applies, outcome)


def made(seeds=3):
    random = Random(1)
    places = [(arm, seed) for arm in ARMS for seed in range(seeds)]
    ways = ("rare", "forgiving", "canonical")
    return HeadsStudy(
        kind="fitting",
        corpus={"tokens": 1000, "mix": {"rare": 0.05, "plain": 0.5, "bugs": [1, 1]}},
        context=320,
        questions=10,
        arms=tuple(ARMS),
        trained=tuple(Trained(arm, seed, 1000, 0.9, 0.1, 0.25, 3.0) for arm, seed in places),
        instance_ids=INSTANCES,
        references={"gold": 30, "empty": 0},
        attempts=tuple(attempt(random, *place, way, name) for place in places for way in ways for name in INSTANCES),
        curve=tuple(
            CurvePoint(*place, tokens, way, 0.5, 0.1)
            for place in places
            for tokens in (500, 1000)
            for way in ("rare", "canonical")
        ),
        versions={},
    )


def test_the_page_says_what_is_shown_and_what_is_not(tmp_path):
    (tmp_path / "notes.md").write_text("Seen by hand.\n")
    write_heads(made(), tmp_path)
    page = (tmp_path / "README.md").read_text()
    told = page.split("## What it shows")[1].split("## What it does not show")[0]
    rare, control = told.split("Negative control: canonical, applicable, against `concat-then-split`:")
    shown = rare.split("rare, applicable, against")[0]
    assert "- `best-fit+split` against `concat-then-split`: -8" in shown
    assert "p < 0.001: shown." in shown
    assert control.split("rare, undefined")[0].count(": not shown.") == 2
    assert "95.0% of the trajectories share one" in page
    assert "Seen by hand." in page
    assert "{{" not in page
    rows = {
        (r["arm"], r["asking"], r["measure"]): r
        for r in csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text()))
    }
    assert len(rows) == 3 * 8
    assert float(rows["best-fit+split", "rare", "undefined"]["p_holm"]) < 0.05
    assert rows["concat-then-split", "rare", "undefined"]["p_holm"] == ""


def test_a_kept_study_writes_the_same_files(tmp_path):
    write_heads(made(), tmp_path / "one")
    write_heads(load_heads(tmp_path / "one"), tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    tables = ["attempts.csv.gz", "comparisons.md", "curve.csv"]
    assert names == ["README.md", *tables, "figure.png", "heads.json.gz", "table.csv"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_a_study_is_written_again_with_notes_and_without_a_page_in_html(tmp_path, monkeypatch, capsys):
    write_heads(made(), tmp_path)
    (tmp_path / "notes.md").write_text("Seen later.\n")
    monkeypatch.setattr("sys.argv", ["lab", "rewrite", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "Seen later." in (tmp_path / "README.md").read_text()
    monkeypatch.setattr("sys.argv", ["lab", "rewrite", str(tmp_path), "--html", "page"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("lab: --html page: ")


def test_one_seed_is_tested_for_nothing(tmp_path):
    write_heads(made(seeds=1), tmp_path)
    page = (tmp_path / "README.md").read_text()
    assert ": a single seed, nothing is tested." in page
    assert "shown." not in page.split("## What it shows")[1].split('"Not shown"')[0]


def test_curves_of_some_checkpoints_or_of_none_are_said_to_be_so(tmp_path):
    study = made()
    few = HeadsStudy(**{**vars(study), "curve": tuple(point for point in study.curve if point.seed == 0)})
    write_heads(few, tmp_path / "few")
    assert "The curves are of 3 of the 9 trainings" in (tmp_path / "few" / "README.md").read_text()
    write_heads(HeadsStudy(**{**vars(study), "curve": ()}), tmp_path / "none")
    assert "No learning curves were drawn." in (tmp_path / "none" / "README.md").read_text()
    assert not (tmp_path / "none" / "figure.png").exists()


def test_a_missing_attempt_is_refused(tmp_path):
    study = made()
    broken = HeadsStudy(**{**vars(study), "attempts": study.attempts[1:]})
    with pytest.raises(InputError, match="the study lacks 1 attempts of concat-then-split"):
        write_heads(broken, tmp_path)
    (tmp_path / "heads.json.gz").write_bytes(b"no study")
    with pytest.raises(InputError, match="not a study of lost heads"):
        load_heads(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corpus", "other"], "lab: unknown corpus 'other'; known: fitting, overlong\n"),
        (["--arm", "best"], "lab: unknown arm 'best' of the corpus fitting; known: concat-then-split, "),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["lab", "heads", "lab", "--output", "out", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr().err
    assert (ended.value.code, told.count("\n")) == (2, 1)
    assert told.startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_the_curve_is_written(tmp_path):
    write_heads(made(), tmp_path)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "curve.csv").read_text())))
    assert len(lines) == 3 * 3 * 2 * 2
    assert json.loads(lines[0]["undefined"]) == 0.5
