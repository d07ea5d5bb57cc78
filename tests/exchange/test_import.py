"""Results of other harnesses become results of ours, from files in the shape that each of them writes."""

import json

import pytest
from foreign_files import (
    IDS,
    NEW,
    PATCH,
    agentless,
    instance_logs,
    log_of_tests,
    mini,
    official,
    openhands,
    prediction,
    report,
    submission,
    write,
    write_lines,
)

import harness
from harness.compare.compare_command import compare_results, gate_results
from harness.compare.finished import conditions_of, read_part, verdicts_of
from harness.compare.table_command import read_ablation, table_text
from harness.core.verdict import Outcome
from harness.errors import InputError


def outcomes(folder, name):
    return {i: verdict.outcome.value for i, verdict in verdicts_of(folder / "checkpoints" / name).items()}


SOLVED = {IDS[0]: "resolved", IDS[1]: "unresolved", IDS[2]: "unresolved"}


@pytest.mark.parametrize(
    ("make", "name", "layout"),
    [
        (official, "some__model", "predictions"),
        (lambda root: official(root, predictions=False), "some__model", "official harness"),
        (lambda root: official(root, predictions=False) / "logs" / "run_evaluation" / "first", "some__model", None),
        (submission, "Some System + some-model", "leaderboard submission"),
        (agentless, "agentless", "Agentless"),
        (openhands, "OpenHands__some-model", "OpenHands"),
    ],
)
def test_each_layout_is_known_and_graded_again_from_its_logs(read_in, tmp_path, make, name, layout):
    folder, found = read_in(make(tmp_path / "theirs"))
    assert outcomes(folder, name) == SOLVED
    verdict = verdicts_of(folder / "checkpoints" / name)[IDS[1]]
    assert verdict.fail_to_pass_failure == (NEW,)
    assert NEW in (folder / "checkpoints" / name / "instances" / IDS[1] / "test.log").read_text()
    [run] = json.loads((folder / "import.json").read_text())["runs"]
    assert run["layout"] == (layout or "official harness")
    assert (run["disagreements"], run["not_graded"], run["not_submitted"]) == ({}, {}, [])
    assert any("3 graded again from their logs" in note for note in found.notes)


def test_predictions_without_logs_are_not_graded_and_say_so(read_in, tmp_path):
    folder, found = read_in(mini(tmp_path / "theirs"))
    name = "anthropic__claude"
    assert set(outcomes(folder, name).values()) == {"infrastructure"}
    assert found.rows[0].infrastructure == 3
    [note] = [note for note in found.notes if "not graded" in note]
    assert IDS[0] in note
    assert "there is no log of its tests" in note
    report_ = json.loads((folder / "checkpoints" / name / "report.json").read_text())
    assert report_["harness"]["resolve_rate"]["bounds"] == [0.0, 1.0]


def test_a_report_without_logs_counts_only_if_asked_and_is_flagged(read_in, tmp_path):
    theirs = submission(tmp_path / "theirs", "S", logs=False)
    folder, _ = read_in(theirs)
    assert set(outcomes(folder, "S").values()) == {"infrastructure"}
    assert "a report says resolved" in verdicts_of(folder / "checkpoints" / "S")[IDS[0]].detail
    folder, _ = read_in(theirs, trust_reports=True)
    assert outcomes(folder, "S") == SOLVED
    assert verdicts_of(folder / "checkpoints" / "S")[IDS[0]].flags[0].startswith("by a report: ")


def log_of_tests_and_report_that_disagree_are_named_and_the_log_counts(read_in, tmp_path):
    theirs = official(tmp_path / "theirs")
    logs = theirs / "logs" / "run_evaluation" / "first" / "some__model"
    write(logs / IDS[1] / "report.json", report(IDS[1], True))
    folder, found = read_in(theirs)
    assert outcomes(folder, "some__model")[IDS[1]] == "unresolved"
    [note] = [note for note in found.notes if "the log counts" in note]
    assert f"{IDS[1]}: its report says resolved, its log unresolved" in note
    other = report(IDS[0], True)
    other[IDS[0]]["tests_status"]["PASS_TO_PASS"] = {"success": [], "failure": []}
    write(logs / IDS[0] / "report.json", other)
    _, found = read_in(theirs)
    assert any("1 tests stand in other lists" in note for note in found.notes)


def test_a_log_of_another_patch_grades_nothing(read_in, tmp_path):
    theirs = official(tmp_path / "theirs")
    write_lines(theirs / "predictions.jsonl", [prediction(name, patch=PATCH.format(7)) for name in IDS])
    folder, found = read_in(theirs, trust_reports=True)
    assert set(outcomes(folder, "some__model").values()) == {"infrastructure"}
    assert any("its log is of another patch" in note for note in found.notes)


