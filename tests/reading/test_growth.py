"""No answer costs more than its length allows: one that is four times as long takes about four times as long."""

from collections.abc import Callable
from time import process_time

import pytest

from harness.core.interfaces import Answer
from harness.core.location import Location
from harness.localize.places import read_places
from harness.model.answers import read_file_names
from harness.model.ask import Reply
from harness.repair.sample import read_answer
from harness.repo.memory_snapshot import MemorySnapshot

SOURCE = "def f(x):\n    return x\n\n\n" + "".join(f"x{number} = {number}\n\n" for number in range(200))
SNAPSHOT = MemorySnapshot({"a.py": SOURCE.encode(), "b.py": b"y = 1\n"})
SHOWN = (Location("a.py"), Location("b.py"))
BLOCK = "a.py\n<<<<<<< SEARCH\n{}=======\n    return 2\n>>>>>>> REPLACE\n"
LENGTH = 30_000  # characters
TIMES = 16  # as long, once more
MOST = 5 * TIMES  # times the cost, which is no square of it
LEAST = 0.02  # CPU seconds below which a cost is noise


def run(piece: str, length: int, around: str = "{}") -> str:
    return around.replace("{}", piece * (length // len(piece)))


EDITS = [
    ("<replace>", "{}"),
    ("<replace>x\n", "<edit><path>a.py</path>{}"),
    ("<invoke ", "{}"),
    ("a", "<{}"),
    (" ", "<<<<<<< SEARCH{}x\n"),
    (" ", BLOCK.replace("=======", "======={}x").replace("{}", "", 1)),
    (" ", "*** Update File: a{}x\n-y\n"),
    ("=======\n", BLOCK),
    ("x\n=======\n", BLOCK),
    ("\n", "a.py\n<<<<<<< SEARCH\n...\n{}=======\n...\n    return 2\n>>>>>>> REPLACE\n"),
    ("...\nx1 = 1\n", BLOCK),
    ('\\"', '*** Begin Patch\\n "{}'),
    ("think", "<details><summary>{}"),
    ("<answer>", "{}"),
    ("Answer:\n", "## Thinking\n{}"),
    ("<file path=\"a\" ", "{}"),
    ("create", "<{}"),
    ('str_replace(path="', "{}"),
    ('{"a": ', "{}"),
    ("<search>x</search>\n", "{}"),
    ("a.py\n<<<<<<< SEARCH\nnone\n=======\ny\n>>>>>>> REPLACE\n", "{}"),
    ("```\n", "a.py\n{}"),
    ("--- a/a.py\n", "{}"),
    ("@@ -1 +1 @@\n-z\n+y\n", "```diff\n{}```\n"),
    ("<think>", "{}"),
    ("> Thinking\n", "{}"),
    ("a.py\n```\n<think>\n", "{}"),
    ("</think>\n", "a.py\n```python\n{}```\n"),
    ("<old_str>", "{}<think>"),
    ("cat > a.py <<E\n", "{}<think>"),
    ("```\n", "{}"),
    ("\n", "{}"),
    ("\n", BLOCK.replace("{}", "    return x\n{}")),
    ("a======= b\n", BLOCK.replace("=======\n", "")),
    ("x>>>>>>> REPLACE\n", "a.py\n<<<<<<< SEARCH\n    return x\n=======\n{}"),
    ("<<<<<<< REPLACE\n", "a.py\n<<<<<<< SEARCH\n    return x\n{}"),
    ("@@\n", "*** Begin Patch\n*** Update File: a.py\n@@\n-    return x\n+    return 2\n{}*** End Patch\n"),
]  # fmt: skip
LISTS = [
    ('"a", ', "[{}1]"),
    ('["a"], ', "[{}1]"),
    ('{"file": "a.py", "line": 1}, ', "[{}1]"),
    ("a.py, ", "{}"),
    (" ", "a.py{},\n"),
    ('="', "<{}"),
    ("[a](", "{}"),
    ("the class ", "{}"),
    ("1, ", "a.py\nlines: {}"),
    ("<line>1</line>", "a.py\n{}"),
    ("a.py: ", "{}"),
    ("```\n", "{}"),
    ("\n", "a.py\n{}"),
    ("f, ", "a.py\n{}"),
    ("1,a.py,x\n", "{}"),
    ("|-", "a.py\n| a |\n{}"),
    ("->f", "a.py{}"),
]  # fmt: skip


def grows(read: Callable[[str], object], short: str, long: str) -> float:
    """How many times as much the long text costs, as the least of three tries."""
    growth = []
    for _ in range(3):
        times = []
        for text in (short, long):
            started = process_time()
            read(text)
            times.append(process_time() - started)
        growth.append(times[1] / max(times[0], LEAST / TIMES))
        if growth[-1] < MOST:
            break
    return min(growth)


@pytest.mark.parametrize(("piece", "around"), EDITS)
def test_edits_are_read_in_a_time_that_grows_as_the_answer_does(piece, around, event_loop_runner):
    texts = (run(piece, length, around) for length in (LENGTH, LENGTH * TIMES))
    assert grows(event_loop_runner, *texts) < MOST


@pytest.mark.parametrize(("piece", "around"), LISTS)
@pytest.mark.parametrize("read", [read_file_names, read_places])
def test_lists_are_read_in_a_time_that_grows_as_the_answer_does(read, piece, around):
    assert grows(read, *(run(piece, length, around) for length in (LENGTH, LENGTH * TIMES))) < MOST


@pytest.fixture
def event_loop_runner():
    import asyncio

    with asyncio.Runner() as runner:
        yield lambda text: runner.run(read_answer(Reply.of(Answer(text, "stop", 1, 1, 0.0)), SNAPSHOT, SHOWN))
