"""Our report of an evaluation against the one that the official harness writes for the same results."""

import json
from pathlib import Path

import pytest

from harness.core.control import Control, ControlState
from harness.core.verdict import Outcome, Phase, Verdict
from harness.core.whole_suite import SuiteState, WholeSuite
from harness.grading.exclusions import (
    Quarantine,
    Seen,
    Soundness,
    calibrate,
    load_calibration,
    open_soundness,
    write_calibration,
)
from harness.report.official import official_report

SOUND = open_soundness(None)
SEEN = Quarantine(
    version=9, junk_ids=(), instances={"psf__requests-2317": Seen(defect="flaky", release="swebench 5.0")}
)
IDS = [f"org__repo-{number}" for number in range(1, 9)]
ENDED = {
    IDS[0]: Outcome.RESOLVED,
    IDS[1]: Outcome.UNRESOLVED,
    IDS[2]: Outcome.TIMEOUT,
    IDS[3]: Outcome.PATCH_FAILED,
    IDS[4]: Outcome.INFRASTRUCTURE,
    IDS[5]: Outcome.EMPTY_PATCH,
    IDS[6]: Outcome.NO_RESULTS,
}
PREDICTIONS = {i: "" if outcome is Outcome.EMPTY_PATCH else "diff" for i, outcome in ENDED.items()}
VERDICTS = {i: Verdict(instance_id=i, outcome=outcome, phase=Phase.GRADE) for i, outcome in ENDED.items()}

# what the official harness leaves behind for such an evaluation: its log, and a report where it graded one
LOGS = {
    Outcome.TIMEOUT: "Timeout error: 1800 seconds exceeded.",
    Outcome.INFRASTRUCTURE: "Error response from daemon: no such image",
    Outcome.NO_RESULTS: "collected 0 items",
}
GRADED = {Outcome.RESOLVED, Outcome.UNRESOLVED, Outcome.NO_RESULTS}


def _official(folder: Path) -> dict[str, object]:
    from swebench.harness.reporting import make_run_report

    for instance_id, outcome in ENDED.items():
        logs = folder / "logs" / "run_evaluation" / "run" / "model" / instance_id
        logs.mkdir(parents=True)
        (logs / "test_output.txt").write_text(LOGS.get(outcome, ""))
        if outcome in GRADED:
            (logs / "report.json").write_text(json.dumps({instance_id: {"resolved": outcome is Outcome.RESOLVED}}))
    predictions = {
        i: {"instance_id": i, "model_name_or_path": "model", "model_patch": patch} for i, patch in PREDICTIONS.items()
    }
    path = make_run_report(predictions, [{"instance_id": i} for i in IDS], "run", report_dir=str(folder))
    return json.loads(path.read_text())


def test_same_keys_and_values_as_the_official_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    official = _official(tmp_path)
    ours = official_report(IDS, PREDICTIONS, VERDICTS, SOUND)
    assert set(ours) == {*official, "harness"}
    reasons = {"failure_reasons"}  # ours are named by outcome
    assert {k: ours[k] for k in official if k not in reasons} == {k: official[k] for k in official if k not in reasons}
    assert set(ours["failure_reasons"]) == set(official["failure_reasons"])


def test_own_part_tells_outcomes_and_both_rates_with_their_denominators() -> None:
    own = official_report(IDS, PREDICTIONS, VERDICTS, SOUND)["harness"]
    assert own["outcomes"]["infrastructure"] == 1
    assert own["outcomes"]["not-submitted"] == 1
    assert sum(own["outcomes"].values()) == len(IDS)
    strict, without = own["resolve_rate"], own["resolve_rate_without_infrastructure_failures"]
    assert (strict["resolved"], strict["instances"], strict["rate"]) == (1, 8, 1 / 8)
    assert (without["resolved"], without["instances"], without["rate"]) == (1, 7, 1 / 7)
    for rate in (strict, without, own["resolve_rate_without_exclusions"]):
        assert (rate["ungraded"], rate["bounds"]) == (1, [1 / 8, 2 / 8])
    low, high = strict["wilson_95"]
    assert low < 1 / 8 < high


