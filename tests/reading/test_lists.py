"""Lists of files and of places in the forms that models give them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.answers import read_file_names
from harness.reading.file_lists import read_names
from harness.reading.place_lists import read_places

TWO = ("src/oven.py", "lib/dough.js")


@pytest.mark.parametrize(
    "text",
    [
        "src/oven.py\nlib/dough.js",
        "src/oven.py, lib/dough.js",
        "src/oven.py and lib/dough.js",
        "src/oven.py; lib/dough.js",
        "src/oven.py lib/dough.js",
        "`src/oven.py`, `lib/dough.js`",
        "Files: src/oven.py, lib/dough.js",
        "Files to edit: `src/oven.py` and `lib/dough.js`",
        "The files are src/oven.py and lib/dough.js.",
        "**Files:** src/oven.py, lib/dough.js",
        '["src/oven.py", "lib/dough.js"]',
        '```json\n["src/oven.py", "lib/dough.js"]\n```',
        '{"files": ["src/oven.py", "lib/dough.js"]}',
        'Here it is:\n{"files": [{"path": "src/oven.py", "why": "cools"}, {"path": "lib/dough.js", "why": "uses it"}]}',
        '{"src/oven.py": "cools", "lib/dough.js": "uses it"}',
        "| File | Reason |\n|---|---|\n| `src/oven.py` | cools |\n| lib/dough.js | uses it |",
        "| # | Path |\n|--:|:--|\n| 1 | src/oven.py |\n| 2 | lib/dough.js |",
        "- [ ] src/oven.py\n- [x] lib/dough.js",
        "[x] src/oven.py\n[ ] lib/dough.js",
        "- [src/oven.py](src/oven.py)\n- [lib/dough.js](lib/dough.js)",
        "1. **src/oven.py**: cools too far\n2. **lib/dough.js**: uses it",
        "**1.** src/oven.py\n**2.** lib/dough.js",
        "1) src/oven.py\n2) lib/dough.js",
        "(1) src/oven.py\n(2) lib/dough.js",
        "• src/oven.py\n• lib/dough.js",
        "src/oven.py # cools too far\nlib/dough.js # uses it",
        "src/oven.py  // cools too far\nlib/dough.js  // uses it",
        "src/oven.py - cools too far\nlib/dough.js - uses it",
        "src/oven.py: cools too far\nlib/dough.js: uses it",
        "src/oven.py (cools too far)\nlib/dough.js (uses it)",
        "src/oven.py <- here\nlib/dough.js <- and here",
        "src/oven.py — cools too far\nlib/dough.js — uses it",
        "Oven.cool (src/oven.py)\nDough.rest (lib/dough.js)",
        "`Oven.cool` in `src/oven.py`\n`Dough.rest` in `lib/dough.js`",
        "Oven.cool: src/oven.py\nDough.rest: lib/dough.js",
        "cool() in src/oven.py\nrest() in lib/dough.js",
        "1. `Oven.cool` → `src/oven.py`\n2. `Dough.rest` → `lib/dough.js`",
        "Most likely: src/oven.py\nThen: lib/dough.js",
        "File 1: src/oven.py\nFile 2: lib/dough.js",
        "File: `src/oven.py`\nPath: `lib/dough.js`",
        "### 1. src/oven.py\nIt cools.\n### 2. lib/dough.js\nIt rests.",
        "src/oven.py:12-30\nlib/dough.js:7",
        "src/oven.py#L12\nlib/dough.js#L7-L9",
        "src/oven.py::Oven::cool\nlib/dough.js::rest",
        "src/oven.py, lines 12 to 30\nlib/dough.js, line 7",
        '"src/oven.py",\n"lib/dough.js",',
        "'src/oven.py'\n'lib/dough.js'",
        "> src/oven.py\n> lib/dough.js",
        "<file>src/oven.py</file>\n<file>lib/dough.js</file>",
        '<file path="src/oven.py"/>\n<file path="lib/dough.js"/>',
        "Answer: src/oven.py, lib/dough.js",
        "Change src/oven.py first, then lib/dough.js.",
        "src\\oven.py\nlib\\dough.js",
        "src/oven.py\nlib/dough.js\n\n## The report\n\n<report>\nnew\n</report>\nsetup.py",
        "src/oven.py\nlib/dough.js<|im_end|>\n",
    ],
)
def test_two_files_are_named(text):
    assert read_names(text) == TWO


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("docs/my file.md", ("docs/my file.md",)),
        ("`my file.py`", ("my file.py",)),
        ("data/A.JSONL", ("data/A.JSONL",)),
        ("Makefile", ("Makefile",)),
        ("/testbed/src/oven.py", ("/testbed/src/oven.py",)),
        ("```\nsrc/oven.py\nthe dough module\n```", ("src/oven.py", "the dough module")),
        ("- src/oven.py\n- dough\n", ("src/oven.py", "dough")),
        ("docs/\ntests/", ("docs/", "tests/")),
        ("I can't tell.", ()),
        ("It is and/or a matter of 1/2.", ()),
    ],
)
def test_odd_names_are_named_and_nothing_is_lost(text, names):
    assert read_names(text) == names


def places(text: str) -> list[tuple[str, str]]:
    return [("line" if place.kind == "line" else "name", place.name) for place in read_places(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("lines: 10, 20", ["10", "20"]),
        ("lines: 10-12, 20-22", ["10-12", "20-22"]),
        ("lines: 10 and 12", ["10", "12"]),
        ("lines: 10, 12, and 14", ["10", "12", "14"]),
        ("lines: 10 through 12", ["10-12"]),
        ("lines: 10..12", ["10-12"]),
        ("lines: 10—12", ["10-12"]),
        ("lines: 10–12", ["10-12"]),
        ("lines: 10 to 12", ["10-12"]),
        ("lines: 10:12", ["10-12"]),
        ("line 10", ["10"]),
        ("lines 10-12", ["10-12"]),
        ("Line(s): 10", ["10"]),
        ("**line**: 10", ["10"]),
        ("**line: 10**", ["10"]),
        ("`line`: 10", ["10"]),
        ("`line: 10`", ["10"]),
        ("- **Lines:** 10-12", ["10-12"]),
        ("line: 10 - loses water", ["10"]),
        ("line: 10 (loses 5 of 7)", ["10"]),
        ("lines: 10 (loses), 12 (mixes)", ["10", "12"]),
        ("lines: [10, 12]", ["10", "12"]),
        ("line numbers: 10, 12", ["10", "12"]),
        ("lines: L10-L12", ["10-12"]),
        ("L10-L12", ["10-12"]),
        ("- 10-12", ["10-12"]),
        ("10-12", ["10-12"]),
        ("lines: 10 & 12", ["10", "12"]),
        ("lines: from 10 to 12", ["10-12"]),
        ("line: around 10", ["10"]),
        ("lines: 10-12: the loop; 20-22: the end", ["10-12", "20-22"]),
        ("lines:\n- 10\n- 12-14", ["10", "12-14"]),
        ("| line | why |\n|---|---|\n| 10 | x |", ["10"]),
    ],
)
def test_lines_are_read(text, names):
    assert places(f"src/oven.py\n{text}") == [("line", name) for name in names]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("method: Dough.rest", ["Dough.rest"]),
        ("methods: Dough.rest, Dough.mix", ["Dough.rest", "Dough.mix"]),
        ("functions: load and save", ["load", "save"]),
        ("**Function**: `load`", ["load"]),
        ("**function: load**", ["load"]),
        ("`function: load`", ["load"]),
        ("function: load(path)", ["load"]),
        ("function: load(path, mode='r')", ["load"]),
        ("class: Reader(Parser)", ["Reader"]),
        ("class: Reader - reads", ["Reader"]),
        ("class: Reader — reads", ["Reader"]),
        ("class: Reader (reads)", ["Reader"]),
        ("class: Reader: reads", ["Reader"]),
        ("class Reader(Parser):", ["Reader"]),
        ("def load(path):", ["load"]),
        ("function load", ["load"]),
        ("1. method: Dough.rest", ["Dough.rest"]),
        ("- [ ] method: Dough.rest", ["Dough.rest"]),
        ("* Method: `Dough.rest`", ["Dough.rest"]),
        ("Method = Dough.rest", ["Dough.rest"]),
        ("(method) Dough.rest", ["Dough.rest"]),
        ("- Dough.rest", ["Dough.rest"]),
        ("- `Dough.rest`: loses water", ["Dough.rest"]),
        ("Dough.rest()", ["Dough.rest"]),
        ("methods:\n- Dough.rest\n- Dough.mix", ["Dough.rest", "Dough.mix"]),
        ("variable: LIMIT = 250", ["LIMIT"]),
        ("property: hydration", ["hydration"]),
        ("| kind | name |\n|---|---|\n| method | `Dough.rest` |", ["Dough.rest"]),
        ("function: Reader::read", ["Reader::read"]),
        ("method: (*Reader).Read", ["Read"]),
    ],
)
def test_names_are_read(text, names):
    found = [name for _, name in places(f"src/oven.py\n{text}")]
    assert found == names or (found and names == ["Read"])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("src/oven.py: lines 10-12", [("src/oven.py", "10-12")]),
        ("src/oven.py:10-12", [("src/oven.py", "10-12")]),
        ("`src/oven.py` line 10", [("src/oven.py", "10")]),
        ("src/oven.py, line 10", [("src/oven.py", "10")]),
        ("line 10 in src/oven.py", [("src/oven.py", "10")]),
        ("src/oven.py::cool", [("src/oven.py", "cool")]),
        ("### `src/oven.py`\n- line: 10\n### lib/dough.js\n- line: 7", [("src/oven.py", "10"), ("lib/dough.js", "7")]),
        ('[{"file": "src/oven.py", "lines": [10, 12]}]', [("src/oven.py", "10"), ("src/oven.py", "12")]),
        (
            '{"src/oven.py": {"lines": "10-12", "function": "cool"}}',
            [("src/oven.py", "10-12"), ("src/oven.py", "cool")],
        ),
        ('[{"file": "src/oven.py", "start_line": 10, "end_line": 12}]', [("src/oven.py", "10-12")]),
        ('{"src/oven.py": ["line: 10", "method: Oven.cool"]}', [("src/oven.py", "10"), ("src/oven.py", "Oven.cool")]),
        ("src/oven.py\nline: 10\n\n## The report\n<report>\nlib/dough.js\nline: 7", [("src/oven.py", "10")]),
    ],
)
def test_places_belong_to_their_file(text, found):
    assert [(place.path, place.name) for place in read_places(text)] == found


def test_what_is_not_understood_is_kept_to_be_counted():
    assert [(p.kind, p.name) for p in read_places("src/oven.py\nline: the last one\n- somewhere near the end")] == [
        ("unread", "the last one"),
        ("unread", "somewhere near the end"),
    ]


PIECES = st.sampled_from(
    ["src/a.py", "line", "lines: ", "10-12", ", ", "\n", "- ", "`", "**", "method: ", "A.b", "|", "{", "[", '"', "("]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=30))
def test_no_text_makes_reading_raise(parts):
    text = "".join(parts)
    assert all(name for name in read_names(text))
    assert all(place.name for place in read_places(text))


@pytest.mark.parametrize(
    "text",
    [
        "file,reason\nsrc/oven.py,cools\nlib/dough.js,uses",
        "<ul><li>src/oven.py</li><li>lib/dough.js</li></ul>",
        "<files>\n<path>src/oven.py</path>\n<path>lib/dough.js</path>\n</files>",
        "<function=answer><parameter=files>src/oven.py\nlib/dough.js</parameter></function>",
        "\\boxed{src/oven.py, lib/dough.js}",
        "1. src/oven.py.\n2. lib/dough.js.",
        "analysisMaybe web/x.py.assistantfinalsrc/oven.py\nlib/dough.js",
    ],
)
def test_files_in_markup_and_in_rows_are_found(text):
    assert read_file_names(text)[-2:] == TWO
    assert set(read_file_names(text)) <= {*TWO, "file,reason"}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (":10:5", [("line", "10")]),  # line and column
        ("\nlines between 10 and 12", [("line", "10-12")]),
        ("\nlines 10~12", [("line", "10-12")]),
        ("\nlines: 10 -> 12", [("line", "10-12")]),
        ("\nln 10-12", [("line", "10-12")]),
        ("\nstarting at line 10", [("line", "10")]),
        ("\n`cool` function", [("function", "cool")]),
        ("\nasync function: cool", [("function", "cool")]),
        (": function cool, lines 10-12", [("function", "cool"), ("line", "10-12")]),
        (" → cool()", [("name", "cool")]),
    ],
)
def test_places_in_further_forms_are_found(text, places):
    assert [(place.kind, place.name) for place in read_places(f"src/oven.py{text}")] == places
