"""Lists of files and of places in more shapes that models write, each with what it means."""

import json

import pytest

from harness.core.location import resolve_path
from harness.localize.places import read_places, resolve_places
from harness.model.answers import read_file_names
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
    ],
)
def test_a_list_of_files_is_read_as_it_is_meant(text):
    names = (resolve_path(name, PATHS) for name in read_file_names(text))
    assert list(dict.fromkeys(name for name in names if name)) == BOTH


@pytest.mark.parametrize(
    ("text", "right"),
    [
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
    ],
)
def test_places_are_read_as_they_are_meant(text, right):
    found = resolve_places(
        read_places(text), {B: SOURCE.count("\n")}, lambda _: parse_elements(SOURCE.encode(), "python")
    )
    assert [[list(interval) for interval in place.intervals] for place in found.locations] == [right]
    assert found.unresolved == ()


@pytest.mark.parametrize("text", ["method: run\n", "nothing.like.it\n", "第10行\n", "line: 9999\n"])
def test_what_is_not_clear_leaves_a_trace(text):
    elements = parse_elements(SOURCE.encode(), "python")
    found = resolve_places(read_places(f"{B}\n{text}"), {B: SOURCE.count("\n")}, lambda _: elements)
    assert found.unresolved
    assert not found.locations


def test_a_dotted_name_means_a_module_only_if_it_is_one():
    assert resolve_path("src.core.util", PATHS) == "src/core/util.py"
    assert resolve_path("core.util", PATHS) == "src/core/util.py"
    assert resolve_path("Engine.run", PATHS) is None
