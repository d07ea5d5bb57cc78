"""Lists of files and of places in more shapes that models write, each with what it means."""

import json

import pytest

from harness.core.location import resolve_path
from harness.localize.places import read_places, resolve_places
from harness.model.answers import read_file_names
from harness.reading.path_names import path_of_line
from harness.repo.symbols import parse_elements

A, B = BOTH = ["src/app.py", "src/core/engine.py"]
PATHS = (*BOTH, "docs/guide.md", "src/core/util.py")
WEB = "https://github.com/org/repo"
SOURCE = (
    "LIMIT = 3\n\n\nclass Engine(Base):\n    def run(self, a):\n        return a\n\n    def stop(self):\n"
    "        pass\n\n\ndef load(path):\n    return path\n\n\nclass Reader:\n    def run(self):\n        return 1\n"
    + "# x\n"
    * 80
)
ENGINE, RUN, STOP, LOAD = [4, 9], [5, 6], [8, 9], [12, 13]


@pytest.mark.parametrize(
    "text",
    [
        f"{WEB}/blob/main/{A}\n- [engine]({WEB}/blob/v1.2/{B}#L3)\n",
        "src.app\nsrc.core.engine\n",
        f"{A}—entry point\n{B}—engine\n",
        f"{A}#App\n{B}@30\n",
        f"1.{A}\n-{B}\n",
        f"{A} (most relevant), {B} (helper)",
        json.dumps({"answer": f"{A}\n{B}"}),
        f"- [{A}](./{A})\n- [{B}](./{B})\n",
        f"> Thinking\n> docs/guide.md?\n\n{A}\n{B}\n",
        f"{A}\n{B}\n\nIssue: Another thing\n\ndocs/guide.md\n",
        json.dumps([[A], {"more": [B]}]),
        f"\u200b{A}\n{B}",
        f"«{A}»\n“{B}”\n",
        f"1. {A}：入口\n2. {B}：引擎\n",
        f"{A}，{B}\n",
        f"{A} 和 {B}\n",
        f"・{A}\n・{B}\n",
        f"✅ {A}\n✅ {B}\n",
        f"1/2 {A}\n2/2 {B}\n",
        f'<ul><li><a href="{A}">{A}</a></li><li><code>{B}</code></li></ul>',
        "`src.app` and `src.core.engine`",
        f"{A}?\n{B}!\n",
        f"file1={A}\nfile2={B}\n",
        "src/{app,core/engine}.py",
        f"{A}\n{B}\n~~docs/guide.md~~\n",
        f"{A}\n{B}\n\nNot needed: docs/guide.md\n",
        f"1. {A}\n2. {B}\n\ndocs/guide.md is not relevant.\n",
        f"I would not change anything but {A} and {B}.",
        f"- {A}: does not close the file\n- {B}: isn't called\n",
        f"1,{A},starts\n2,{B},runs the engine\n",
        f"1;{A};starts\n2;{B};runs\n",
        f"high,{A},0.9\nlow,{B},0.1\n",
        f'"1","{A}","starts"\n"2","{B}","runs, and stops"\n',
        f"```\n1,{A},starts\n2,{B},it runs, stops\n```\n",
        f"{A},{B},both\n",
        f"{A} (and {B})\n",
        f"- `{A}` (and also {B})\n",
        f"1. {A} (with {B}, docs/none.md)\n",
        f"{A} (plus its engine `{B}`)\n",
        f"{A}, and maybe {B}\n",
        f"{A} together with {B}\n",
        f"{A} (calls docs/guide.md)\n{B} (and not docs/guide.md)\n",
        f"<{A}>\n<{B}>\n",
        f"{A}…\n{B}…\n",
        f"{A}[^1]\n{B}[^2]\n\n[^1]: where it begins\n",
        json.dumps({"files": f"{A}, {B}"}),
        f"Edit:\n- {A}\n- {B}\n\nDo not edit:\n- docs/guide.md\n",
        f"Files to modify:\n{A}\n{B}\n\nFiles that do not need changes:\ndocs/guide.md\n",
        f"## Relevant\n1. {A}\n2. {B}\n\n## Not relevant\n1. docs/guide.md\n",
        f"Not relevant:\n- docs/guide.md\n\nRelevant:\n- {A}\n- {B}\n",
        f"{A}\n\n```python\nfrom app import run\nopen('gone.cfg')\n```\n\n{B}\n",
    ],
)
def test_a_list_of_files_is_read_as_it_is_meant(text):
    names = (resolve_path(name, PATHS) for name in read_file_names(text))
    assert list(dict.fromkeys(name for name in names if name)) == BOTH


@pytest.mark.parametrize(
    "text",
    [f"1,{A},starts", f"{A} (and {B})", f"{A},{B},both", f"{A} (uses {B})", f"```\nrank,path,reason\n1,{A},x\n```"],
)
def test_what_stands_beside_a_path_is_never_part_of_its_name(text):
    assert set(read_file_names(text)) <= set(BOTH)
    assert read_file_names(text)[0] == A


