"""Sentences that speak of several files, replacements dressed alone and blocks in a list: right, or refused."""

import pytest
from one_edit import BLOCK, FIXED, HEAT, NEW, OLD, OVEN, P, outcome

from harness.core.candidate import Reason
from harness.core.location import Location
from harness.model.answers import read_edits
from harness.repair.edits import apply_edits
from harness.repair.match import EditRefused
from harness.repo.memory_snapshot import MemorySnapshot

SHARED = {"src/a.py": b"import os\n\nA = 1\n", "src/b.py": b"import os\n\nB = 1\n"}
IMPORT = "<<<<<<< SEARCH\nimport os\n=======\nimport os\nimport re\n>>>>>>> REPLACE\n"
WEB, THROW, COLD = "web/heat.js", '  throw new Error("hot");\n', '  if (d) {\n    throw new Error("hot");\n  }\n'
COOLED = {WEB: HEAT.replace(THROW, COLD)}


def changed(text: str) -> list[str] | Reason:
    try:
        changes = apply_edits(read_edits(text).edits, MemorySnapshot(SHARED), tuple(map(Location, SHARED))).changes
    except EditRefused as refused:
        return refused.reason
    return [change.path for change in changes]


@pytest.mark.parametrize(
    ("ahead", "right"),
    [
        ("As in `src/b.py`, we need it in `src/a.py`:\n", ["src/a.py"]),
        ("Copy it from `src/b.py` to `src/a.py`:\n", ["src/a.py"]),
        ("### src/a.py\n\nThis mirrors what `src/b.py` does:\n\n", ["src/a.py"]),
        ("### src/a.py\n\nLike src/b.py.\n\n", ["src/a.py"]),
        ("### src/a.py\n\nNothing here.\n\nIn `src/b.py`, change:\n", ["src/b.py"]),
        ("## src/a.py\n\nSome words.\n\nMore words.\n\n", ["src/a.py"]),
        ("`src/b.py` needs the same:\n", ["src/b.py"]),
        ("In `src/a.py` and in `src/b.py`:\n", Reason.PARSE_FAILURE),
        ("src/a.py, src/b.py\n", Reason.PARSE_FAILURE),
    ],
)
def test_a_sentence_that_speaks_of_another_file_leads_to_none(ahead, right) -> None:
    """Both files hold the text, and the first one that was named got it."""
    assert changed(ahead + IMPORT) == right


def test_of_several_files_the_one_that_holds_the_text_is_meant() -> None:
    block = "<<<<<<< SEARCH\nB = 1\n=======\nB = 2\n>>>>>>> REPLACE\n"
    assert changed(f"src/a.py, src/b.py\n{block}") == ["src/b.py"]


def block(path: str, old: str, new: str) -> str:
    return f"{path}\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"


@pytest.mark.parametrize(
    "new",
    [
        f"```javascript\n{COLD}```\n",
        f"{COLD}```\n",
        f"```js\n{COLD}",
        f"-{THROW}" + "".join(f"+{line}\n" for line in COLD.splitlines()),
    ],
)
async def test_dress_of_a_replacement_alone_comes_into_no_file(new) -> None:
    """Fences and signs of a diff stood in every file that is no Python."""
    assert await outcome(block(WEB, THROW, new)) == COOLED


@pytest.mark.parametrize("new", [f"+{COLD}", f"- {THROW}+ {COLD}", f"{THROW}+  more();\n"])
async def test_signs_of_a_diff_that_leave_a_doubt_are_refused(new) -> None:
    assert await outcome(block(WEB, THROW, new)) is Reason.PARSE_FAILURE


async def test_hard_spaces_ahead_of_a_replacement_alone_are_plain() -> None:
    assert await outcome(block(P, OLD, NEW.replace("    ", "\u00a0" * 4))) == {P: FIXED}
    quoted = NEW.replace(", 0", ', "\u00a0"')
    assert await outcome(block(P, OLD, quoted)) == {P: FIXED.replace(NEW, quoted)}


async def test_signs_and_fences_in_markup_are_text() -> None:
    for new in ("None.\n\n```bash\nls\n```\n", "+ None.\n", "```\nNone.\n```\n"):
        changed = await outcome(block("docs/use.md", "None.\n", new))
        assert changed["docs/use.md"].endswith(f"## More\n\n{new}")


async def test_a_new_file_in_an_item_of_a_list_is_not_indented() -> None:
    new = "   go(() => {\n     stop();\n\n   });\n"
    text = f"1. New:\n\n   web/b.js\n   <<<<<<< SEARCH\n   =======\n{new}   >>>>>>> REPLACE\n"
    assert await outcome(text) == {"web/b.js": "go(() => {\n  stop();\n\n});\n"}
    assert await outcome(block("web/b.js", "", "  go();\n")) == {"web/b.js": "  go();\n"}


async def test_code_that_is_shown_ahead_of_its_change_changes_nothing() -> None:
    shown = BLOCK.replace(NEW, OLD)
    assert await outcome(f"The code is:\n\n{P}\n{shown}\nMend it so:\n\n{P}\n{BLOCK}") == {P: FIXED}
    assert await outcome(f"{P}\n{shown}") is Reason.NO_OP


async def test_a_block_that_repeats_what_another_drops_is_refused_still() -> None:
    tail = OVEN[OVEN.index("def cool") :]
    kept = block(P, tail, tail)
    assert await outcome(block(P, "def cool(degrees):\n", "") + kept) is Reason.OVERLAPPING_EDITS


async def test_a_divider_may_be_closed_like_a_heading() -> None:
    text = block(P, OLD, NEW).replace("=======", "======= REPLACE =======")
    assert await outcome(text) == {P: FIXED}
    text = f"{P}\n<SEARCH>\n{OLD}</SEARCH>\n<REPLACE>\n{NEW}</REPLACE>\n"
    assert await outcome(text) == {P: FIXED}