@pytest.mark.parametrize(
    ("kept", "outcome"),
    [
        ({"test_output.txt": None, "run_instance.log": "INFO - >>>>> Patch Apply Failed:\nerror\n"}, "patch-failed"),
        ({"run_instance.log": "EvaluationError: Test timed out after 1800 seconds.\n"}, "timeout"),
        ({"test_output.txt": log_of_tests() + "\n\nTimeout error: 1800 seconds exceeded."}, "timeout"),
        ({"test_output.txt": json.dumps(log_of_tests())}, "resolved"),  # as sb-cli dumps it
        ({"test_output.txt": log_of_tests(status=1)}, "no-results"),  # failed, and its log shows nothing of it
        ({"test_output.txt": "no marker"}, "no-results"),
        ({"test_output.txt": None}, "infrastructure"),
        ({"patch.diff": "\n"}, "infrastructure"),
    ],
)
def test_ends_of_an_evaluation_are_told_apart(read_in, tmp_path, kept, outcome):
    theirs = official(tmp_path / "theirs", ids=IDS[:1])
    place = theirs / "logs" / "run_evaluation" / "first" / "some__model"
    for file in (place / IDS[0]).iterdir():
        file.unlink()
    instance_logs(place, IDS[0], True, **{"report.json": None, **kept})
    folder, _ = read_in(theirs, ids=IDS[:1])
    assert outcomes(folder, "some__model") == {IDS[0]: outcome}
    log = folder / "checkpoints" / "some__model" / "instances" / IDS[0] / "test.log"
    assert log.is_file() is (outcome != "infrastructure")


def test_empty_patches_missing_predictions_and_lost_patches_are_three_things(read_in, tmp_path):
    theirs = official(tmp_path / "theirs", ids=IDS[:1], predictions=False)
    said = {"resolved_ids": IDS[:1], "submitted_ids": IDS[:2], "empty_patch_ids": IDS[1:2]}
    write(theirs / "some__model.first.json", said)
    folder, found = read_in(theirs)
    assert outcomes(folder, "some__model") == {IDS[0]: "resolved", IDS[1]: "empty-patch", IDS[2]: "empty-patch"}
    [note] = [note for note in found.notes if "have no prediction" in note]
    assert IDS[2] in note
    assert IDS[1] not in note
    write(theirs / "some__model.first.json", said | {"empty_patch_ids": []})
    folder, _ = read_in(theirs)
    verdict = verdicts_of(folder / "checkpoints" / "some__model")[IDS[1]]
    assert verdict.outcome is Outcome.INFRASTRUCTURE
    assert "its patch is not there" in verdict.detail


def test_candidates_and_places_of_agentless_come_along(read_in, tmp_path):
    folder, _ = read_in(agentless(tmp_path / "theirs"))
    place = folder / "checkpoints" / "agentless"
    line = json.loads((place / "trail.jsonl").read_text().split("\n")[0])
    assert [bool(candidate["patch"]) for candidate in line["candidates"]] == [True, True, True, False]
    assert line["selected"] == 0
    assert line["locations"][0] == {"path": "a.py", "elements": ["f"], "intervals": [[1, 1], [3, 3]]}
    scores = read_part(place, None)[IDS[0]].scores
    assert scores.candidates == 4
    assert scores.localized["file@1"] == (1, 1, 1)
    assert len(harness.load_results(folder).candidates) == 12


def test_imported_results_are_compared_gated_shown_and_loaded(read_in, tmp_path):
    one, other = official(tmp_path / "a"), official(tmp_path / "b", model="new", solved=IDS[:2])
    old, _ = read_in(one, output="old")
    new, _ = read_in(other, output="new")
    assert "fixed" in compare_results([str(old), str(new)])
    assert IDS[1] in compare_results([str(old), str(new)])
    assert gate_results(str(new), str(old), ["resolve_rate >= -99pp @ 95%"]).exit_status in (0, 3)
    both, _ = read_in(one, other, names=["A", "B"], output="both")
    assert sorted(path.name for path in (both / "checkpoints").iterdir()) == ["A", "B"]
    assert "| B " in table_text(read_ablation([both]), "md")
    frames = harness.load_results(both)
    assert frames.attempts.groupby("checkpoint").resolved.sum().to_dict() == {"A": 1, "B": 2}
    assert conditions_of(both / "checkpoints" / "A") == (None,)


def test_an_import_is_made_anew_and_leaves_nothing_of_the_earlier_one(read_in, tmp_path):
    folder, _ = read_in(official(tmp_path / "a"), names=["A"])
    folder, _ = read_in(official(tmp_path / "b"), names=["B"])
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["B"]
    assert len(list((folder / "logs" / "evaluations").iterdir())) == 3


def test_several_runs_of_one_model_are_told_apart(read_in, tmp_path):
    theirs = official(tmp_path / "theirs", predictions=False)
    official(theirs, run_id="second", solved=IDS, predictions=False)
    folder, _ = read_in(theirs)
    assert set(outcomes(folder, "some__model.second").values()) == {"resolved"}
    assert outcomes(folder, "some__model.first") == SOLVED
    official(theirs)  # with predictions
    with pytest.raises(InputError, match=r"several runs of some/model.*--run-id"):
        read_in(theirs)
    folder, _ = read_in(theirs, run_id="second")
    assert set(outcomes(folder, "some__model").values()) == {"resolved"}
    with pytest.raises(InputError, match=r"no logs of a run 'x'; there are first, second"):
        read_in(theirs, run_id="x")


