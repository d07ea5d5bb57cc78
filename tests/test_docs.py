"""The pages beside the code: links, commands, paths, places to change, and the form of their sentences."""

import ast
import doctest
import importlib
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from pages import (
    COMMANDS,
    FENCED,
    LINK,
    ROOT,
    SPAN,
    TARGET,
    broken_links,
    long_sentences,
    missing_paths,
    odd_phrases,
    read,
    uneven_tables,
    unknown_keys,
    wrong_commands,
)
from test_house import FLOORS

from harness.config.schema import RunConfig
from harness.core.candidate import Candidate, Grade, Reason
from harness.core.interfaces import Cost
from harness.core.verdict import Outcome, Verdict
from harness.grading.exclusions import Calibrated, open_soundness
from harness.report.official import official_report
from harness.report.result_tables import csv
from harness.report.spread import Spread
from harness.report.stage_scores import StageRow
from harness.report.stage_tables import stages_csv
from harness.report.summary import SummaryRow
from harness.statistics.share import Interval

PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted(ROOT.glob("docs/*.md"))]

TRAIL = {
    "instance_id", "localization", "locations", "candidates", "selected", "pool", "votes", "voters", "validation",
    "verdicts", "answers",
}  # fmt: skip
EMPTY_ROW = SummaryRow(
    "a", None, {}, None, 1, 0, 0, Interval(0.0, 1.0), 0, 1, None, 0, 0, 0, 0.0, 0.0, {}, {}
)  # of a table without packing metrics


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_links_to_what_is_there_and_names_what_exists(page: Path) -> None:
    text = read(page)
    assert broken_links(page, text) == []
    assert wrong_commands(text) == []
    assert missing_paths(text) == []
    assert uneven_tables(text) == []
    assert unknown_keys(text) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_short_sentences_and_plain_words(page: Path) -> None:
    text = read(page)
    assert long_sentences(text) == []
    assert odd_phrases(text) == []


def test_the_checks_find_what_is_wrong() -> None:
    page = ROOT / "docs" / "README.md"
    text = "# One\n\n[a](#one) [b](#two) [c](gone.md) [d](images.md#pulling)\n"
    assert broken_links(page, text) == ["#two", "gone.md"]
    text = "Say `make demos` or `harness runs`.\n\n    harness run a.yaml --quick   # a comment\n\nAnd `make demo`.\n"
    assert wrong_commands(text) == [
        "harness run a.yaml --quick   # a comment: no option --quick of harness run",
        "make demos: no target demos",
        "harness runs: no command harness runs",
    ]
    assert wrong_commands("    X=1 make check\n    .venv/bin/python -m lab train a b c --seed 1\n") == []
    wrong = ["python benchmarks/gone.py: no file benchmarks/gone.py"]
    assert wrong_commands("```\npython benchmarks/gone.py\n```\n") == wrong
    assert uneven_tables("| a | b |\n|---|---|\n| 1 | 2 |\n| `x|y` | 3 |\n") == ["| `x|y` | 3 |"]
    text = "`evaluation.worker: 4`, `checkpoints.N.path`, `sampling.repair.seed`\n\n    harness run a serving.prot=1\n"
    assert unknown_keys(text) == ["evaluation.worker", "serving.prot"]
    assert missing_paths("`harness/cli.py` and `harness/gone.py`\n") == ["harness/gone.py"]
    assert long_sentences("Word " * 30 + "end. Short one.\n\n    " + "code " * 50 + "\n") == ["Word " * 30 + "end."]
    assert odd_phrases("The number that is\nto be had, `where not given`; where none is, it tells whether.\n") == [
        "to be had",
        "where none",
        "tells whether",
    ]


def test_no_text_cites_a_page_that_the_project_lacks() -> None:
    folders = ("harness", "lab", "benchmarks", "tests", "scripts", "examples", "docker", "prompts")
    cited = [
        (path, page)
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".sh", ".jinja", ".yaml", ".toml", ".scm")
        for page in re.findall(r"\b[A-Z]{3,}\.md\b", read(path))
    ]
    assert [(path, page) for path, page in cited if not (ROOT / page).is_file()] == []


def defined(path: Path, name: str) -> bool:
    """Whether a Python file defines that name on its top level."""
    for node in ast.parse(read(path)).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
        if name in {getattr(target, "name", getattr(target, "id", None)) for target in targets}:
            return True
    return False