@pytest.mark.parametrize(
    "text",
    [
        f"### `{A}`\n\nIt starts docs/guide.md rendering.\n\n### `{B}`\n\nThe engine.\n",
        f"{A}\n  - Why: it renders docs/guide.md now\n{B}\n",
        f"{A}\n{B}\n\n### Explanation\n\nThe guide (docs/guide.md) says so.\n",
    ],
)
def test_a_file_that_a_sentence_speaks_of_comes_behind_those_that_are_listed(text):
    assert [resolve_path(name, PATHS) for name in read_file_names(text)] == [*BOTH, "docs/guide.md"]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (f"{B}\nstart_line: 30\nend_line: 32\n", [[30, 32]]),
        (json.dumps({"file": B, "start_line": "30", "end_line": "32"}), [[30, 32]]),
        (f'<location file="{B}" start="30" end="32"/>', [[30, 32]]),
        (f'<location file="{B}" function="load" lines="30-32"/>', [LOAD, [30, 32]]),
        (f"<x><file>{B}</file><start_line>30</start_line><end_line>32</end_line></x>", [[30, 32]]),
        (f"{B}\n`run` method in the `Engine` class\n", [RUN]),
        (f"{B}\n- the `run` method of `Engine`\n", [RUN]),
        (f"{B}\n行号：30-32\n函数：load\n", [LOAD, [30, 32]]),
        (f"{B}\n第30行到第32行\n", [[30, 32]]),
        (f"{B}\nZeile 30\n", [[30, 30]]),
        (f"{B}\nentire file\n", [[1, SOURCE.count("\n")]]),
        (f"{B}\ntop-level: LIMIT\n", [[1, 1]]),
        ("src.core.engine:30\n", [[30, 30]]),
        ("src.core.engine.load\n", [LOAD]),
        ("`src.core.engine.Engine.run`\n", [RUN]),
        (f"The bug is in `{B}` at lines 30-32, in the `load` function.\n", [LOAD, [30, 32]]),
        (f'File "{B}", line 30, in load\n', [LOAD, [30, 30]]),
        (f"{B}\n@@ -30,3 +30,4 @@\n", [[30, 32]]),
        (f"{B}\n30|# x\n31|# x\n", [[30, 31]]),
        (f"📄 {B}\n🔧 function: load\n📍 line: 30\n", [LOAD, [30, 30]]),
        (f"{B}\nlines 30/31/32\n", [[30, 32]]),
        (f"[('{B}', 30), ('{B}', 40)]", [[30, 30], [40, 40]]),
        (json.dumps([f"{B}::Engine.run", f"{B}:30"]), [RUN, [30, 30]]),
        (f'{{"file": "{B}", "line": 30}}\n{{"file": "{B}", "line": 40}}\n', [[30, 30], [40, 40]]),
        (json.dumps({"locations": [{"path": B, "start_line": 30, "end_line": 40}]}), [[30, 40]]),
        (f"{B}\nsrc.core.engine.load\n", [LOAD]),
        (f"{B}\nengine.Engine.run\n", [RUN]),
        (f"{B}\nline：30\n", [[30, 30]]),
        (f"<location><file>{B}</file><function>load</function><line>30</line></location>", [LOAD, [30, 30]]),
        (f'<file path="{B}"><function name="load"/></file>\n', [LOAD]),
        (f"{B}\nclass: Engine\nmethod: run\n", [ENGINE]),
        (f"{B}\nMethod `run` of class `Engine`\n", [RUN]),
        (f"{B}\n`Engine.run` and `Engine.stop`\n", [RUN, STOP]),
        (f"{B}\nlines: 40 -- 42\n", [[40, 42]]),
        (f"{WEB}/blob/main/{B}#L40-L42\n", [[40, 42]]),
        (f"{B}\nline: 40\n{B}\nline: 40\nline: 50\n", [[40, 40], [50, 50]]),
        (f"{B}\nline: 40\n\nIssue: Another\n\n{B}\nline: 50\n", [[40, 40]]),
        (f"{B}\ndef load(path) -> None\n", [LOAD]),
        (f"{B}\n2 methods: Engine.run, Engine.stop\n", [RUN, STOP]),
        (f"{B}\nlines 40ff\n", [[40, 40]]),
        (f"{B}\nBetween line 40 and line 42.\n", [[40, 42]]),
        (f"{B}\nFrom line 40 down to 42\n", [[40, 42]]),
        (f"{B}\n40 | # x\n41 | # x\n", [[40, 41]]),
        (f"In {B}, line 30 sets it, and lines 40-42 use it.\n", [[30, 30], [40, 42]]),
        (f"<location><path>{B}</path><symbol>Engine.run</symbol></location>", [RUN]),
        (json.dumps({"files": [{"name": B, "edits": [{"lines": "40", "why": "3 times"}]}]}), [[40, 40]]),
        (json.dumps({"file": B, "range": {"start": {"line": 40, "column": 4}, "end": {"line": 42}}}), [[40, 42]]),
    ],
)
def test_places_are_read_as_they_are_meant(text, right):
    found = resolve_places(
        read_places(text), {B: SOURCE.count("\n")}, lambda _: parse_elements(SOURCE.encode(), "python")
    )
    assert [[list(interval) for interval in place.intervals] for place in found.locations] == [right]
    assert found.unresolved == ()


