"""Answers that leave lines out without dots: a comment speaks of the rest, or a part is given as a whole file."""

import json

import pytest

from harness.core.candidate import Reason
from harness.core.location import Location
from harness.model.answers import read_edits
from harness.repair.edits import apply_edits
from harness.repair.match import EditRefused
from harness.repo.memory_snapshot import MemorySnapshot

WORDS = (
    '"""Counts words."""\n\nimport os\nimport re\n\n_word = re.compile(r"\\w+")\n\n\nclass Words:\n'
    "    def __init__(self, text):\n        self.text = text\n\n    def count(self):\n"
    "        found = _word.findall(self.text)\n        return len(found)\n\n    def first(self):\n"
    '        return _word.findall(self.text)[0]\n\n\ndef home():\n    path = os.environ.get("HOME")\n    return path\n'
)
HEAT = "var oven = {\n  heat: 1,\n  cool: 2,\n  off: 3,\n};\n"
TYPES = "[mypy]\nstrict = True\nwarn_unused = True\npretty = True\nshow_path = True\n"
FILES = {"src/words.py": WORDS, "web/heat.js": HEAT, "mypy.ini": TYPES, "setup.cfg": "[rpm]\nfiles = docs/\n"}
COUNT = WORDS[WORDS.index("    def count") : WORDS.index("    def first")]
CLASS = WORDS[WORDS.index("class Words") : WORDS.index("\n\ndef home")]


def applied(text: str) -> dict[str, str] | Reason:
    snapshot = MemorySnapshot({path: text.encode() for path, text in FILES.items()})
    try:
        changes = apply_edits(read_edits(text).edits, snapshot, tuple(map(Location, FILES))).changes
    except EditRefused as refused:
        return refused.reason
    return {change.path: change.content.decode() for change in changes}


def block(path: str, old: str, new: str) -> str:
    return f"{path}\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n"


@pytest.mark.parametrize(
    "comment",
    [
        "# rest of the method remains unchanged",
        "# Rest of the code...",
        "# (rest of the method unchanged)",
        "# [existing code]",
        "# existing code here...",
        "# same as before",
        "# other code here",
        "# --- rest unchanged ---",
        "# <rest of the function>",
        "# keep the rest as is",
        "# omitted for brevity",
        "# rest of _word_count unchanged",
        "pass  # existing code",
    ],
)
def test_a_comment_on_the_rest_deletes_nothing(comment) -> None:
    """The lines that it stood for were deleted without a word."""
    new = f"    def count(self):\n        if not self.text:\n            return 0\n        {comment}\n\n"
    assert applied(block("src/words.py", COUNT, new)) is Reason.ELISION
    assert applied(json.dumps({"path": "src/words.py", "old_str": COUNT, "new_str": new})) is Reason.ELISION
    whole = WORDS.replace(COUNT, f"        {comment}\n\n")
    assert applied(f"src/words.py\n```python\n{whole}```\n") is Reason.ELISION


@pytest.mark.parametrize(
    "comment", ["// the rest stays", "/* rest unchanged */", "// (unchanged)", "// existing code..."]
)
def test_likewise_in_other_languages(comment) -> None:
    comment = comment.replace("the rest stays", "rest of the code stays the same")
    assert applied(block("web/heat.js", HEAT, f"var oven = {{\n  heat: 0,\n  {comment}\n}};\n")) is Reason.ELISION


@pytest.mark.parametrize(
    "comment",
    [
        "# the rest is counted by findall",
        "# same as before, but for the empty text",
        "# existing callers want a number",
    ],
)
def test_a_comment_that_says_more_is_one(comment) -> None:
    new = f"    def count(self):\n        {comment}\n        return len(_word.findall(self.text))\n\n"
    assert applied(block("src/words.py", COUNT, new)) == {"src/words.py": WORDS.replace(COUNT, new)}


def test_a_comment_on_the_rest_beside_all_of_it_is_one() -> None:
    new = COUNT.replace("        found", "        # unchanged\n        found")
    assert applied(block("src/words.py", COUNT, new)) == {"src/words.py": WORDS.replace(COUNT, new)}


@pytest.mark.parametrize(
    "text",
    [
        f"Update the `Words` class in `src/words.py`:\n\n```python\n{CLASS}```\n",
        f"src/words.py\n```python\n{CLASS}```\n",
        f"src/words.py\n```python\n{WORDS[: WORDS.index('def home')]}```\n",
        json.dumps({"command": "create", "path": "src/words.py", "file_text": CLASS}),
        "mypy.ini\n```ini\n[mypy]\nstrict = False\n```\n",
        "`mypy.ini`:\n```ini\nstrict = False\n```\n",
        "Add this to `setup.cfg`:\n```ini\n[options]\nzip_safe = no\n```\n",
    ],
)
def test_a_part_of_a_file_is_no_whole_file(text) -> None:
    """Files of a few lines, and those of which a class was most, lost all that stood around it."""
    assert applied(text) is Reason.PARSE_FAILURE


@pytest.mark.parametrize(
    ("path", "new"),
    [
        ("src/words.py", WORDS.replace("[0]", "[-1]")),
        ("src/words.py", WORDS.replace("import os\n", "").replace('os.environ.get("HOME")', "'/'")),
        ("src/words.py", "#!/usr/bin/env python\n" + WORDS.split("\n", 2)[2]),
        ("mypy.ini", TYPES.replace("strict = True", "strict = False")),
        ("setup.cfg", "[options]\nzip_safe = no\n"),
    ],
)
def test_a_whole_file_may_change_anywhere(path, new) -> None:
    assert applied(f"{path}\n```\n{new}```\n") == {path: new}
