"""Checkpoints named by a pattern, and what makes several of them a group."""

import re

import pytest

from harness.config.load import load_run_file
from harness.core.groups import Variant, grouped, read_count, short_count
from harness.errors import InputError


@pytest.fixture
def run_file(tmp_path):
    def write(entry: str, *folders: str):
        for folder in folders:
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "config.json").write_text("{}")
        path = tmp_path / "run.yaml"
        path.write_text(f"dataset: {{path: hub/rows}}\noutput: out\ncheckpoints:\n  - {entry}\n")
        return path

    return write


def test_fields_of_a_path_are_read_in_natural_order(run_file, tmp_path):
    folders = [f"runs/{name}/step-{step}" for name in ("concat.seed0", "best-fit.seed1") for step in (100, 20)]
    (tmp_path / "runs" / "concat.seed0" / "step-300").mkdir(parents=True)  # without weights: not written yet
    entry = '{path: "runs/{strategy}.seed{seed}/step-{step}", server_args: [--max-model-len=64]}'
    found = load_run_file(run_file(entry, *folders)).checkpoints
    assert [(c.name, c.strategy, c.seed, c.step) for c in found] == [
        ("best-fit.seed1.step-20", "best-fit", 1, 20),
        ("best-fit.seed1.step-100", "best-fit", 1, 100),
        ("concat.seed0.step-20", "concat", 0, 20),
        ("concat.seed0.step-100", "concat", 0, 100),
    ]
    assert {c.server_args for c in found} == {("--max-model-len=64",)}
    assert found[0].path == tmp_path / "runs" / "best-fit.seed1" / "step-20"


def test_other_fields_are_labels_and_a_name_may_use_them(run_file):
    entry = '{path: "w/{lr}-{tokens}/*", name: "at-{tokens}-{lr}", strategy: best-fit, labels: {decay: 0.1}}'
    [found] = load_run_file(run_file(entry, "w/3e-4-1.5B/last")).checkpoints
    assert (found.name, found.labels, found.tokens) == ("at-1.5B-3e-4", {"lr": "3e-4", "decay": "0.1"}, 1.5e9)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('{path: "runs/step-*"}', r"line 4: checkpoints\.0\.path: no folder with a config\.json matches runs/step-\*"),
        ('{path: "a/{1}"}', r"line 4: checkpoints\.0\.path: \{1\} is no field"),
        ('{path: "a/{x}", name: "{y}"}', r"checkpoints\.0\.name: '\{y\}' has no field of path: a/\{x\}"),
        ('{path: "a/*", name: one}', "checkpoint names must differ, but one comes more than once"),
        ('{path: "a/*", chat: no}', r"line 4: checkpoints\.0\.chat: .*line 4: checkpoints\.1\.chat"),
        ('{path: "a/*", seed: 1}', r"b and c have one seed and nothing else distinguishes them; give them labels"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(run_file, entry, said):
    with pytest.raises(InputError, match=said) as error:
        load_run_file(run_file(entry, "a/b", "a/c"))
    assert "\n" not in str(error.value)


def test_seeds_are_one_group_and_all_else_sets_apart():
    variants = [
        Variant("a", "best-fit", {"lr": "1"}, seed=2),
        Variant("b", "best-fit", {"lr": "2"}, seed=0),
        Variant("c", "best-fit", {"lr": "1"}, seed=0),
        Variant("d", "best-fit", {"lr": "1"}, seed=0, step=5, tokens=2e9),
        Variant("best-fit", "best-fit"),
        Variant("e", "best-fit", seed=1),
        Variant("one.seed4", seed=4),
        Variant("one.seed3", seed=3),
    ]
    assert [(group.name, [member.name for member in group.members]) for group in grouped(variants)] == [
        ("best-fit, lr 1", ["c", "a"]),
        ("best-fit, lr 2", ["b"]),
        ("best-fit, lr 1, step 5, 2B tokens", ["d"]),
        ("best-fit", ["best-fit"]),
        ("best-fit seeds", ["e"]),
        ("one", ["one.seed3", "one.seed4"]),
    ]


@pytest.mark.parametrize(("count", "text"), [(950, "950"), (1.5e9, "1.5B"), (12_000, "12k"), (7.3e10, "73B")])
def test_counts_are_read_as_they_are_written(count, text):
    assert short_count(count) == text
    assert read_count(text) == read_count(text.lower()) == count


def test_what_is_no_count_is_refused():
    with pytest.raises(ValueError, match=re.escape("could not convert")):
        read_count("many")
