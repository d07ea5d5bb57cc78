import json
from pathlib import Path

import pytest

from harness.common.run_folder import RunFolder
from harness.core.instance import Instance
from harness.dataset.predictions import load_predictions
from harness.errors import InputError


def prediction(instance_id: str = "owner__name-1", patch: str | None = "p") -> dict[str, str | None]:
    return {"instance_id": instance_id, "model_name_or_path": "m", "model_patch": patch}


@pytest.mark.parametrize("form", ["jsonl", "list", "object"])
def test_every_form_is_read(tmp_path: Path, instance: Instance, form: str) -> None:
    path = tmp_path / ("p.jsonl" if form == "jsonl" else "p.json")
    entry = prediction()
    by_id = {"owner__name-1": {key: entry[key] for key in ("model_name_or_path", "model_patch")}}
    path.write_text(json.dumps(entry) + "\n\n" if form == "jsonl" else json.dumps([entry] if form == "list" else by_id))
    [loaded] = load_predictions(str(path), [instance])
    assert loaded.model_patch == "p"
    assert loaded.instance_id == "owner__name-1"


def test_references(instance: Instance) -> None:
    assert load_predictions("gold", [instance])[0].model_patch == instance.patch
    assert load_predictions("empty", [instance])[0].model_patch == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (json.dumps(prediction()) + "\n" + json.dumps(prediction())[:20], "line 2: torn or not JSON"),
        (json.dumps(prediction()) + "\n" + json.dumps(prediction()), "two predictions for owner__name-1"),
        (json.dumps(prediction("owner__name-2")), "unknown instance owner__name-2; did you mean owner__name-1"),
        (json.dumps({"instance_id": "owner__name-1"}), "line 1: not a prediction .*model_patch: field required"),
        ("[1]", "line 1: not a prediction"),
    ],
)
def test_bad_predictions(tmp_path: Path, instance: Instance, text: str, expected: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=expected):
        load_predictions(str(path), [instance])


def test_predictions_outside_a_chosen_part_are_passed_over(tmp_path: Path, instance: Instance) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(prediction()) + "\n" + json.dumps(prediction("owner__name-2")))
    assert [p.instance_id for p in load_predictions(str(path), [instance], ["owner__name-2"])] == ["owner__name-1"]
    path.write_text(json.dumps(prediction()) + "\n" + json.dumps(prediction("owner__name-3")))
    with pytest.raises(InputError, match="unknown instance owner__name-3; did you mean owner__name-2"):
        load_predictions(str(path), [instance], ["owner__name-2"])


def test_missing_file(instance: Instance) -> None:
    with pytest.raises(InputError, match="no such predictions file"):
        load_predictions("gone.jsonl", [instance])


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "x" * 201])
def test_a_model_s_name_must_name_a_folder(tmp_path: Path, instance: Instance, name: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps({**prediction(), "model_name_or_path": name}))
    with pytest.raises(InputError, match=r"line 1: not a prediction .model_name_or_path.*can't name a folder"):
        load_predictions(str(path), [instance])


@pytest.mark.parametrize(("name", "folder"), [("org/model", "org__model"), ("../../out", "..__..__out")])
def test_a_model_s_name_never_leaves_the_run_s_folder(tmp_path: Path, name: str, folder: str) -> None:
    with RunFolder(tmp_path) as run:
        assert run.part(name, None) == tmp_path / "checkpoints" / folder


def test_separators_of_lines_that_json_does_not_escape_stay_in_the_patch(tmp_path: Path, instance: Instance) -> None:
    path = tmp_path / "predictions.jsonl"
    patch = "+a\u2028b\x85c\n"
    path.write_text(json.dumps(prediction(instance.instance_id, patch), ensure_ascii=False) + "\n", encoding="utf-8")
    assert load_predictions(str(path), [instance])[0].model_patch == patch


def test_half_a_surrogate_pair_is_refused_and_a_raw_byte_is_not(tmp_path: Path, instance: Instance) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps(prediction(instance.instance_id, "+\ud800\n")) + "\n")
    with pytest.raises(InputError, match=r"line 1: not a prediction .model_patch"):
        load_predictions(str(path), [instance])
    path.write_text(json.dumps(prediction(instance.instance_id, "+\udce9\n")) + "\n")
    assert load_predictions(str(path), [instance])[0].model_patch == "+\udce9\n"


def test_no_prediction_at_all_is_an_error(tmp_path: Path, instance: Instance) -> None:
    path = tmp_path / "predictions.jsonl"
    path.touch()
    with pytest.raises(InputError, match="holds no prediction"):
        load_predictions(str(path), [instance])
    path.write_text(json.dumps(prediction("owner__other-1")) + "\n")
    with pytest.raises(InputError, match="for the chosen instances"):
        load_predictions(str(path), [instance], ["owner__other-1"])


def test_a_byte_order_mark_is_passed_over(tmp_path: Path, instance: Instance) -> None:
    path = tmp_path / "predictions.jsonl"
    path.write_text(json.dumps(prediction(instance.instance_id)), encoding="utf-8-sig")
    assert len(load_predictions(str(path), [instance])) == 1
