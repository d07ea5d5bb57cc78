"""Blocks whose markers are not as they should be: read if a person would not doubt what is meant, else refused."""

import pytest

from harness.model.answers import read_edits
from harness.reading.blocks import read_blocks
from harness.repair.edits import apply_edits
from harness.repo.memory_snapshot import MemorySnapshot

SOURCE = {"a.py": b"one\nold\nthree\n", "a.md": b"Changes\n=======\n\nold\n", "a.js": b"f(\n  old\n)\n"}
OPEN, CLOSE = "<<<<<<< SEARCH", ">>>>>>> REPLACE"
WHOLE = f"b.py\n{OPEN}\n=======\nx = 1\n{CLOSE}\n"


def applied(text: str, path: str = "a.py") -> str:
    """What a file is after an answer's edits."""
    edits = read_edits(text)
    assert not edits.problems
    changes = apply_edits(edits.edits, MemorySnapshot(SOURCE), []).changes
    return next(change.content.decode() for change in changes if change.path == path)


@pytest.mark.parametrize(
    "body",
    [
        f"{OPEN}\nold\n=======\n=======\nnew\n{CLOSE}",
        f"{OPEN}\nold\n=======\n\n=======\nnew\n{CLOSE}",
        f"{OPEN}\nold\n=======\nnew\n=======\n{CLOSE}",
        f"{OPEN}\n=======\nold\n=======\nnew\n{CLOSE}",
        f"{OPEN}\nold\n=======\n<<<<<<< REPLACE\nnew\n{CLOSE}",
        f"{OPEN}\nold\n=======\n\n<<<<<<< REPLACE\nnew\n{CLOSE}",
        f"{OPEN}\nold\n>>>>>>> SEARCH\n<<<<<<< REPLACE\nnew\n{CLOSE}",
        f"{OPEN}\nold\n||||||| BASE\nold\n=======\nnew\n{CLOSE}",
        f"{OPEN} >>>>>>>\nold\n=======\nnew\n<<<<<<< REPLACE >>>>>>>",
        "------- SEARCH>\nold\n=======\nnew\n+++++++ REPLACE>",
        f"{OPEN}\nold\n=======\nnew",
        f"{OPEN}\nold\n=======\nnew\n\n",
        f"{OPEN}\nold\n=======\nnew\n<<<<<<< REPLACE",
    ],
)
def test_markers_that_stand_twice_or_are_missing_leave_no_doubt(body) -> None:
    assert applied(f"a.py\n{body}\n") == "one\nnew\nthree\n"


@pytest.mark.parametrize("behind", ["", "\nIt is new now.\n\nThat is all.\n", f"\n{WHOLE}"])
def test_the_end_of_its_fence_ends_a_block(behind) -> None:
    assert applied(f"a.py\n```python\n{OPEN}\nold\n=======\nnew\n```\n{behind}") == "one\nnew\nthree\n"
    assert applied(f"```python\na.py\n{OPEN}\nold\n=======\nnew\n```\n{behind}") == "one\nnew\nthree\n"


def test_a_block_that_the_answer_ends_may_end_in_a_bracket() -> None:
    assert applied(f"a.js\n{OPEN}\n  old\n)\n=======\n  new\n)", "a.js") == "f(\n  new\n)\n"


@pytest.mark.parametrize(
    "text",
    [
        f"a.py\n{OPEN}\nold\n=======\nnew\n\nThis makes it new.\n",
        f"a.py\n{OPEN}\nold\n=======\nnew\n>>>\n",
        f"a.py\n{OPEN}\nold\n=======\nnew\nREPLACE\n",
        f"a.py\n{OPEN}\nold\n=======\n",
        f"a.py\n{OPEN}\nold\n=======\nnew\n{WHOLE}",
        f"a.py\n```\n{OPEN}\nold\n```\n",
    ],
)
def test_a_block_whose_end_is_in_doubt_is_refused(text) -> None:
    assert any("the block at line" in problem for problem in read_blocks(text).problems)


def test_a_cut_block_is_unfinished_whatever_it_holds() -> None:
    reading = read_blocks(f"a.py\n{OPEN}\nold\n=======\nnew", cut=True)
    assert (reading.edits, reading.problems) == ((), ())
    assert reading.unfinished


def test_headings_underlined_like_dividers_are_kept() -> None:
    body = f"{OPEN}\nChanges\n=======\n=======\nChanges\n=======\n\nnew\n{CLOSE}\n"
    assert applied(f"a.md\n{body}", "a.md") == "Changes\n=======\n\nnew\n\nold\n"
    body = f"{OPEN}\nChanges\n=======\n=======\nHistory\n=======\n{CLOSE}\n"
    assert applied(f"a.md\n{body}", "a.md") == "History\n=======\n\nold\n"
