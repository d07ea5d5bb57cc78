import json
from pathlib import Path

import pytest
import yaml

from harness.config.load import load_run_file
from harness.config.schema import RunConfig
from harness.errors import InputError


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    (tmp_path / "rows.jsonl").write_text("")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "config.json").write_text("{}")
    path = tmp_path / "run.yaml"
    path.write_text(
        "dataset:\n  path: rows.jsonl\n"
        "checkpoints:\n  - name: one\n    path: weights\n    strategy: best-fit\n"
        "evaluation:\n  workers: 2\n"
        "output: records\n"
    )
    return path


def test_paths_are_taken_from_the_files_folder(run_file: Path) -> None:
    config = load_run_file(run_file)
    assert config.dataset.path == str(run_file.parent / "rows.jsonl")
    assert config.checkpoints[0].path == run_file.parent / "weights"
    assert config.output == run_file.parent / "records"


def test_defaults_file_and_overrides_are_layered(run_file: Path) -> None:
    assert load_run_file(run_file).evaluation.timeout == RunConfig.model_fields["evaluation"].default.timeout
    assert load_run_file(run_file).evaluation.workers == 2
    config = load_run_file(
        run_file,
        ["evaluation.workers=4", "sampling.repair.temperature=0.5", "checkpoints.0.name=two", "dataset.limit=3"],
    )
    assert config.evaluation.workers == 4
    assert config.sampling.repair.temperature == 0.5
    assert config.sampling.repair.max_tokens == 1024
    assert config.checkpoints[0].name == "two"
    assert config.dataset.limit == 3


def test_everything_wrong_is_reported_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "dataset:\n  path: gone.jsonl\n  splitt: test\n"
        "checkpoints:\n  - name: one\n    path: nowhere\n"
        "conditions: [modle]\n"
        "evaluation:\n  workers: many\n"
        "evalution: {}\n"
        "output: out\n"
    )
    with pytest.raises(InputError) as caught:
        load_run_file(path)
    message = str(caught.value)
    assert "line 3: unknown key dataset.splitt; did you mean split?" in message
    assert "line 2: dataset.path: no such file" in message
    assert "line 6: checkpoints.0.path:" in message
    assert "no config.json" in message
    assert "line 7: conditions.0" in message
    assert "did you mean model?" in message
    assert "line 9: evaluation.workers" in message
    assert "'many'" in message
    assert "line 10: unknown key evalution; did you mean evaluation?" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("just text", "a run file is a mapping"),
        ("a: [", "not YAML"),
        ("dataset: {path: some/hub-id}\noutput: out", "nothing to evaluate"),
        ("dataset: {path: some/hub-id}\noutput: out\nreferences: [gold]\ncheckpoints: [{name: a}]", "either a path"),
        (
            "dataset: {path: some/hub-id}\noutput: out\n"
            "checkpoints: [{name: a, endpoint: 'http://x/v1'}, {name: a, endpoint: 'http://y/v1'}]",
            "a comes more than once",
        ),
        (
            "dataset: {path: some/hub-id}\noutput: out\ncheckpoints: [{name: gold, endpoint: 'http://x/v1'}]",
            "gold names a reference row",
        ),
        ("dataset: {path: some/hub-id}\nreferences: [gold]", "missing key output"),
        (
            "dataset: {path: x/y}\noutput: o\ncheckpoints: [{name: ../up, endpoint: 'http://x/v1'}]",
            r"checkpoints\.0\.name: at most 100 letters, digits",
        ),
        ("dataset: {path: x/y}\noutput: o\nreferences: gold", r"line 3: references: give a list, such as \[a, b\]"),
        ("dataset: x/y\noutput: o", r"line 1: dataset: give a mapping, such as \{key: value\}"),
        ("dataset: {path: x/y, pathh: z}\noutput: o", r"line 1: unknown key dataset\.pathh; did you mean path\?"),
        (
            "dataset: {path: x/y}\noutput: o\ncheckpoints: [{name: a, paths: b}]",
            r"unknown key checkpoints\.0\.paths; did you mean path\?",
        ),
        ("dataset: {path: x/y}\noutput: o\ncheckpoints: [{name: a, endpoint: nourl}]", "a URL such as http://"),
        (
            "dataset: {path: x/y}\noutput: o\ncheckpoints: [{name: a, endpoint: 'http://x/v1/chat/completions'}]",
            "the address ahead of /chat/completions, so http://x/v1",
        ),
        (
            "dataset: {path: x/y}\noutput: o\nconditions: []\ncheckpoints: [{name: a, endpoint: 'http://x/v1'}]",
            "name at least one, or leave the key out",
        ),
        *(
            (
                f"dataset: {{path: x/y}}\noutput: o\nreferences: [gold]\nsampling: {{repair: {{{wrong}}}}}",
                rf"line 4: sampling\.repair\.{wrong.partition(':')[0]}: Input should be",
            )
            for wrong in ("temperature: -1", "temperature: .nan", "top_p: 0", "top_p: 2", "max_tokens: 0", "seed: -1")
        ),
    ],
)
def test_bad_run_files(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=expected):
        load_run_file(path)