REPORT = f"logs/run_evaluation/first/some__model/{IDS[0]}/report.json"
BROKEN = {
    "a torn report": (lambda t: write(t / REPORT, '{"a'), "torn"),
    "a report of nothing": (lambda t: write(t / REPORT, "[1]"), "does not say whether"),
    "a report whose tests are no lists": (
        lambda t: write(t / REPORT, {IDS[0]: {"resolved": True, "tests_status": {"FAIL_TO_PASS": [1]}}}),
        "tests_status",
    ),
    "results without lists": (lambda t: write(t / "some__model.first.json", {"resolved_ids": 5}), "resolved_ids"),
    "torn predictions": (lambda t: write(t / "predictions.jsonl", '{"instance_id"'), "line 1: torn"),
    "a prediction twice": (
        lambda t: write_lines(t / "predictions.jsonl", [prediction(IDS[0]), prediction(IDS[0])]),
        "two predictions for",
    ),
    "an unknown instance": (
        lambda t: write_lines(t / "predictions.jsonl", [prediction("pallets__flask-9")]),
        "unknown instance",
    ),
    "metadata that is a list": (lambda t: write(t / "metadata.yaml", "- a\n"), "holds no keys"),
    "metadata that is torn": (lambda t: write(t / "metadata.yaml", "a: [\n"), "can't be read"),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_what_is_damaged_ends_in_one_line(read_in, tmp_path, damage):
    theirs = official(tmp_path / "theirs")
    spoil, words = BROKEN[damage]
    spoil(theirs)
    with pytest.raises(InputError, match=words) as caught:
        read_in(theirs)
    assert "\n" not in str(caught.value)


def test_what_is_no_result_is_refused(read_in, tmp_path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputError, match="holds no results that are known here"):
        read_in(tmp_path / "nothing")
    with pytest.raises(InputError, match="no such file or folder"):
        read_in(tmp_path / "absent")
    theirs = official(tmp_path / "theirs")
    with pytest.raises(InputError, match="is a report, which holds no patches"):
        read_in(theirs / "some__model.first.json")
    with pytest.raises(InputError, match=r"neither \.json nor \.jsonl"):
        read_in(write(tmp_path / "a.txt", "x"))
    sampled = agentless(tmp_path / "sampled")
    (sampled / "all_preds.jsonl").unlink()
    with pytest.raises(InputError, match="let its rerank step"):
        read_in(sampled)
    line = {"instance_id": IDS[0], "test_result": {"git_patch": 3}}
    with pytest.raises(InputError, match=r"line 1: test_result.git_patch is no text"):
        read_in(write_lines(tmp_path / "o" / "output.jsonl", [line]))
    with pytest.raises(InputError, match="2 models are called some__model"):
        read_in(theirs, official(tmp_path / "again"))
    with pytest.raises(InputError, match="1 for 2 sources"):
        read_in(theirs, theirs, names=["A"])
    with pytest.raises(InputError, match="can't name a folder"):
        read_in(theirs, names=[".."])


def test_a_folder_of_a_run_takes_no_import_and_that_of_an_import_no_run(read_in, tmp_path):
    from harness.common.run_folder import require_kind

    theirs = official(tmp_path / "theirs")
    folder, _ = read_in(theirs)
    with pytest.raises(InputError, match="holds the records of `harness import`"):
        require_kind(folder, "evaluate")
    write(tmp_path / "own" / "frozen.yaml", "a: 1\n")
    with pytest.raises(InputError, match="holds the records of `harness evaluate`"):
        read_in(theirs, output="own")


def test_a_gold_run_of_the_official_harness_is_the_reference(read_in, tmp_path):
    folder, _ = read_in(official(tmp_path / "g", model="gold", solved=IDS), official(tmp_path / "m"))
    assert len(harness.load_results(folder).attempts) == 6
    assert "gold" in table_text(read_ablation([folder]), "json")


def test_the_command_says_what_came_in_and_refuses_in_one_line(dataset, tmp_path, monkeypatch, capsys):
    from harness.cli import main

    def command(*arguments):
        monkeypatch.setattr("sys.argv", ["harness", "import", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, capsys.readouterr()

    out = tmp_path / "out"
    status, said = command(official(tmp_path / "theirs"), "--dataset", dataset, "--output", out, "--name", "A")
    assert status == 0
    assert "A: 3 patches of" in said.out
    assert f"records: {out}" in said.out
    status, said = command(tmp_path / "absent", "--dataset", dataset, "--output", out)
    assert (status, said.err) == (2, f"harness: {tmp_path / 'absent'}: no such file or folder\n")
