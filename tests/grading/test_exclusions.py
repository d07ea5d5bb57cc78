import json
from pathlib import Path

import pytest

from harness.core.verdict import Outcome, Phase, Verdict
from harness.dataset.instances import load_instances
from harness.errors import InputError
from harness.grading.exclusions import (
    Quarantine,
    Seen,
    Soundness,
    calibrate,
    load_calibration,
    open_soundness,
    quarantine,
    write_calibration,
)
from harness.grading.log_grading import grader_version


def verdict(instance_id: str, outcome: Outcome = Outcome.RESOLVED, digest: str = "sha256:1", **columns) -> Verdict:
    return Verdict(instance_id=instance_id, outcome=outcome, phase=Phase.GRADE, image_digest=digest, **columns)


def test_known_defects_are_excluded_with_their_reason() -> None:
    seen = {"psf__requests-2317": Seen(defect="flaky", release="swebench 5.0")}
    known = Quarantine(version=9, junk_ids=(), instances=seen)
    found = Soundness(known).exclusions([verdict("psf__requests-2317"), verdict("django__django-1")])
    assert [(e.source, dict(e.reasons)) for e in found] == [
        ("quarantine version 9", {"psf__requests-2317": "flaky (seen with swebench 5.0)"})
    ]


def test_the_shipped_list_holds_nothing_that_was_not_seen() -> None:
    """Lists of others name releases of long ago: with the present one all gold patches hold."""
    assert quarantine().instances == {}
    assert open_soundness(None).exclusions([verdict("psf__requests-2317")])[0].reasons == {}


def test_a_calibration_says_what_runs_come_to_and_which_release_saw_it(tmp_path: Path) -> None:
    runs = [[verdict("a"), verdict("b")], [verdict("a"), verdict("b", Outcome.UNRESOLVED)]]
    found = calibrate(runs)
    assert found.over_runs
    assert found.over_runs.rates == (1.0, 0.5)
    assert (found.over_runs.mean, round(found.over_runs.standard_deviation, 3)) == (0.75, 0.354)
    assert found.release == grader_version()
    old = {"schema_version": 1, "instances": {"a": found.instances["a"].model_dump(mode="json")}}
    (tmp_path / "old.json").write_text(json.dumps(old))
    assert load_calibration(tmp_path / "old.json").over_runs is None


def test_a_calibration_is_read_as_it_was_written(tmp_path: Path) -> None:
    runs = [[verdict("a"), verdict("b")], [verdict("a"), verdict("b", Outcome.UNRESOLVED)]]
    write_calibration(tmp_path / "c.json", calibrate(runs))
    [_, found] = open_soundness(tmp_path / "c.json").exclusions(runs[0])
    assert found.source == f"calibration {tmp_path / 'c.json'}"
    assert found.reasons == {"b": "gold held 1 of 2 times (resolved, unresolved)"}
    assert found.unknown == ()


def test_only_what_was_tried_on_the_same_image_counts() -> None:
    calibration = calibrate(
        [[verdict("other image", Outcome.UNRESOLVED), verdict("machine", Outcome.INFRASTRUCTURE), verdict("good")]]
    )
    now = [verdict("other image", digest="sha256:2"), verdict("machine"), verdict("good"), verdict("never tried")]
    found = calibration.exclusions(now)
    assert found.reasons == {}
    assert found.unknown == ("other image", "machine", "never tried")
    # an empty patch was never in an image
    assert calibration.exclusions([verdict("other image", Outcome.EMPTY_PATCH, digest="")]).reasons


def test_bad_calibrations_are_the_user_s_to_mend(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such calibration; make one with"):
        load_calibration(tmp_path / "gone.json")
    for text in ("{", "[]", json.dumps({"schema_version": 3, "instances": {}}), json.dumps({"unknown": 1})):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(InputError, match=r"c\.json: not a calibration file \("):
            load_calibration(tmp_path / "c.json")


def test_failures_of_defective_ids_alone_are_told() -> None:
    known = Soundness(quarantine()).quarantine
    junk = verdict("a", Outcome.UNRESOLVED, pass_to_pass_failure=("[100%]", "t[cut"), cut_ids_ambiguous=("t[cut",))
    assert known.failed_by_defective_ids(junk) == ("[100%]", "t[cut")
    real = junk.model_copy(update={"fail_to_pass_failure": ("test_real",)})
    assert known.failed_by_defective_ids(real) == ()
    assert known.failed_by_defective_ids(verdict("a")) == ()


def test_the_defective_ids_of_lite_are_all_there(lite_rows: str) -> None:
    def cut(ids: tuple[str, ...]) -> list[str]:
        return [i for i in ids if i.count("[") > i.count("]")]

    rows = load_instances(lite_rows)
    assert not any(cut(row.fail_to_pass) for row in rows)
    per_row = [len(cut(row.pass_to_pass)) for row in rows]
    assert (sum(per_row), sum(map(bool, per_row))) == (294, 28)
    junk = {row.instance_id for row in rows if set(quarantine().junk_ids) & set(row.pass_to_pass)}
    assert junk