@pytest.mark.parametrize("keys", ["{gpus: [0-3]}", "{ahead: 1}", "{switch: reload}"])
def test_what_places_servers_on_this_machine_is_refused_on_a_cluster(run_file: Path, keys: str) -> None:
    settings = ["evaluation.executor=ray", f"serving={keys}"]
    with pytest.raises(InputError, match=f"serving.{keys[1:].partition(':')[0]}.*: for servers on this machine"):
        load_run_file(run_file, settings)
    load_run_file(run_file, settings[1:])
    elsewhere = ["checkpoints=[{name: a, endpoint: 'http://x/v1'}]"]
    assert load_run_file(run_file, settings + elsewhere).evaluation.executor == "ray"


def test_missing_run_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such run file"):
        load_run_file(tmp_path / "none.yaml")


def test_what_an_override_set_wrongly_is_not_put_to_the_file(run_file: Path) -> None:
    overrides = ["checkpoints=[{name: mine, path: nowhere}]", "evaluation.workers=many", "evaluation.workers=few"]
    with pytest.raises(InputError) as caught:
        load_run_file(run_file, overrides)
    message = str(caught.value)
    assert "override checkpoints: checkpoints.0.path: nowhere is not a checkpoint" in message
    assert "override evaluation.workers: evaluation.workers: " in message
    assert "(given: 'few')" in message
    assert "line " not in message


@pytest.mark.parametrize("override", ["workers", "=4", "output.sub=1", "dataset.limit=[1", "dataset.limit=2020-99-99"])
def test_bad_overrides(run_file: Path, override: str) -> None:
    with pytest.raises(InputError, match="override"):
        load_run_file(run_file, [override])


def test_configuration_can_be_frozen_and_read_again(run_file: Path, tmp_path: Path) -> None:
    config = load_run_file(run_file)
    frozen = yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))
    assert RunConfig.model_validate(frozen) == config


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("dataset: {{path: hub/name,\n {}}}\nreferences: [gold]", "dataset.recipes"),
        ("dataset: {{\n {}}}\nreferences: [gold]", "dataset.path"),
        ("dataset: {{path: hub/name}}\nevaluation: {{{}}}\nreferences: [gold]", "evaluation.calibration"),
        ("dataset: {{path: hub/name}}\ncheckpoints: [{{name: a, {}}}]", "checkpoints.0.answers"),
        ("dataset: {{path: hub/name}}\ncheckpoints: [{{name: a, path: ., {}}}]", "checkpoints.0.packing_metrics"),
    ],
)
@pytest.mark.parametrize("name", ["file.jsonl", "a" * 300 + ".jsonl"])
def test_a_file_is_found_from_the_run_file_and_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, key: str, name: str
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(section.format(f"{key.rpartition('.')[2]}: {name}") + "\noutput: out\n", encoding="utf-8")
    (tmp_path / "config.json").touch()
    with pytest.raises(InputError) as caught:
        load_run_file(path)
    assert str(caught.value) == f"{path}: line 2: {key}: no such file: {tmp_path / name}"
    if len(name) > 255:
        return
    (tmp_path / name).touch()
    found: object = load_run_file(path).model_dump()
    for part in key.split("."):
        found = found[int(part)] if isinstance(found, tuple) else dict(found)[part]  # type: ignore[call-overload]
    assert Path(str(found)) == tmp_path / name
    monkeypatch.chdir(tmp_path)  # where the same file would be found by an override
    with pytest.raises(InputError, match=f"override {key}: {key}: no such file: other"):
        load_run_file(path, [f"{key}=other.jsonl"])


