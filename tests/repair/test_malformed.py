"""Answers that are wrong in every way: each has a reason, none raises, and none edits without a match."""

import random
from collections import Counter

from hypothesis import example, given
from hypothesis import strategies as st

from harness.core.candidate import Candidate, EditKind, Reason
from harness.core.interfaces import Answer
from harness.core.location import Location
from harness.model.answers import read_edits
from harness.model.ask import Reply
from harness.repair.edits import apply_edits
from harness.repair.match import EditRefused
from harness.repair.sample import read_answer
from harness.repo.memory_snapshot import MemorySnapshot

ANSWERS = 5_000  # benchmarks/malformed.py has more of them, of more kinds
FILES = {
    "src/a.py": b"def f(x):\n    y = 1\n    return y\n\n\ndef g(x):\n    y = 1\n    return x\n",
    "src/b.py": b"\tif a:\r\n\t\tpass\r\n",
    "notes.txt": b"caf\xe9\n",
    "data.bin": b"\0",
}
SNAPSHOT = MemorySnapshot(FILES, links={"link": b"/etc/passwd"})
SHOWN = (Location("src/a.py"), Location("src/b.py"))
GOOD = "src/a.py\n<<<<<<< SEARCH\n    return y\n=======\n    return y + 1\n>>>>>>> REPLACE\n"
PATHS = (
    "src/a.py",
    "a.py",
    "src/c.py",
    "../x",
    "/etc/x",
    ".git/config",
    "link",
    "data.bin",
    "notes.txt",
    "src",
    "",
    "…",
)
TEXTS = (
    "", "\n", "    y = 1\n", "    return y\n", "    y = 1\n    return y\n", "return z\n", "...\n", "# ...\n",
    "def f(x):\n...\n", "x" * 3000 + "\n", "\ud800\n", "\0\n", "é→\n", "\tif a:\n", "    if a:\n        pass\n",
    "=======\n", "<<<<<<< SEARCH\n", "(" * 300 + "\n",
)  # fmt: skip
ENDS = ("stop", "stop", "stop", "stop", "length", "", "abort", "not-recorded")


def malformed(rng: random.Random) -> Answer:
    """An answer of blocks that are each unlikely to be right, damaged on top of that."""
    text = ""
    for _ in range(rng.choice((0, 1, 1, 1, 2, 5))):
        path, search, replace = rng.choice(PATHS), rng.choice(TEXTS), rng.choice(TEXTS)
        text += f"{path}\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"
    text = rng.choice(("{}", "```python\n{}```", "<think>{}", "<think>x</think>\n{}", "Sure!\n{}")).replace("{}", text)
    for _ in range(rng.choice((0, 0, 1, 3))):
        place = rng.randrange(len(text) + 1)
        cut = place + rng.choice((0, 1, 20, 500))
        text = text[:place] + rng.choice(("", "\n", "\r", "`", "=", "<<<<<<< SEARCH\n", "\x85")) + text[cut:]
    return Answer(text, rng.choice(ENDS), 1, 1, 0.0, rng.choice(("", "", "I think.")))


async def test_each_of_ten_thousand_malformed_answers_has_a_reason():
    rng = random.Random(20)
    reasons: Counter[Reason | None] = Counter()
    for number in range(ANSWERS):
        answer = malformed(rng)
        candidate = Candidate(index=number, **await read_answer(Reply.of(answer), SNAPSHOT, SHOWN))
        reasons[candidate.reason] += 1
        assert bool(candidate.patch) == (candidate.reason is None)
        assert bool(candidate.detail) == (candidate.reason is not None)
        assert "\n" not in candidate.detail
        assert candidate.model_dump_json()
    # these few came out right, by chance
    assert 0 < reasons.pop(None) < ANSWERS // 10
    unexpected = {Reason.NO_LOCATION, Reason.CONTEXT_OVERFLOW, Reason.DOES_NOT_APPLY}
    assert set(reasons) == set(Reason) - unexpected


PIECES = st.sampled_from([*GOOD.splitlines(keepends=True), *TEXTS, *(f"{path}\n" for path in PATHS), "```\n", "\r\n"])


@example(["src/a.py\n", "```\n", "```\n"])
@example(["src/a.py\n", "```\n", "\r\n", "```\n"])
@given(st.lists(st.one_of(PIECES, st.text(max_size=15)), max_size=25))
def test_no_text_raises_or_edits_what_it_does_not_match(parts):
    edits = read_edits("".join(parts)).edits
    try:
        applied = apply_edits(edits, SNAPSHOT, SHOWN)
    except EditRefused:
        return
    asked = {line.strip() for edit in edits for line in edit.search.split("\n")}
    for change in applied.changes:
        old = change.old.lines if change.old else []
        touched = {line.decode("latin-1").strip() for r in change.replacements for line in old[r.start : r.end]}
        whole = [edit for edit in edits if edit.kind in (EditKind.WHOLE, EditKind.REWRITTEN) and edit.replace.strip()]
        assert touched <= asked or any(change.path.endswith(edit.path) for edit in whole)
        assert change.old or not any(edit.search.strip() for edit in edits if edit.path.endswith(change.path))