def test_prediction_without_a_verdict_is_an_error_not_a_failure_of_the_model() -> None:
    report = official_report(["a", "b"], {"a": "diff"}, {}, SOUND)
    assert report["error_ids"] == ["a"]
    assert report["incomplete_ids"] == ["b"]
    assert report["unresolved_ids"] == []
    assert report["harness"]["outcomes"] == {"not-evaluated": 1, "not-submitted": 1}
    rate = report["harness"]["resolve_rate"]
    assert (rate["ungraded"], rate["bounds"]) == (1, [0, 0.5])


def test_none_is_an_empty_patch() -> None:
    assert official_report(["a"], {"a": None}, {}, SOUND)["empty_patch_ids"] == ["a"]


def test_no_patch_because_the_machine_failed_is_not_the_models_empty_patch() -> None:
    verdict = Verdict(instance_id="a", outcome=Outcome.INFRASTRUCTURE, phase=Phase.PREPARE)
    report = official_report(["a"], {"a": ""}, {"a": verdict}, SOUND)
    assert (report["empty_patch_ids"], report["error_ids"], report["infra_failure_ids"]) == ([], ["a"], ["a"])


def test_no_instances_and_nothing_but_failures_have_no_rate() -> None:
    rate = official_report([], {}, {}, SOUND)["harness"]["resolve_rate"]
    assert rate == {"resolved": 0, "instances": 0, "rate": None, "wilson_95": None, "ungraded": 0, "bounds": None}
    verdict = Verdict(instance_id="a", outcome=Outcome.INFRASTRUCTURE, phase=Phase.PREPARE)
    own = official_report(["a"], {"a": "diff"}, {"a": verdict}, SOUND)["harness"]
    assert own["resolve_rate"]["rate"] == 0
    without = own["resolve_rate_without_infrastructure_failures"]
    assert (without["rate"], without["bounds"]) == (None, [0, 1])


def test_can_be_written_as_json() -> None:
    report = official_report(IDS, PREDICTIONS, VERDICTS, SOUND)
    assert json.loads(json.dumps(report)) == report


def test_flagged_verdicts_are_listed() -> None:
    flagged = VERDICTS[IDS[0]].model_copy(update={"flags": ("test configuration: conftest.py",)})
    report = official_report(IDS, PREDICTIONS, {**VERDICTS, IDS[0]: flagged}, SOUND)
    assert report["harness"]["flagged"] == {IDS[0]: ["test configuration: conftest.py"]}


def test_exclusions_stand_beside_the_rate_over_everything(tmp_path: Path) -> None:
    def ended(instance_id: str, outcome: Outcome) -> Verdict:
        return Verdict(instance_id=instance_id, outcome=outcome, phase=Phase.GRADE, image_digest="sha256:1")

    flaky, unsound, good = "psf__requests-2317", "org__repo-1", "org__repo-2"
    gold = [ended(unsound, Outcome.UNRESOLVED), ended(good, Outcome.RESOLVED), ended(flaky, Outcome.RESOLVED)]
    write_calibration(tmp_path / "calibration.json", calibrate([gold]))
    verdicts = {
        flaky: ended(flaky, Outcome.UNRESOLVED),
        unsound: ended(unsound, Outcome.UNRESOLVED),
        good: ended(good, Outcome.RESOLVED),
    }
    soundness = Soundness(SEEN, load_calibration(tmp_path / "calibration.json"))
    own = official_report(list(verdicts), dict.fromkeys(verdicts, "diff"), verdicts, soundness)["harness"]
    by_quarantine, by_calibration = own["exclusions"]
    assert by_quarantine["excluded"] == {flaky: "flaky (seen with swebench 5.0)"}
    assert list(by_calibration["excluded"]) == [unsound]
    assert by_calibration["resolve_rate_without"]["rate"] == 0.5
    assert own["resolve_rate"]["rate"] == pytest.approx(1 / 3)
    assert own["resolve_rate_without_exclusions"]["rate"] == 1.0
    assert own["resolve_rate_without_exclusions"]["instances"] == 1
    assert own["resolve_rate_without_exclusions"]["bounds"] == [1, 1]


