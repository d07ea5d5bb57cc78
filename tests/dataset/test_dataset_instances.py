import json
from pathlib import Path

import pytest

from harness.dataset.instances import load_instances, parse_rows, select
from harness.errors import InputError

V5 = {
    "image": "img:latest",
    "eval_script": "#!/bin/bash\n",
    "log_parser": "parse_log_pytest",
    "eval_type": "pass_and_fail",
}


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
@pytest.mark.parametrize("extra", [{}, V5], ids=["classic", "5.x"])
def test_local_files_of_both_schemas_load(tmp_path: Path, row, suffix, extra) -> None:
    rows = [row(instance_id=f"owner__name-{n}", **extra) for n in range(3)]
    path = tmp_path / f"rows{suffix}"
    if suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    elif suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        import pandas

        pandas.DataFrame(rows).to_parquet(path)
    loaded = load_instances(str(path))
    assert [i.instance_id for i in loaded] == ["owner__name-0", "owner__name-1", "owner__name-2"]
    assert loaded[0].fail_to_pass == ("tests/test_a.py::test_new",)
    assert loaded[0].image == extra.get("image")
    assert loaded[0].eval_type == extra.get("eval_type")


def test_test_lists_may_be_lists_already(row) -> None:
    [loaded] = parse_rows([row(FAIL_TO_PASS=["a"], PASS_TO_PASS=[])], "here")
    assert loaded.fail_to_pass == ("a",)
    assert loaded.pass_to_pass == ()


def test_torn_line_is_named(tmp_path: Path, row) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row()) + "\n" + json.dumps(row())[:50])
    with pytest.raises(InputError, match=r"rows\.jsonl: line 2 is torn"):
        load_instances(str(path))


def test_missing_columns_are_all_named(row) -> None:
    broken = row()
    del broken["patch"], broken["repo"]
    with pytest.raises(InputError, match=r"row 1 \(owner__name-1\).*repo: field required; patch: field required"):
        parse_rows([broken], "here")


def test_damaged_test_list_is_named(row) -> None:
    with pytest.raises(InputError, match="FAIL_TO_PASS: value error, not a json list"):
        parse_rows([row(FAIL_TO_PASS="[torn")], "here")


def test_repeated_instance_is_refused(row) -> None:
    with pytest.raises(InputError, match="row 2 repeats instance owner__name-1"):
        parse_rows([row(), row()], "here")


def test_unknown_id_comes_with_the_nearest(row) -> None:
    instances = parse_rows([row(instance_id="pallets__flask-4992")], "here")
    with pytest.raises(InputError, match=r"pallets__flask-499; did you mean pallets__flask-4992\?"):
        select(instances, ["pallets__flask-499"], None)


def test_selection_keeps_the_order_asked_for(row) -> None:
    instances = parse_rows([row(instance_id=f"o__n-{n}") for n in range(4)], "here")
    assert [i.instance_id for i in select(instances, ["o__n-3", "o__n-1", "o__n-3"], None)] == ["o__n-3", "o__n-1"]
    assert [i.instance_id for i in select(instances, None, 2)] == ["o__n-0", "o__n-1"]


def test_missing_file_and_unreachable_hub(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such data set file"):
        load_instances(str(tmp_path / "none.jsonl"))
    with pytest.raises(InputError, match="neither a local file nor available from the hub"):
        load_instances("nobody/no-such-data-set")


@pytest.mark.parametrize("name", ["", "..", "a/../../b", "a b", "x" * 201])
def test_an_id_must_name_a_folder(row, name: str) -> None:
    with pytest.raises(InputError, match="instance_id"):
        parse_rows([row(instance_id=name)], "here")


def test_nothing_to_evaluate_is_an_error(tmp_path: Path, row) -> None:
    path = tmp_path / "rows.jsonl"
    path.touch()
    with pytest.raises(InputError, match="empty"):
        load_instances(str(path))
    path.write_text(json.dumps(row()) + "\n")
    with pytest.raises(InputError, match="no instance is chosen"):
        load_instances(str(path), ids=[])
