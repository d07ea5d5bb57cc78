import subprocess
import sys

import pytest

from harness.errors import InputError
from harness.localize.elements import SkeletonFile
from harness.localize.named_files import tree
from harness.model.prompts import Prompts
from harness.reading.formats import read_format
from harness.repair.source import Piece, ShownFile

INERT = "{{ 7 * 7 }} {% raise %} {# gone #} {{ undefined }} {% raw %}"
SETS = (
    "agentless",
    "compact",
    "compact-apply-patch",
    "compact-diff",
    "compact-str-replace",
    "compact-whole-file",
)
PLACES = ("localize_elements", "localize_folders", "localize_lines")


def localize_prompt(prompts: Prompts, issue: str = "It fails.", paths=("a.py",), left_out: int = 0) -> str:
    variables = {
        "issue": issue,
        "paths": paths,
        "tree": tree(paths),
        "left_out": left_out,
        "limit": 3,
        "names": lambda path: [],
        "root": "",
    }
    return prompts.render("localize_files", **variables)


def repair_prompt(prompts: Prompts, issue: str = "It fails.", files=()) -> str:
    return prompts.render("repair", issue=issue, files=files)


def place_prompt(prompts: Prompts, stage: str, issue: str = "It fails.", path: str = "a.py", text: str = "x") -> str:
    """A prompt of one of the later stages of localization, with one file or none in it."""
    if stage == "localize_folders":
        return prompts.render(stage, issue=issue, folders=[path] if path else [])
    shown = [SkeletonFile(path, text)] if path else []
    return prompts.render(stage, issue=issue, files=shown, pieces=shown)


def shown(path: str, text: str, length: int | None = None) -> ShownFile:
    lines = text.count("\n") + 1
    return ShownFile(path, length or lines, (Piece(1, lines, text),))


@pytest.fixture(params=SETS)
def prompts(request) -> Prompts:
    return Prompts(request.param)


def test_every_template_is_rendered_in_a_test(prompts):
    here, with_validation = ["localize_files", "repair", *PLACES], ["regression", "reproduction"]
    assert prompts.stages() == sorted(here + with_validation)


def test_issue_and_files_are_there(prompts):
    assert {"Größe → 0 💥", "src/ä.py"} <= set(
        localize_prompt(prompts, "Größe → 0 💥", ["src/ä.py"]).replace("  ä", "src/ä").split("\n")
    )
    text = repair_prompt(prompts, "Größe → 0 💥", [shown("src/ä.py", "größe = 0\nx")])
    assert "Größe → 0 💥\n" in text
    assert "src/ä.py" in text
    assert "größe = 0\nx\n" in text


def test_the_form_that_a_repair_prompt_asks_for_is_read_as_such(prompts):
    """An answer that is the prompt's own example, with a real path and real lines in it."""
    example = repair_prompt(prompts).replace("path/of/the/file.py", "path").partition("Rules for")[0]
    for shown, real in {
        "### path": "### a.py",
        "a/path": "a/a.py",
        "b/path": "b/a.py",
        "Update File: path": "Update File: a.py",
        "<path>path<": "<path>a.py<",
        "\npath\n": "\na.py\n",
        "all lines\n": "the new\n",
    }.items():
        example = example.replace(shown, real)
    reading = read_format(example, prompts.settings.answer)
    assert not reading.problems
    assert [edit.path for edit in reading.edits] == ["a.py"]
    assert not read_format("Nothing.", prompts.settings.answer).edits


def test_nothing_to_show(prompts):
    assert localize_prompt(prompts, "", [])
    assert repair_prompt(prompts, "", [])


def test_one_enormous_file(prompts):
    text = "\n".join(f"line_{i} = {i}" for i in range(200_000))
    assert text in repair_prompt(prompts, files=[shown("a.py", text)])


def test_template_syntax_in_data_is_inert(prompts):
    assert INERT in localize_prompt(prompts, INERT)
    assert INERT in localize_prompt(prompts, paths=[INERT])
    text = repair_prompt(prompts, INERT, [shown(INERT, f"1 {INERT}")])
    assert text.count(INERT) == 3


@pytest.mark.parametrize("stage", PLACES)
def test_later_stages_of_localization_at_their_boundaries(prompts, stage):
    assert place_prompt(prompts, stage, "", "")
    assert "Größe → 0 💥\n" in place_prompt(prompts, stage, "Größe → 0 💥")
    assert "src/ä" in place_prompt(prompts, stage, path="src/ä")
    assert place_prompt(prompts, stage, INERT, INERT).count(INERT) == 2
    assert "?" in place_prompt(prompts, stage, path="\udcff")
    if stage != "localize_folders":
        enormous = "\n".join(f"{i}|line_{i}" for i in range(200_000))
        assert f"{enormous}\n" in place_prompt(prompts, stage, text=enormous)
        assert INERT in place_prompt(prompts, stage, text=INERT)


