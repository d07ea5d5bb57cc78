"""Places in the words of many models, as the lines that they come to."""

import pytest

from harness.localize.places import read_places, resolve_places
from harness.repo.symbols import parse_elements

SOURCE = (
    b'"""Ovens."""\n\nLIMIT = 250\n\n\ndef heat(degrees):\n    if degrees > LIMIT:\n        raise ValueError(degrees)\n'
    b"    return degrees\n\n\nclass Oven:\n    def cool(self, degrees):\n        return degrees - 10\n\n"
    b"    def off(self):\n        return 0\n"
)
PATH = "bakery/oven.py"
HEAT, COOL, OFF, LIMIT = (6, 9), (13, 14), (16, 17), (3, 3)


def lines_of(text: str) -> list[tuple[int, int]]:
    """The intervals in the file that an answer's places come to."""
    elements = {PATH: parse_elements(SOURCE, "python")}
    found = resolve_places(read_places(text), {PATH: SOURCE.count(b"\n")}, elements.__getitem__)
    return [interval for location in found.locations for interval in location.intervals]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Oven.cool: lines 6-7", [(6, 7), COOL]),
        ("- Oven.cool, lines 6-7", [(6, 7), COOL]),
        ("method: Oven.cool, line 7", [(7, 7), COOL]),
        ("method Oven.cool lines 13-14", [COOL]),
        ("function: heat at line 7", [HEAT]),
        ("heat: 7", [HEAT]),
        ("heat: 6-9", [HEAT]),
        ("Oven.cool L13-L14", [COOL]),
        ("Oven.cool @ 13-14", [COOL]),
        ("7: if degrees > LIMIT", [(7, 7)]),
        ("7|    if degrees > LIMIT:", [(7, 7)]),
        ("line 6 up to line 9", [HEAT]),
        ("~14", [(14, 14)]),
        ("line ~14", [(14, 14)]),
        ("(6, 9)", [(6, 6), (9, 9)]),
        ("start: 6, end: 9", [HEAT]),
        ("start_line: 6, end_line: 9", [HEAT]),
        ("insert after line 9", [(9, 9)]),
        ("before line 6", [(6, 6)]),
        ("line: 7; line: 14", [(7, 7), (14, 14)]),
        ("line: 7, function: heat", [HEAT]),
        ("line #7", [(7, 7)]),
        ("#7", [(7, 7)]),
        ("#L7-L9", [(7, 9)]),
        ("line no. 7", [(7, 7)]),
        ("at lines 7-8.", [(7, 8)]),
        ("The bug is at line 7.", [(7, 7)]),
        ("The method `Oven.cool` on line 14 returns less than zero", [COOL]),
        ("Oven::cool", [COOL]),
        ("Oven#cool", [COOL]),
        ("Oven -> cool", [COOL]),
        ("Oven > cool", [COOL]),
        ("Functions to modify: heat", [HEAT]),
        ("the function `heat`", [HEAT]),
        ("the `heat` function", [HEAT]),
        ("heat function", [HEAT]),
        ("function named heat", [HEAT]),
        ("module variable LIMIT", [LIMIT]),
        ("LIMIT", [LIMIT]),
        ("LIMIT = 250", [LIMIT]),
        ("the constant LIMIT (line 3)", [LIMIT]),
        ("static method: cool", [COOL]),
        ("class method: Oven.cool", [COOL]),
        ("instance method `cool`", [COOL]),
        ("heat: raises too late", [HEAT]),
        ("heat — raises too late", [HEAT]),
        ("Reason: `heat` raises too late", []),
        ("That is all that must change here.", []),
    ],
)
def test_a_line_below_the_path(line, expected) -> None:
    assert lines_of(f"{PATH}\n{line}\n") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{PATH}: Oven.cool", [COOL]),
        (f"{PATH} - Oven.cool - lines 13-14", [COOL]),
        (f"{PATH} → Oven.cool (lines 13-14)", [COOL]),
        (f"`{PATH}`: `heat`, `Oven.cool`", [HEAT, COOL]),
        (f"{PATH}: heat, Oven.cool", [HEAT, COOL]),
        (f"{PATH} [6-9]", [HEAT]),
        (f"{PATH} @ line 7", [(7, 7)]),
        (f"{PATH}: fixes the sum", []),
        (f"In `{PATH}`, the function `heat` (lines 6-9)", [HEAT]),
        (f"`heat` in `{PATH}`", [HEAT]),
        (f"heat ({PATH})", [HEAT]),
        (f"Oven.cool in {PATH}", [COOL]),
        (f"Function `heat` in file `{PATH}` at line 7", [HEAT]),
        (f"File: {PATH}, Function: heat, Lines: 6-9", [HEAT]),
        (f"File: `{PATH}` | Method: `Oven.off` | Lines: 16-17", [OFF]),
        (f'{{"{PATH}": ["heat"]}}', [HEAT]),
        (f'{{"{PATH}": [[6, 9]]}}', [HEAT]),
        (f'[{{"path": "{PATH}", "symbol": "Oven.cool"}}]', [COOL]),
        (f'[{{"file_path": "{PATH}", "element_name": "Oven.cool", "element_type": "method"}}]', [COOL]),
        (f'[{{"file": "{PATH}", "startLine": 6, "endLine": 9}}]', [HEAT]),
        (f'[{{"file": "{PATH}", "line_numbers": [7, 14]}}]', [(7, 7), (14, 14)]),
        (f'<file path="{PATH}">\n<function name="heat"/>\n</file>', [HEAT]),
        (f"<file>{PATH}</file>\n<lines>6-9</lines>", [HEAT]),
        (f"<file>{PATH}</file>\n<function>heat</function>", [HEAT]),
    ],
)
def test_a_place_with_its_path(text, expected) -> None:
    assert lines_of(f"{text}\n") == expected


