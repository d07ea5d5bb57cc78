"""Headings underlined like the divider of a block: the file tells them from dividers, and none is lost."""

import pytest

from harness.core.candidate import Reason
from harness.core.location import Location
from harness.model.answers import read_edits
from harness.repair.edits import apply_edits
from harness.repair.match import EditRefused
from harness.repo.memory_snapshot import MemorySnapshot

RULE = "=======\n"
CHANGES = f"Top\n\n1.0\n{RULE}\nFirst.\n"
LONG = f"Getting started\n{RULE}\nText.\n"
OVER = f"{RULE}Title\n{RULE}\nText.\n"
CODE = "x = 1\nf(x)\n"


def outcome(path: str, source: str, body: str) -> str | Reason:
    """What a file is after a block with that body, or why it stays."""
    edits = read_edits(f"{path}\n<<<<<<< SEARCH\n{body}>>>>>>> REPLACE\n").edits
    try:
        return apply_edits(edits, MemorySnapshot({path: source.encode()}), []).changes[0].content.decode()
    except EditRefused as refused:
        return refused.reason


@pytest.mark.parametrize("path", ["changes.rst", "CHANGES", "notes.py"])
@pytest.mark.parametrize(
    ("source", "search", "new"),
    [
        (CHANGES, f"1.0\n{RULE}", f"2.0\n{RULE}"),
        (CHANGES, "Top\n", f"Top\n\n2.0\n{RULE}"),
        (CHANGES, "Top\n", f"Top\n2.0\n{RULE}"),
        (CHANGES, f"1.0\n{RULE}", f"2.0\n{RULE}\nSecond.\n\n1.0\n{RULE}"),
        (CHANGES, f"1.0\n{RULE}", ""),
        (CHANGES, f"1.0\n{RULE}\nFirst.\n", f"1.0\n{RULE}\nNone.\n"),
        (LONG, f"Getting started\n{RULE}", f"Getting going\n{RULE}"),
        (OVER, f"{RULE}Title\n{RULE}", f"{RULE}Name\n{RULE}"),
        (OVER, "Text.\n", f"Text.\n\n{RULE}More\n{RULE}"),
        (OVER, "Text.\n", f"{RULE}More\n{RULE}"),
    ],
)
def test_a_file_with_such_headings_keeps_each(path, source, search, new):
    assert outcome(path, source, f"{search}{RULE}{new}") == source.replace(search, new)


def test_a_file_of_prose_may_get_its_first_one():
    assert outcome("a.md", "Top\n\nText.\n", f"Top\n{RULE}Top\n{RULE}") == f"Top\n{RULE}\nText.\n"


@pytest.mark.parametrize(
    "body", ["f(x)\n{0}g(x)\n{0}", "{0}f(x)\n{0}g(x)\n", "f(x)\n{0}{0}g(x)\n", "{0}f(x)\n{0}g(x)\n{0}"]
)
def test_a_divider_that_stands_twice_comes_into_no_file_without_such_headings(body):
    assert outcome("a.py", CODE, body.format(RULE)) == CODE.replace("f(x)", "g(x)")


def test_the_longest_search_text_that_the_file_holds_decides():
    assert outcome("a.rst", CHANGES, f"1.0\n{RULE}{RULE}2.0\n{RULE}") == CHANGES.replace("1.0", "2.0")
    assert outcome("a.rst", "1.0\n\nText.\n", f"1.0\n{RULE}{RULE}2.0\n") == "2.0\n\nText.\n"
    assert outcome("a.rst", "None.\n", f"1.0\n{RULE}{RULE}2.0\n{RULE}") is Reason.PARSE_FAILURE


@pytest.mark.parametrize(
    "text", [f"Usage\n{RULE}\nText.\n", f"Usage\n{RULE}", f"{RULE}Usage\n{RULE}\nA\n", f"A\n{RULE}\nB\n{RULE}"]
)
def test_a_new_file_of_prose_has_its_headings_and_no_other_file_is_changed(text):
    """A title that another file holds, too, was replaced there."""
    edits = read_edits(f"docs/new.rst\n<<<<<<< SEARCH\n{RULE}{text}>>>>>>> REPLACE\n").edits
    changes = apply_edits(edits, MemorySnapshot({"a.rst": b"Usage\n\nText.\n"}), [Location("a.rst")]).changes
    assert [(change.path, change.content.decode()) for change in changes] == [("docs/new.rst", text)]


def test_a_divider_twice_for_a_file_that_is_not_there_is_still_met_in_the_one_that_holds_it():
    edits = read_edits(f"b.py\n<<<<<<< SEARCH\n{RULE}f(x)\n{RULE}g(x)\n>>>>>>> REPLACE\n").edits
    changes = apply_edits(edits, MemorySnapshot({"a.py": CODE.encode()}), [Location("a.py")]).changes
    assert [(change.path, change.content.decode()) for change in changes] == [("a.py", CODE.replace("f(x)", "g(x)"))]