def test_a_prompt_set_keeps_its_slash_when_the_run_file_lies_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "dataset: {path: hub/name}\nreferences: [gold]\noutput: out\nprompts: "
    for written, wanted in [("./agentless", "./agentless"), ("agentless", "agentless"), ("./own/", "./own")]:
        Path("run.yaml").write_text(text + written, encoding="utf-8")
        assert load_run_file(Path("run.yaml")).prompts == wanted
        assert load_run_file(Path("run.yaml"), ["prompts=./agentless"]).prompts == "./agentless"
    Path("run.yaml").write_text(text + "./agentless", encoding="utf-8")
    assert load_run_file(tmp_path / "run.yaml").prompts == str(tmp_path / "agentless")
    assert load_run_file(Path("run.yaml"), ["prompts=compact"]).prompts == "compact"


def test_a_frozen_configuration_is_read_where_its_files_are_not(run_file: Path) -> None:
    frozen = load_run_file(run_file).model_dump(mode="json")
    for path in ("rows.jsonl", "weights/config.json"):
        (run_file.parent / path).unlink()
    assert RunConfig.model_validate(frozen).model_dump(mode="json") == frozen
    with pytest.raises(InputError, match=r"no such file.*no config\.json"):
        load_run_file(run_file)


def test_a_checkpoints_strategy_is_read_under_its_old_name_with_one_line(
    run_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_run_file(run_file).checkpoints[0].strategy == "best-fit"
    assert caplog.messages == []
    run_file.write_text(run_file.read_text().replace("strategy:", "packing:"))
    assert load_run_file(run_file).checkpoints[0].strategy == "best-fit"
    assert caplog.messages == ["checkpoint one: the key packing is called strategy now"]
    with pytest.raises(InputError, match=r"line 4: checkpoints\.0: packing is the old name of strategy"):
        load_run_file(run_file, ["checkpoints.0.strategy=other"])


def test_keys_that_yaml_merges_in_are_read(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "dataset: {path: hub/name}\noutput: out\ncheckpoints:\n"
        "- &one {name: a, endpoint: 'http://h/v1', model: m}\n- {<<: *one, name: b}\n",
        encoding="utf-8",
    )
    assert [(c.name, c.model) for c in load_run_file(path).checkpoints] == [("a", "m"), ("b", "m")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"# caf\xe9\n", "not YAML"),
        (b"output: 2020-99-99\n", "not YAML"),
        (b"x: " + b"[" * 2000, "not YAML"),
        (b"references: [gold]\nreferences: [empty]\n", "line 2: references"),
        (b"dataset: &a {path: hub/name, self: *a, path: b}\n", "line 1: path"),
        (b"checkpoints: 5\noutput: o\n", "checkpoints"),
        (b"dataset: {path: a/b}\nreferences: [gold]\noutput: o\nevaluation: {timeout: .inf}\n", "evaluation.timeout"),
        (b"dataset: {path: a/b}\nreferences: [gold]\noutput: o\nevaluation: {memory: 99999999999999}\n", "memory"),
        (b"checkpoints: [{name: a, packing_metrics: {padding: x}}]\n", r"0.packing_metrics.padding: Input should be"),
        (b"checkpoints: [{name: a, packing_metrics: 5}]\n", r"line 1: checkpoints.0.packing_metrics: give a path"),
    ],
)
def test_damaged_run_files(tmp_path: Path, text: bytes, expected: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(text)
    with pytest.raises(InputError, match=expected):
        load_run_file(path)


@pytest.mark.parametrize(
    ("made", "named", "expected"),
    [
        ("model/weights.gguf", "model", "it is GGUF: write it as a folder with transformers"),
        ("model/weights.gguf", "model/weights.gguf", "gguf_file=NAME"),
        ("model/adapter_config.json", "model", "it is an adapter: give the weights that it was trained on as base"),
        ("model/README.md", "model", "it has no config.json"),
        ("model/README.md", "Qwen/Qwen2.5-0.5B", "hf download Qwen/Qwen2.5-0.5B --local-dir DIR"),
    ],
)
def test_weights_in_another_form_are_told_with_what_to_do(tmp_path: Path, made: str, named: str, expected: str) -> None:
    (tmp_path / made).parent.mkdir()
    (tmp_path / made).write_text("{}")
    rows = tmp_path / "rows.jsonl"
    rows.write_text("")
    run = {"dataset": {"path": str(rows)}, "checkpoints": [{"name": "a", "path": named}], "output": "out"}
    (tmp_path / "run.yaml").write_text(json.dumps(run))
    with pytest.raises(InputError) as caught:
        load_run_file(tmp_path / "run.yaml")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
