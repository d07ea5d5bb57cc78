"""Results as data frames: of the folder that is kept of this version, of several, and of damaged ones."""

import json
import shutil
import tarfile
import tracemalloc
from pathlib import Path

import pandas as pd
import pytest

import harness
from harness.compare.frames import Results, load_results
from harness.errors import InputError

KEPT = Path(__file__).with_name("kept")  # by version of the records: what was written once has to load for ever
COMMON = ["run", "dataset", "dataset_key", "preset", "prompts", "sampling", "version_harness", "version_swebench"]
FRAMES = ("instances", "attempts", "candidates", "calls", "verdicts")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with tarfile.open(KEPT / "results-1.tar.gz") as kept:
        kept.extractall(tmp_path / "run", filter="data")
    return tmp_path / "run"


def frames(results: Results) -> dict[str, pd.DataFrame]:
    return {name: getattr(results, name) for name in FRAMES}


def test_a_run_is_five_tidy_frames(run: Path) -> None:
    results = harness.load_results(run)
    assert {name: len(frame) for name, frame in frames(results).items()} == {
        "instances": 3,
        "attempts": 2 * 3 + 3 * 3,
        "candidates": 3 * 3 * 2,
        "calls": 13,
        "verdicts": 15,
    }
    for frame in frames(results).values():
        assert list(frame.columns[: len(COMMON)]) == COMMON
        assert frame[COMMON[:3]].notna().all().all()
    attempts = results.attempts
    assert attempts.groupby("checkpoint").resolved.sum().to_dict() == {"empty": 0, "gold": 3, "stub": 6}
    model = attempts[(attempts.checkpoint == "stub") & (attempts.condition == "model")]
    assert model.file_recall_at_1.tolist() == [1.0] * 3
    assert (model.candidates == 2).all()
    assert set(results.candidates.reason.dropna()) == {"no-edits"}
    assert results.candidates.selected.sum() == 9
    assert set(results.calls.stage) == {"localize_files", "repair"}
    assert set(results.calls.checkpoint) == {"stub"}
    assert results.verdicts.control.value_counts().to_dict() == {"passed": 6}


def test_what_a_frame_says_is_what_the_tables_say(run: Path) -> None:
    attempts = load_results(run).attempts
    table = pd.read_csv(run / "table.csv")
    stub = table[table.checkpoint == "stub"].set_index("condition")
    mine = attempts[attempts.checkpoint == "stub"].groupby("condition")
    assert mine.resolved.sum().to_dict() == stub.resolved.to_dict()
    assert mine.prompt_tokens.sum().to_dict() == stub.prompt_tokens.to_dict()
    assert mine.similarity.mean().to_dict() == pytest.approx(stub.similarity.to_dict())


def test_a_pattern_names_several_runs(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(run, run.parent / "run-2")
    (run.parent / "other").mkdir()
    assert set(load_results(f"{run.parent}/*").attempts.run) == {str(run), str(run.parent / "run-2")}
    monkeypatch.chdir(run.parent)
    assert set(load_results("run*").attempts.run) == {"run", "run-2"}


def test_a_name_with_the_letters_of_a_pattern_is_a_name(run: Path) -> None:
    named = run.rename(run.with_name("run[1]"))
    assert len(load_results(named).attempts) == 15


def test_records_of_before_these_files_load_too(run: Path) -> None:
    (run / "instances.jsonl").unlink()
    shutil.rmtree(run / "journal")
    for path in run.rglob("scores.jsonl"):
        path.unlink()
    (run / "frozen.yaml").unlink()
    results = load_results(run)
    assert len(results.attempts) == 15
    assert results.attempts.resolved.sum() == 9
    assert results.instances.empty
    assert results.calls.empty


def test_a_torn_last_line_of_a_journal_is_left_out(run: Path) -> None:
    journal = run / "journal" / "answers.jsonl"
    journal.write_text(journal.read_text() + json.dumps({"kind": "answer"})[:9])
    assert len(load_results(run).calls) == 13


def test_of_a_long_journal_no_more_than_a_line_is_held(run: Path) -> None:
    journal = run / "journal" / "answers.jsonl"
    before = frames(load_results(run))["calls"]
    with journal.open("a") as file:
        for number in range(40):
            for kind in ({"kind": "prompt"}, {"kind": "other"}):
                file.write(json.dumps({"key": f"{number}", **kind, "text": "x" * 1_000_000}) + "\n")
    tracemalloc.start()
    calls = load_results(run).calls
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6 < journal.stat().st_size
    pd.testing.assert_frame_equal(calls, before)


@pytest.mark.parametrize("place", ["gone", "no-*"])
def test_no_results_are_one_line(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match=r"no results there; name the output folder"):
        load_results(tmp_path / place)


def test_damaged_records_are_named(run: Path) -> None:
    path = run / "checkpoints" / "stub" / "model" / "trail.jsonl"
    path.write_text("{\n" + path.read_text())
    with pytest.raises(InputError, match=r"trail\.jsonl: line 1 can't be read"):
        load_results(run)


def test_the_package_has_no_other_lazy_names() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'load_result'"):
        harness.load_result  # noqa: B018
