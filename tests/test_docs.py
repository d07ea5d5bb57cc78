"""The pages beside the code: links, commands, paths, places to change, and the form of their sentences."""

import ast
import doctest
import importlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import typer
import yaml
from pydantic import BaseModel
from test_house import FLOORS

from harness.cli import app as harness_app
from harness.config.schema import RunConfig
from harness.core.candidate import Candidate
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
from lab.__main__ import app as lab_app

ROOT = Path(__file__).parent.parent
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted(ROOT.glob("docs/*.md"))]

INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?:    .*(?:\n|\Z)|\n(?=    ))+")  # a code block without a fence
FENCED = re.compile(r"^```(\w*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`]+)`")
PATH = re.compile(
    r"(?:harness|lab|tests|docs|docker|prompts|benchmarks|scripts|examples|checkpoints|results/reference)/[\w./+-]*"
)
KEY = re.compile(r"(?:dataset|checkpoints|sampling|localization|validation|serving|evaluation)\.[\w.]*\w(?=$|[=: ])")
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
LONGEST = 30  # words of a sentence
TRAIL = {
    "instance_id", "localization", "locations", "candidates", "selected", "pool", "votes", "voters", "validation",
    "verdicts",
}  # fmt: skip
EMPTY_ROW = SummaryRow(
    "a", None, {}, None, 1, 0, 0, Interval(0.0, 1.0), 0, 1, None, 0, 0, 0, 0.0, 0.0, {}, {}
)  # of a table without packing metrics
PHRASES = re.compile(  # what nobody says
    r"\b(?:to be had|can be had|tells? (?:whether|which|of|in a line)|of one's own|(?:is|are) (?:wanted|told)"
    r"|where (?:not|none|no|nothing|it is not|there (?:is|are)))\b",
    re.IGNORECASE,
)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_blocks(text: str) -> list[str]:
    """The code blocks of a page, fenced or indented."""
    fenced = [found[2] for found in FENCED.finditer(text)]
    return fenced + [block for block in INDENTED.findall(FENCED.sub("\n", text)) if block.strip()]


def prose(text: str) -> str:
    """A page without its code blocks."""
    return INDENTED.sub("\n", FENCED.sub("\n", text))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = next(n for n in range(len(found) + 1) if (f"{slug}-{n}" if n else slug) not in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


def broken_links(page: Path, text: str) -> list[str]:
    broken = []
    for link in LINK.findall(prose(text)):
        place, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / place if place else page
        if not target.exists() or (anchor and anchor not in anchors(read(target) if place else text)):
            broken.append(link)
    return broken


def commands(app: typer.Typer, name: str) -> dict[str, Any]:
    """Every command of an app by its whole name."""

    def below(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        for word, sub in (inner or {}).items():
            yield from below(sub, f"{name} {word}")

    return dict(below(typer.main.get_command(app), name))


COMMANDS = commands(harness_app, "harness") | commands(lab_app, "python -m lab")


def wrong_command(line: str) -> str:
    """What is wrong with a command line of ours; empty if nothing is, or if it is not one of ours."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return ""
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words.pop(0)
    if words[:1] == ["make"]:
        unknown = [word for word in words[1:] if word not in TARGET.findall(read(ROOT / "Makefile"))]
        return f"no target {unknown[0]}" if unknown else ""
    if words and Path(words[0]).name in ("python", "harness"):
        words[0] = Path(words[0]).name
    if words[:1] == ["python"] and len(words) > 1 and words[1].startswith("benchmarks/"):
        return "" if words[1] == "benchmarks/NAME.py" or (ROOT / words[1]).is_file() else f"no file {words[1]}"
    if words[:1] != ["harness"] and words[:3] != ["python", "-m", "lab"]:
        return ""
    name = next((n for n in COMMANDS if words[: len(n.split())] == n.split()), None)
    if name is None:
        return f"no command {' '.join(words[:3])}"
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
    given = [word.partition("=")[0] for word in words[len(name.split()) :] if re.match(r"--?[A-Za-z]", word)]
    return next((f"no option {option} of {name}" for option in given if option not in known), "")


def wrong_commands(text: str) -> list[str]:
    lines = [line.strip() for block in code_blocks(text) for line in block.splitlines()]
    spans = [span.replace("\n", " ") for span in SPAN.findall(prose(text)) if re.match(r"(harness|make|python) ", span)]
    spans = [span for span in spans if not re.fullmatch(r"(harness|python -m lab)( images)?", span)]
    return [f"{line}: {wrong}" for line in (*lines, *spans) if (wrong := wrong_command(line))]


def missing_paths(text: str) -> list[str]:
    spans = {span for span in SPAN.findall(prose(text)) if PATH.fullmatch(span)}
    return sorted(span for span in spans if not (ROOT / span).exists())


def is_key(parts: list[str], kind: Any = RunConfig) -> bool:
    """Whether a run file may have the key that these parts lead to, below ``kind``."""
    if not parts:
        return True
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return parts[0] in kind.model_fields and is_key(parts[1:], kind.model_fields[parts[0]].annotation)
    rest = parts[1:] if get_origin(kind) in (tuple, list, dict) else parts
    return any(is_key(rest, inner) for inner in get_args(kind))


def unknown_keys(text: str) -> list[str]:
    """Keys of the run file that a page names and that no run file may have."""
    said = [span for span in SPAN.findall(prose(text)) if not PATH.fullmatch(span)]
    lines = [line for block in code_blocks(text) for line in block.splitlines() if " run" in line]
    said += [word for line in lines for word in line.split()]
    keys = {found[0] for word in said if (found := KEY.match(word)) and not found[0].endswith("KEY")}
    return sorted(key for key in keys if not is_key(key.split(".")))


def sentences(text: str) -> list[str]:
    """The sentences of paragraphs, list items and table cells; code, links and numbers count as a word each."""
    text = re.sub(r"^#.*$", "", prose(text), flags=re.MULTILINE)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", SPAN.sub("CODE", text))
    text = re.sub(r"^ *(?:[-*]|\d+\.) +", "\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"^\|(.*)\|$", lambda row: "\n\n" + row[1].replace(" | ", "\n\n"), text, flags=re.MULTILINE)
    parts = [part for block in re.split(r"\n\s*\n", text) for part in re.split(r"(?<=[.!?:])\**\s+", block)]
    return [" ".join(part.split()) for part in parts if part.strip(" |-\n")]


def long_sentences(text: str) -> list[str]:
    return [sentence for sentence in sentences(text) if len(re.findall(r"\w[\w'.,-]*", sentence)) > LONGEST]


def uneven_tables(text: str) -> list[str]:
    """Rows of tables that have another number of cells than the line above them."""
    lines = [(line, len(re.findall(r"(?<!\\)\|", line))) for line in prose(text).splitlines()]
    return [line for (above, bars), (line, own) in pairwise(lines) if above[:1] == line[:1] == "|" and bars != own]


def odd_phrases(text: str) -> list[str]:
    return [" ".join(found[0].split()) for found in PHRASES.finditer(SPAN.sub("", prose(text)))]


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