def rows_below(text: str, heading: str) -> list[list[str]]:
    """The cells of the rows of the tables in that section, their heads left out."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    tables = re.findall(r"^\|.*\|\n\|[-| :]+\|\n((?:\|.*\|\n)+)", section, re.MULTILINE)
    return [line[2:-2].split(" | ") for table in tables for line in table.splitlines()]


def test_every_place_to_change_something_exists() -> None:
    rows = rows_below(read(ROOT / "docs" / "architecture.md"), "Where do I change ...")
    assert len(rows) > 25
    for question, place in rows:
        paths, _, names = place.partition(": ")
        for path in SPAN.findall(paths):
            assert (ROOT / path).exists(), question
            assert all(defined(ROOT / path, name) for name in SPAN.findall(names)), question


def test_the_rooms_on_the_page_are_those_of_the_floors() -> None:
    rows = rows_below(read(ROOT / "docs" / "architecture.md"), "The rooms")[: sum(map(len, FLOORS))]
    said = [(int(floor), room.strip("`")) for floor, room, _ in rows]
    assert said == [(len(FLOORS) - number, room) for number, floor in enumerate(FLOORS) for room in floor]


def option_problems(parameter: Any, said: str) -> bool:
    """Whether the page's word on a default is not the code's."""
    default = parameter.default
    if parameter.required or default is None:
        return (said == "required") != parameter.required or bool(re.fullmatch(r"`[^`]*`", said))
    if default is False:
        return said != "off"
    return said != f"`{getattr(default, 'value', default)}`"


def test_the_page_has_every_command_with_its_options_and_defaults() -> None:
    text = read(ROOT / "docs" / "commands.md")
    assert set(re.findall(r"^## `(.+)`$", text, re.MULTILINE)) == {*COMMANDS, "make"}
    for name, command in COMMANDS.items():
        rows = rows_below(text, f"`{name}`")
        parameters = {
            ", ".join(f"`{o if o.startswith('-') else o.upper()}`" for o in p.opts): p for p in command.params
        }
        assert [row[0] for row in rows] == list(parameters), name
        assert [row[0] for row in rows if option_problems(parameters[row[0]], row[1])] == [], name
    assert {row[0].strip("`") for row in rows_below(text, "`make`")} == set(TARGET.findall(read(ROOT / "Makefile")))


def test_the_examples_of_the_python_page_hold_and_its_names_can_be_imported() -> None:
    text = read(ROOT / "docs" / "python-api.md")
    examples = [example for kind, example in FENCED.findall(text) if kind == "python"]
    assert len(examples) == 3
    for example in examples:
        test = doctest.DocTestParser().get_doctest(example, {}, "python-api.md", None, None)
        assert doctest.DocTestRunner().run(test).failed == 0
    names = re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)
    assert len(names) > 15
    for name in names:
        module, _, attribute = name.rpartition(".")
        assert callable(getattr(importlib.import_module(module), attribute)), name


def test_the_page_of_verdicts_has_every_outcome() -> None:
    rows = rows_below(read(ROOT / "docs" / "verdicts.md"), "Outcomes")
    assert [row[0].strip("`") for row in rows] == [outcome.value for outcome in Outcome]


def test_the_page_of_answers_has_every_grade_and_reason() -> None:
    page = read(ROOT / "docs" / "answers.md")
    assert [row[0].strip("`") for row in rows_below(page, "Grades")] == [grade.value for grade in Grade]
    assert [row[0].strip("`") for row in rows_below(page, "Reasons")] == [reason.value for reason in Reason]


def keys_of(page: str, heading: str) -> set[str]:
    return {key for row in rows_below(page, heading) for key in SPAN.findall(row[0])}


def test_the_page_has_every_key_of_the_files_that_programs_read() -> None:
    page = read(ROOT / "docs" / "output-files.md")
    assert keys_of(page, "`verdicts.jsonl`") == {
        name for name, field in Verdict.model_fields.items() if not field.exclude
    }
    assert keys_of(page, "`calibration.json`") == set(Calibrated.model_fields)
    assert keys_of(page, "`repeats.json`") == {field.name for field in fields(Spread)}
    report = official_report([], {}, {}, open_soundness(None))
    own = {f"harness.{key}" for key in report.pop("harness")}
    assert keys_of(page, "`report.json`") == set(report) | own
    header = csv([EMPTY_ROW]).splitlines()[0].split(",")
    assert keys_of(page, "`table.csv`") - {"packing_<metric>"} == set(header)
    candidate = {*Candidate.model_fields, *(field.name for field in fields(Cost))} - {"vote", "cost"}
    assert keys_of(page, "`trail.jsonl`") - TRAIL == candidate


def test_the_page_has_every_score_of_the_stages() -> None:
    kinds = {(kind, 1): 0.5 for kind in ("file", "element", "line")}
    row = StageRow("a", "model", 1, kinds, kinds, {"x": 1}, 1, {"x": 1}, {"x": 1}, 1, {1: 0.5}, 0.5, 0.5)
    scores = {line.split(",")[2] for line in stages_csv([row]).splitlines()[1:]}
    said = keys_of(read(ROOT / "docs" / "output-files.md"), "`stages.csv`")
    assert {re.sub(r"<\w+>", "x", name).replace("@k", "@1") for name in said} == scores


def test_the_run_file_of_the_readme_is_one() -> None:
    [example] = [text for kind, text in FENCED.findall(read(ROOT / "README.md")) if kind == "yaml"]
    config = RunConfig.model_validate(yaml.safe_load(example))
    assert [checkpoint.name for checkpoint in config.checkpoints] == ["bfp-drop", "concat"]


def test_the_index_names_every_page() -> None:
    said = {Path(link).name for link in LINK.findall(read(ROOT / "docs" / "README.md"))}
    assert said == {page.name for page in PAGES} - {"README.md"}