def test_a_prompt_is_valid_unicode(prompts):
    """A path or an issue may hold lone surrogates; a request that does can't be sent."""
    assert "?.py" in localize_prompt(prompts, "\ud800", ["\udcff.py"])


def test_the_lines_shown_are_named_where_some_are_missing():
    prompts = Prompts("agentless")
    assert "lines 1 to 2 of 9" in repair_prompt(prompts, files=[shown("a.py", "x\ny", 9)])
    assert "lines" not in repair_prompt(prompts, files=[shown("a.py", "x\ny")]).split("What to answer")[0]
    assert "4 files" in localize_prompt(prompts, left_out=4)


def test_a_folder_of_ones_own(tmp_path):
    (tmp_path / "repair.jinja").write_text("{{ issue }}!")
    own = Prompts(str(tmp_path))
    assert own.render("repair", issue="x", files=()) == "x!"
    with pytest.raises(InputError, match=r"has no localize_files.jinja; it has repair"):
        own.require(["repair", "localize_files"])


@pytest.mark.parametrize(("text", "reason"), [("{{ missing }}", "'missing' is undefined"), ("{% for %}", "Expected")])
def test_a_broken_template_is_the_users_error(tmp_path, text, reason):
    (tmp_path / "repair.jinja").write_text(text)
    with pytest.raises(InputError, match=f"repair.jinja: .*{reason}"):
        Prompts(str(tmp_path)).render("repair", issue="x")


def test_unknown_sets(tmp_path):
    with pytest.raises(InputError, match="no prompt set 'agentles'; did you mean agentless"):
        Prompts("agentles")
    with pytest.raises(InputError, match="known: agentless, compact, compact-apply-patch"):
        Prompts("zzz")
    with pytest.raises(InputError, match="no such folder"):
        Prompts(str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"holds no \*.jinja file"):
        Prompts(str(tmp_path))


def test_importing_the_stages_loads_nothing_heavy():
    code = (
        "import sys, harness.localize.stages, harness.repo.gold_locations, harness.repair.sample, "
        "harness.validate.select, "
        "harness.report.similarity; "
        "print(sorted({'jinja2', 'unidiff', 'cydifflib', 'git', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_set_names_the_format_of_its_answers_and_what_ends_them(tmp_path):
    (tmp_path / "repair.jinja").write_text("Fix {{ issue }}", encoding="utf-8")
    assert Prompts(f"{tmp_path}/").settings.answer == "search-replace"
    (tmp_path / "set.yaml").write_text("answer: diff\nstop:\n  repair: [Issue]\n", encoding="utf-8")
    prompts = Prompts(f"{tmp_path}/")
    assert (prompts.settings.answer, prompts.render("repair", issue="it").stop) == ("diff", ("Issue",))


def test_a_set_extends_another_by_name_or_by_a_path_beside_it(tmp_path):
    own, further = tmp_path / "own", tmp_path / "further"
    own.mkdir()
    further.mkdir()
    (own / "repair.jinja").write_text("mine", encoding="utf-8")
    (own / "set.yaml").write_text("extends: compact\nstop: {localize_files: [Issue]}\n", encoding="utf-8")
    prompts = Prompts(f"{own}/")
    assert prompts.stages() == Prompts("compact").stages()
    assert prompts.render("repair") == "mine"
    assert localize_prompt(prompts) == localize_prompt(Prompts("compact"))
    (own / "set.yaml").unlink()
    (further / "set.yaml").write_text("extends: ../own\n", encoding="utf-8")
    (further / "localize_files.jinja").write_text("which?", encoding="utf-8")
    assert Prompts(f"{further}/").render("repair") == "mine"
    with pytest.raises(InputError, match=r"has no regression.jinja; it has localize_files, repair"):
        Prompts(f"{further}/").require(["regression"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("extends: compakt\n", "no prompt set 'compakt'; did you mean compact"),
        ("extends: compact-diff\n", "compact-diff extends a set itself; name that one"),
        ("answer: prose\n", "set.yaml: answer: Input should be"),
        ("answers: diff\n", "set.yaml: answers: Extra inputs"),
        ("stop: {nowhere: [x]}\n", "set.yaml: stop: the set has no prompt for nowhere"),
        ("answer: [\n", "set.yaml: while parsing"),
        ("- answer\n", "set.yaml: "),
    ],
)
def test_wrong_settings_of_a_set_are_the_users_error(tmp_path, text, problem):
    (tmp_path / "repair.jinja").write_text("Fix it", encoding="utf-8")
    (tmp_path / "set.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=problem) as raised:
        Prompts(f"{tmp_path}/")
    assert len(str(raised.value).splitlines()) == 1