@pytest.mark.parametrize(
    "text",
    ["method: run\n", "lines 40xy\n", "nothing.like.it\n", "line: the last one\n", "symbol: gone\n", "line: 9999\n"],
)
def test_what_is_not_clear_leaves_a_trace(text):
    elements = parse_elements(SOURCE.encode(), "python")
    found = resolve_places(read_places(f"{B}\n{text}"), {B: SOURCE.count("\n")}, lambda _: elements)
    assert found.unresolved
    assert not found.locations


def test_several_files_on_a_line_have_their_own_lines():
    for text in (f"{A}: 3; {B}: 40\n", f"{A}:3, {B}:40\n"):
        assert [(place.path, place.name) for place in read_places(text)] == [(A, "3"), (B, "40")]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("src/core/\\_base.py", "src/core/_base.py"),
        ("**src/core/\\_\\_init\\_\\_.py**", "src/core/__init__.py"),
        ("src\\core\\_base.py", "src/core/_base.py"),
        ("\\_base.py", "_base.py"),
    ],
)
def test_underscores_that_markdown_escapes_are_no_slashes(written, meant):
    assert read_file_names(f"{written}\n") == (meant,)
    assert {place.path for place in read_places(f"{written}\nline: 3\n")} == {meant}
    assert path_of_line(written) == meant


@pytest.mark.parametrize(
    "line", ["{}", "`{}`", "1. {}", "- **{}**", "see {} here", "{} - why", "*{}*", "| {} | why |", "in {}."]
)
@pytest.mark.parametrize("name", ["_base.py", "__init__.py", "_vendor/x.py", "src/_base.py", ".github/x.yml"])
def test_a_path_keeps_the_signs_that_it_begins_with(line, name):
    """Without its underscore it meant another file, or none."""
    assert read_file_names(line.format(name) + "\n") == (name,)
    if not line.endswith((" here", ".")):
        assert {place.path for place in read_places(f"{line.format(name)}\nline: 3\n")} == {name}


@pytest.mark.parametrize("name", ["src/c++/x.cpp", "src/a+b.py", ".coveragerc", ".gitignore", "src/py.typed"])
def test_odd_names_are_whole(name):
    assert read_file_names(f"{name}\n- `{A}`\n") == (name, A)


@pytest.mark.parametrize(("below", "name"), [("- `fields`", "fields"), ("function: async load", "load")])
def test_names_that_are_words_of_labels_too(below, name):
    assert [place.name for place in read_places(f"{B}\n{below}\n")] == [name]


def test_what_is_not_needed_may_be_what_was_asked_for():
    text = f"Irrelevant:\n- docs/\n- tests/ (not needed)\n\nRelevant:\n- {A}\n"
    assert read_file_names(text, unneeded=True) == ("docs/", "tests/")
    assert read_file_names(text) == (A,)
    assert read_file_names("docs/ is irrelevant\ntests/ as well\n", unneeded=True) == ("docs/", "tests/")


def test_emphasis_is_no_part_of_a_path():
    for text in (f"_{A}_\n__{B}__\n", f"_{A}_, _{B}_\n"):
        assert read_file_names(text) == (A, B)


@pytest.mark.parametrize(
    "below",
    [
        *(
            "- `_run`, `__call__`",
            "_run, __call__",
            "_run and __call__",
            "[_run, __call__]",
            "functions: _run, __call__",
        ),
        *("_run\n__call__", "`_run()`\n`__call__()`", "- _run: 3\n- __call__: 4"),
    ],
)
def test_a_name_keeps_its_underscores(below):
    """``_run`` was ``run``, which is another function."""
    assert [place.name for place in read_places(f"{B}\n{below}\n") if place.kind != "line"] == ["_run", "__call__"]


def test_names_that_markdown_escapes():
    assert [place.name for place in read_places(f"{B}\nfunction: \\_load\\_all\n")] == ["_load_all"]


def test_a_dotted_name_means_a_module_only_if_it_is_one():
    assert resolve_path("src.core.util", PATHS) == "src/core/util.py"
    assert resolve_path("core.util", PATHS) == "src/core/util.py"
    assert resolve_path("Engine.run", PATHS) is None