def test_what_is_not_understood_leaves_a_trace() -> None:
    named = read_places(f"{PATH}\n- the branch that compares both temperatures\nwarm\n")
    assert [(place.kind, place.name) for place in named] == [
        ("unread", "the branch that compares both temperatures"),
        ("name", "warm"),
    ]


@pytest.mark.parametrize(
    ("below", "expected"),
    [
        ("heat, Oven.cool", [HEAT, COOL]),
        ("heat and Oven.off", [HEAT, OFF]),
        ("heat; LIMIT", [LIMIT, HEAT]),
        ("[heat, Oven.cool]", [HEAT, COOL]),
        ("- heat(degrees), Oven.cool", [HEAT, COOL]),
        ("heat, Oven.cool: both are too late", [HEAT, COOL]),
        ("Oven.cool:14, LIMIT", [LIMIT, COOL]),
        ("Oven.cool (13-14), 7", [(7, 7), COOL]),
        ("functions: [heat, Oven.cool]", [HEAT, COOL]),
        ("functions: ['heat', 'Oven.cool']", [HEAT, COOL]),
        ("functions: {heat, Oven.cool}", [HEAT, COOL]),
        ("functions heat, Oven.cool", [HEAT, COOL]),
        ("6-9: heats\n14: cools", [HEAT, (14, 14)]),
        ("- 6-9 - heats\n- 14 (cools)", [HEAT, (14, 14)]),
        ("L6-L9: heats", [HEAT]),
        ("3, 6-9: heats", [LIMIT, HEAT]),
        ("3: limit, 7: compares", [LIMIT, (7, 7)]),
        ("1: heat\n2: Oven.cool", [HEAT, COOL]),
    ],
)
def test_lists_and_lines_with_remarks_below_the_path(below, expected) -> None:
    elements = {PATH: parse_elements(SOURCE, "python")}
    assert lines_of(f"{PATH}\n{below}\n") == expected
    assert resolve_places(read_places(f"{PATH}\n{below}\n"), {PATH: 17}, elements.__getitem__).unresolved == ()


@pytest.mark.parametrize(
    ("behind", "expected"),
    [
        (":Oven.cool:7", [(7, 7), COOL]),
        (":Oven:cool", [COOL]),
        (":heat:6-9", [HEAT]),
        (":heat:7:5", [HEAT]),
        (":Oven.cool(self, degrees):14", [COOL]),
        ("->heat", [HEAT]),
        ("->Oven->cool", [COOL]),
        (">Oven>cool", [COOL]),
        ("@heat", [HEAT]),
        (";heat", [HEAT]),
        (";heat;LIMIT", [LIMIT, HEAT]),
        (";6-9", [HEAT]),
        ("|heat|14", [HEAT, (14, 14)]),
        ("/heat", [HEAT]),
        ("/Oven/cool", [COOL]),
        ("/heat, LIMIT", [LIMIT, HEAT]),
        (",heat,14", [HEAT, (14, 14)]),
        (": heat, Oven.cool:14", [HEAT, COOL]),
    ],
)
def test_places_joined_to_the_path(behind, expected) -> None:
    assert lines_of(f"{PATH}{behind}\n") == expected
    assert lines_of(f"- File: `{PATH}{behind}`\n") == expected


@pytest.mark.parametrize("behind", ["@HEAD~1", "/the end", "->what is (too) late", ":fixes the sum", ":warm:cold"])
def test_what_is_joined_to_the_path_and_not_understood_leaves_a_trace(behind) -> None:
    found = resolve_places(read_places(f"{PATH}{behind}\n"), {PATH: 17}, {PATH: parse_elements(SOURCE, "python")}.get)
    assert (len(found.unresolved), found.locations) == (1, ())


def test_a_path_in_a_folder_that_is_named_like_a_file_is_one_path() -> None:
    assert [place.path for place in read_places("oven.js/src/heat.js\nheat\n")] == ["oven.js/src/heat.js"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("| class | Oven |", [(12, 17)]),
        ("| function | heat |\n| method | cool |", [HEAT, COOL]),
        ("| lines | 6-9 |\n| variable | LIMIT |", [LIMIT, HEAT]),
        ("| Function | Impact |\n|---|---|\n| heat | high |", [HEAT]),
        ("| Method | Why |\n| Oven.cool | cools too far |", [COOL]),
        ("| Element | Reason |\n|:--|:--|\n| `heat` | raises too late |", [HEAT]),
        ("| Kind | Name |\n| method | cool |\n| constant | LIMIT |", [LIMIT, COOL]),
        ("| heat | raises too late |", [HEAT]),
        ("| heat | LIMIT |", [LIMIT, HEAT]),
        (
            "| Function | Why |\n|---|---|\n| heat | late |\n\n| Line | Why |\n|---|---|\n| 14 | cools |",
            [HEAT, (14, 14)],
        ),
    ],
)
def test_rows_of_tables_below_the_path(rows, expected) -> None:
    elements = {PATH: parse_elements(SOURCE, "python")}
    assert lines_of(f"{PATH}\n{rows}\n") == expected
    assert resolve_places(read_places(f"{PATH}\n{rows}\n"), {PATH: 17}, elements.__getitem__).unresolved == ()


def test_a_range_with_words_behind_it_leaves_a_trace() -> None:
    assert [(p.kind, p.name) for p in read_places(f"{PATH}\n6-9 degrees\n")] == [("unread", "6-9 degrees")]


def test_a_row_that_is_not_understood_leaves_a_trace() -> None:
    assert [(p.kind, p.name) for p in read_places(f"{PATH}\n| the end of it | too late |\n")] == [
        ("unread", "the end of it | too late")
    ]
