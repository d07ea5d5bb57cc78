from pathlib import Path

import pytest

from harness.config.load import load_run_file
from harness.config.presets import load_preset, merged, preset_names
from harness.config.presets_page import preset_page, preset_parameters
from harness.config.schema import RunConfig
from harness.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "presets.md"
NAMES = ("agentless-1.5", "agentless-mini", "qwen3-coder-next")


def load(folder: Path, text: str, *overrides: str) -> RunConfig:
    path = folder / "run.yaml"
    path.write_text(f"dataset: {{path: some/hub-id}}\nreferences: [gold]\noutput: out\n{text}")
    return load_run_file(path, overrides)


def test_the_presets_that_ship():
    assert preset_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_one_line_gives_every_setting_of_a_preset(tmp_path, name):
    config = load(tmp_path, f"preset: {name}\n").model_dump(mode="json")
    assert merged(config, load_preset(name)) == config
    assert config["preset"] == name


def test_the_orders_differ_where_the_pipelines_do(tmp_path):
    full, mini, report = (load(tmp_path, f"preset: {name}\n") for name in NAMES)
    assert (full.validation.reproduction.tests, mini.validation.reproduction.tests) == (1, 30)
    assert full.validation.regression.enabled
    assert mini.validation.regression.enabled
    assert not report.validation.regression.enabled
    assert report.validation.reproduction.samples == 0


def test_the_run_file_wins_over_its_preset_key_by_key_and_the_command_line_over_both(tmp_path):
    text = "preset: agentless-1.5\nsampling: {samples: 7}\nvalidation: {reproduction: {samples: 3}}\n"
    config = load(tmp_path, text, "validation.reproduction.samples=2")
    assert config.sampling.samples == 7
    assert config.sampling.files == 3
    assert config.validation.reproduction.samples == 2
    assert config.validation.reproduction.greedy
    assert config.validation.regression.enabled
    assert load(tmp_path, "", "preset=agentless-mini").sampling.repair.temperature == 1.0


def test_what_a_preset_does_not_say_is_the_default(tmp_path):
    assert load(tmp_path, "preset: agentless-mini\n").evaluation == load(tmp_path, "").evaluation


def test_an_unknown_preset_is_told_with_its_line(tmp_path):
    with pytest.raises(InputError, match=r"line 4: preset: no such preset; did you mean agentless-mini\?"):
        load(tmp_path, "preset: agentles-mini\n")
    with pytest.raises(InputError, match="preset"):
        load(tmp_path, "preset: [agentless-mini]\n")


def test_the_page_holds_every_parameter_of_every_preset():
    assert PAGE.read_text(encoding="utf-8") == preset_page(), "run `make presets`"
    for name in NAMES:
        section = PAGE.read_text(encoding="utf-8").split(f"## {name}\n")[1].split("\n## ")[0]
        for key, _, given in preset_parameters(name):
            assert f"| `{key}` | {'**' if given else ''}" in section
