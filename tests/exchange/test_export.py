"""Results in the forms of other tools, read again by the tools' own libraries."""

import json

import pytest
import yaml
from foreign_files import IDS, official

from harness.compare.finished import verdicts_of
from harness.errors import InputError
from harness.exchange.export_results import Details, export_results


@pytest.fixture
def run(read_in, tmp_path):
    return read_in(official(tmp_path / "theirs"), names=["some/model"])[0]


def test_a_submission_read_in_again_has_the_same_verdicts_and_says_what_it_lacks(run, read_in, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("info:\n  site: https://example.org\n  authors: A\ntags:\n  org: O\n")
    notes = export_results(run, "experiments", tmp_path / "out", details=Details(metadata=own))
    folder = tmp_path / "out" / "some__model"
    assert json.loads((folder / "results" / "results.json").read_text())["resolved"] == IDS[:1]
    by_repository = json.loads((folder / "results" / "resolved_by_repo.json").read_text())
    assert by_repository == {"pallets/flask": {"resolved": 1, "total": 3}}
    said = yaml.safe_load((folder / "metadata.yaml").read_text())
    assert said["info"] == {"name": "some/model", "site": "https://example.org", "authors": "A"}
    assert any("tags.os_model is missing" in note for note in notes)
    assert not any("tags.org is missing" in note for note in notes)
    assert any("kept no traces" in note for note in notes)
    again, found = read_in(folder, output="again", names=["again"])
    first = verdicts_of(run / "checkpoints" / "some__model")
    second = verdicts_of(again / "checkpoints" / "again")
    assert {i: v.outcome for i, v in first.items()} == {i: v.outcome for i, v in second.items()}
    assert not any("the log counts" in note for note in found.notes)


def test_the_hub_s_own_library_reads_both_of_its_forms(run, tmp_path):
    from huggingface_hub import ModelCard, parse_eval_result_entries

    details = Details(dataset="SWE-bench/SWE-bench_Verified", source="https://example.org/run")
    export_results(run, "hub", tmp_path / "out", details=details)
    folder = tmp_path / "out" / "some__model"
    [entry] = parse_eval_result_entries(
        yaml.safe_load((folder / ".eval_results" / "SWE-bench_Verified.yaml").read_text())
    )
    assert (entry.dataset_id, entry.value) == ("SWE-bench/SWE-bench_Verified", 33.33)
    [result] = ModelCard((folder / "README.md").read_text()).data.eval_results
    assert (result.metric_value, result.source_url) == (33.33, "https://example.org/run")
    with pytest.raises(InputError, match="name the benchmark on the hub"):
        export_results(run, "hub", tmp_path / "out")


def test_inspect_reads_its_log(run, tmp_path):
    log = pytest.importorskip("inspect_ai.log")
    export_results(run, "inspect", tmp_path / "out")
    read = log.read_eval_log(str(tmp_path / "out" / "some__model.eval"))
    assert {sample.id: sample.scores["resolved"].value for sample in read.samples} == {
        IDS[0]: "C",
        IDS[1]: "I",
        IDS[2]: "I",
    }
    assert read.results.scores[0].metrics["accuracy"].value == pytest.approx(1 / 3)


@pytest.mark.filterwarnings("ignore")  # of its own libraries, about each other
def test_mlflow_reads_its_run(run, tmp_path):
    tracking = pytest.importorskip("mlflow.tracking")
    pytest.importorskip("sqlalchemy")
    export_results(run, "mlflow", tmp_path / "out")
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'out' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("swe-bench")
    [found] = client.search_runs([experiment.experiment_id])
    assert found.data.metrics["resolve_rate"] == pytest.approx(1 / 3)


def test_wandb_writes_an_offline_run(run, tmp_path):
    pytest.importorskip("wandb")
    export_results(run, "wandb", tmp_path / "out")
    assert list((tmp_path / "out" / "wandb").glob("offline-run-*/run-*.wandb"))
    [table] = (tmp_path / "out" / "wandb").glob("offline-run-*/files/media/table/instances*.json")
    assert [line[0] for line in json.loads(table.read_text())["data"]] == IDS


def test_what_is_not_there_is_refused_in_one_line(run, tmp_path):
    with pytest.raises(InputError, match="no checkpoint 'x'; there are some__model"):
        export_results(run, "experiments", tmp_path / "out", checkpoint="x")
    with pytest.raises(InputError, match="nothing was run under gt-file"):
        export_results(run, "experiments", tmp_path / "out", condition="gt-file")
    with pytest.raises(InputError, match="no form 'wand'"):
        export_results(run, "wand", tmp_path / "out")
