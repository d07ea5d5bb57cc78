"""Predictions for a part of the selection: every instance of it counts, whoever submitted what."""

import json
from pathlib import Path

import pytest

from harness.common.run_folder import RunFolder
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.evaluator import patch_key
from harness.pipeline.evaluate import Judged, Submission, regrade_predictions

IDS = [f"owner__name-{number}" for number in range(1, 9)]


@pytest.fixture
def regrade(tmp_path: Path, row, monkeypatch: pytest.MonkeyPatch):
    """Grades again what the given (model, instance id, outcome) came to, over all eight instances or those named."""
    instances = [Instance.model_validate(row(instance_id=i, repo="pallets/flask", version="2.3")) for i in IDS]

    def again(*ended: tuple[str, str, Outcome], ids: list[str] = IDS, repeats: int = 1) -> Judged:
        out, predictions = tmp_path / "out", tmp_path / "predictions.jsonl"
        lines = [
            {"instance_id": i, "model_name_or_path": model, "model_patch": f"{model} {i}"} for model, i, _ in ended
        ]
        predictions.write_text("\n".join(map(json.dumps, lines)))
        with RunFolder(out) as folder, folder.journal("evaluations") as journal:
            for line, (_, i, outcome) in zip(lines, ended, strict=True):
                for repeat in range(repeats):
                    verdict = Verdict(instance_id=i, outcome=outcome, phase=Phase.SETUP)
                    key = patch_key(line["model_patch"], repeat)
                    journal.put(key, {"verdict": verdict.model_dump(mode="json"), "patch": key})
        chosen = [instance for instance in instances if instance.instance_id in ids]
        return regrade_predictions(
            Submission(chosen, str(predictions), out, EvaluationConfig(), others=IDS, repeats=repeats)
        )

    return again


def report(tmp_path: Path, model: str) -> dict[str, object]:
    return json.loads((tmp_path / "out" / "checkpoints" / model / "report.json").read_text())


def test_what_was_not_submitted_counts_and_is_named(regrade, tmp_path: Path) -> None:
    """Two resolved predictions for a data set of eight used to be a rate of 100%."""
    judged = regrade(("m", IDS[0], Outcome.RESOLVED), ("m", IDS[3], Outcome.RESOLVED))
    [row] = judged.rows
    assert (row.resolved, row.instances, row.empty) == (2, 8, 0)
    assert row.outcomes == {"resolved": 2, "not-submitted": 6}
    assert judged.missing == {"m": (6, 8)}
    assert [verdict.instance_id for verdict in judged.verdicts] == [IDS[0], IDS[3]]
    found = report(tmp_path, "m")
    assert (found["total_instances"], found["submitted_instances"], found["resolved_instances"]) == (8, 2, 2)
    assert found["incomplete_ids"] == [i for i in IDS if i not in (IDS[0], IDS[3])]
    part = tmp_path / "out" / "checkpoints" / "m"
    assert len((part / "predictions.jsonl").read_text().splitlines()) == 2
    assert len(list((part / "instances").iterdir())) == 2
    assert "| 2 / 8 " in (tmp_path / "out" / "table.md").read_text()


def test_each_model_of_a_file_is_scored_over_the_whole_selection(regrade, tmp_path: Path) -> None:
    judged = regrade(
        ("a", IDS[0], Outcome.RESOLVED), ("b", IDS[0], Outcome.UNRESOLVED), ("b", IDS[1], Outcome.RESOLVED)
    )
    assert [(row.checkpoint, row.resolved, row.instances) for row in judged.rows] == [("a", 1, 8), ("b", 1, 8)]
    assert report(tmp_path, "a")["submitted_ids"] == [IDS[0]]
    assert report(tmp_path, "b")["unresolved_ids"] == [IDS[0]]


def test_a_selection_by_id_is_the_whole(regrade, tmp_path: Path) -> None:
    judged = regrade(("m", IDS[0], Outcome.RESOLVED), ("m", IDS[7], Outcome.RESOLVED), ids=IDS[:4])
    [row] = judged.rows
    assert (row.resolved, row.instances) == (1, 4)
    assert report(tmp_path, "m")["incomplete_ids"] == IDS[1:4]


def test_a_model_with_no_prediction_for_the_chosen_instances_is_scored_too(regrade, tmp_path: Path) -> None:
    """It used to be left out without a word."""
    judged = regrade(("a", IDS[0], Outcome.RESOLVED), ("b", IDS[7], Outcome.RESOLVED), ids=IDS[:4], repeats=2)
    assert [(row.checkpoint, row.resolved, row.instances) for row in judged.rows] == [("a", 1, 4), ("b", 0, 4)]
    assert judged.missing == {"a": (3, 4), "b": (4, 4)}
    assert report(tmp_path, "b")["incomplete_ids"] == IDS[:4]
    assert judged.spreads["b"].rates == (0.0, 0.0)


def test_repeats_spread_over_the_whole_selection_model_by_model(regrade, tmp_path: Path) -> None:
    judged = regrade(("a", IDS[0], Outcome.RESOLVED), ("b", IDS[1], Outcome.UNRESOLVED), repeats=2)
    assert {model: spread.rates for model, spread in judged.spreads.items()} == {
        "a": (0.125, 0.125),
        "b": (0.0, 0.0),
    }
    assert set(json.loads((tmp_path / "out" / "repeats.json").read_text())) == {"a", "b"}
