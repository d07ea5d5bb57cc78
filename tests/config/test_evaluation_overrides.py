"""What a command line without a run file says of evaluation: flags, and overrides over them."""

import json
from pathlib import Path

import pytest

from harness.config.load import load_evaluation, load_run_file
from harness.config.schema import EvaluationConfig
from harness.errors import InputError

PIN = f"sha256:{'a' * 64}"


def test_a_flag_that_is_not_given_overwrites_nothing() -> None:
    given = {"workers": None, "timeout": None, "pull": None, "images.registries": None, "images.pulls": None}
    assert load_evaluation(given) == EvaluationConfig()
    assert load_evaluation({**given, "images.mirror": "m:1"}).images.pulls == EvaluationConfig().images.pulls


def test_every_key_of_a_run_files_evaluation_can_be_given_and_wins_over_the_flag(tmp_path: Path) -> None:
    pins = tmp_path / "pins.json"
    pins.write_text(json.dumps({"owner__name-1": PIN}))
    overrides = ["evaluation.memory=8192", "evaluation.cpus=2.5", "evaluation.network=true", "evaluation.timeout=60"]
    flags = {"workers": 2, "timeout": 5.0, "images.registries": ["r/ns"]}
    found = load_evaluation(flags, [*overrides, "evaluation.images.pulls=7"], pins)
    assert found.model_dump(exclude_defaults=True) == {
        "workers": 2,
        "timeout": 60.0,
        "memory": 8192,
        "cpus": 2.5,
        "network": True,
        "images": {"registries": ("r/ns",), "pins": {"owner__name-1": PIN}, "pulls": 7},
    }


@pytest.mark.parametrize(
    "override",
    [
        "evaluation.memory=many",
        "evaluation.memry=1",
        "evaluation.memory=63",
        "evaluation.calibration=gone.json",
        "evaluation.images.mirror=r/{name}",
        "evaluation.images.registries=[r/x, 5]",
        "evaluation.memory",
        "evaluation.memory.of=1",
        "evaluation=5",
    ],
)
def test_the_messages_are_those_of_a_run_file(tmp_path: Path, override: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text("dataset: {path: a/b}\nreferences: [gold]\noutput: o\nevaluation: {memory: 4096}\n")
    with pytest.raises(InputError) as in_file:
        load_run_file(path, [override])
    with pytest.raises(InputError) as on_line:
        load_evaluation({"memory": 4096}, [override])
    assert str(on_line.value) == str(in_file.value).removeprefix(f"{path}: ")
    assert "override" in str(on_line.value)


def test_only_evaluation_can_be_set() -> None:
    with pytest.raises(InputError, match=r"override memory: unknown key memory; known: evaluation"):
        load_evaluation({}, ["memory=5"])
    with pytest.raises(InputError, match=r"unknown key evalution; did you mean evaluation"):
        load_evaluation({}, ["evalution.memory=5"])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            {"images.registries": ["https://ghcr.io"]},
            "evaluation.images.registries: https://ghcr.io: a registry is host",
        ),
        ({"images.registries": ["r/{id}"]}, r"no place {id}"),
        ({"images.registries": ["r/{"]}, "Single '{'"),
        ({"images.mirror": "r/{name}"}, "^evaluation.images.mirror: a mirror is"),
        ({"images.mirror": "a b"}, "evaluation.images.mirror: a b: a registry is host"),
        ({"timeout": 0.0, "workers": 0}, "evaluation.workers: .* | evaluation.timeout: "),
    ],
)
def test_flags_that_can_not_be(flags: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        load_evaluation(flags)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", r"pins.json: evaluation\.images\.pins: give a mapping"),
        ('{"a": "sha256:1"}', r"pins.json: evaluation\.images\.pins\.a: "),
        (None, "can't read"),
    ],
)
def test_pins_that_can_not_be(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "pins.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=said):
        load_evaluation({}, pins=path)