def test_a_rate_without_exclusions_has_the_bounds_of_what_is_left() -> None:
    flaky, lost = "psf__requests-2317", "org__repo-1"
    verdicts = {i: Verdict(instance_id=i, outcome=Outcome.INFRASTRUCTURE, phase=Phase.TESTS) for i in (flaky, lost)}
    verdicts["good"] = Verdict(instance_id="good", outcome=Outcome.RESOLVED, phase=Phase.GRADE)
    own = official_report(list(verdicts), dict.fromkeys(verdicts, "diff"), verdicts, Soundness(SEEN))["harness"]
    by_quarantine, *_ = own["exclusions"]
    assert own["resolve_rate"]["bounds"] == [1 / 3, 1]
    assert by_quarantine["resolve_rate_without"]["bounds"] == [1 / 2, 1]
    assert own["resolve_rate_without_exclusions"]["ungraded"] == 1


def test_what_defective_ids_did_is_counted() -> None:
    verdict = Verdict(
        instance_id="a",
        outcome=Outcome.UNRESOLVED,
        phase=Phase.GRADE,
        pass_to_pass_failure=("[100%]",),
        cut_ids_matched=("t[a", "t[b"),
    )
    found = official_report(["a"], {"a": "diff"}, {"a": verdict}, SOUND)["harness"]["defective_test_ids"]
    assert found == {"cut_matched": 2, "cut_ambiguous": 0, "unresolved_by_them_alone": {"a": ["[100%]"]}}


def test_counter_evaluations_are_listed_by_how_they_ended() -> None:
    controls = {IDS[0]: Control(state=ControlState.FAILED, detail="t.py::test_a", seconds=2.5)}
    controls[IDS[1]] = Control(state=ControlState.NONE_DRAWN, seconds=0.5)
    verdicts = VERDICTS | {i: VERDICTS[i].model_copy(update={"control": control}) for i, control in controls.items()}
    part = official_report(IDS, PREDICTIONS, verdicts, SOUND)["harness"]["control"]
    assert part == {
        "states": {"passed": 0, "failed": 1, "stopped": 0, "none-drawn": 1, "undone": 0},
        "failed_ids": [IDS[0]],
        "stopped_ids": [],
        "none_drawn_ids": [IDS[1]],
        "undone_ids": [],
        "seconds": 3.0,
    }


def test_resolved_and_breaks_nothing_is_a_rate_of_its_own() -> None:
    ids = ["clean", "breaking", "unknown", "failing"]
    resolved = {i: Verdict(instance_id=i, outcome=Outcome.RESOLVED, phase=Phase.GRADE) for i in ids[:3]}
    suites = {
        "clean": WholeSuite(state=SuiteState.COMPARED, unsteady=("t::c",), seconds=1.5),
        "breaking": WholeSuite(state=SuiteState.COMPARED, breaks={"t::b": "FAILED"}, seconds=1.0),
        "unknown": WholeSuite(state=SuiteState.NOT_RUN, detail="timeout"),
    }
    verdicts = {i: resolved[i].model_copy(update={"whole_suite": suite}) for i, suite in suites.items()}
    verdicts["failing"] = Verdict(instance_id="failing", outcome=Outcome.UNRESOLVED, phase=Phase.GRADE)
    report = official_report(ids, dict.fromkeys(ids, "diff"), verdicts, SOUND)
    part = report["harness"]["whole_suite"]
    assert report["resolved_instances"] == 3
    assert part["states"] == {"compared": 2, "not-run": 1, "undone": 0}
    assert part["resolved_and_breaks_nothing_ids"] == ["clean"]
    assert part["breaks"] == {"breaking": {"t::b": "FAILED"}}
    assert part["not_compared"] == {"unknown": "timeout"}
    assert part["unsteady"] == {"clean": ["t::c"]}
    rate = part["resolved_and_breaks_nothing"]
    assert (rate["resolved"], rate["instances"], rate["ungraded"], rate["bounds"]) == (1, 4, 1, [0.25, 0.5])
    assert part["seconds"] == 2.5


def test_without_whole_suites_the_report_has_none() -> None:
    assert official_report(IDS, PREDICTIONS, VERDICTS, SOUND)["harness"]["whole_suite"] is None
