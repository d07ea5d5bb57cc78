"""What counts in a vote: the text of a syntax tree."""

import ast
import gc
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from harness.common.worker_processes import WorkerProcesses
from harness.errors import InfrastructureError
from harness.repo import python_syntax
from harness.repo.python_syntax import SHORT, parse_python, read_syntax, syntax_of, tree_text


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('def f():\n    "Doc."\n    return 1\n', "def f(): return (1)  # one\n", True),
        ('class A:\n    "Doc."\n    x = 1\n', "class A:\n    x = 1\n", True),
        ('if x:\n    "no doc"\n    y = 1\n', "if x:\n    y = 1\n", False),
        ("x = 1", "x = 1.0", False),
        ("x = 1", "x = True", False),
        ("x = 'ab'", "x = b'ab'", False),
        ("return None", "return", False),
        ("f(a, b)", "f((a, b))", False),
        ("global a, b", "global ab", False),
    ],
)
def test_what_means_the_same(one, other, same):
    assert (read_syntax(one.encode()).meaning == read_syntax(other.encode()).meaning) is same


def test_two_statements_have_one_text_exactly_where_they_have_one_dump():
    """The text replaces `ast.dump`, which took most of the time of a patch in a large file."""
    dumps, texts = {}, {}
    for path in sorted(Path(ast.__file__).parent.glob("[a-c]*.py")):
        for node in (n for n in ast.parse(path.read_bytes()).body if not isinstance(n, ast.ClassDef)):
            if isinstance(node, ast.FunctionDef):
                continue  # their docstrings drop out
            text, dump = tree_text(node), ast.dump(node)
            assert dumps.setdefault(text, dump) == dump
            assert texts.setdefault(dump, text) == text
    assert len(dumps) > 100


def test_threads_parse_at_once_while_collections_run_python():
    """CPython counts the depth of a tree for all threads together: one that began inside another's failed."""
    source = Path(ast.__file__).read_bytes()

    def collected(phase: str, info: dict[str, int]) -> None:
        time.sleep(0)  # lets another thread in, as a finalizer may

    thresholds = gc.get_threshold()
    gc.callbacks.append(collected)
    gc.set_threshold(100)
    try:
        with ThreadPoolExecutor(4) as threads:
            trees = list(threads.map(lambda _: parse_python(source), range(24)))
    finally:
        gc.callbacks.remove(collected)
        gc.set_threshold(*thresholds)
    assert len({ast.dump(tree) for tree in trees}) == 1


SOURCES = (b"x = 1\n", b"def :\n", b"x = (\n" * 300, b"\x00", b"\xff\n", b"-" * 50_000 + b"1", b"'\\d'\n")


@pytest.mark.parametrize("source", SOURCES)
def test_a_long_file_reads_in_its_process_as_a_short_one_does_here(source: bytes) -> None:
    long = source + b"\n# comment" * SHORT
    assert read_syntax(long) == syntax_of(long)
    if not syntax_of(source).problem:
        assert read_syntax(long) == read_syntax(source)


def test_other_threads_run_while_a_long_file_is_read() -> None:
    """Bug: a parse held all threads up, the event loop among them, for as long as it took."""
    source = b"x = [" + b"f(a, b, [c, d]), " * 60_000 + b"]\n"
    began = time.monotonic()
    syntax_of(source)
    alone = time.monotonic() - began
    with ThreadPoolExecutor(1) as threads:
        reading, latest, longest = threads.submit(read_syntax, source + b"\n"), time.monotonic(), 0.0
        while not reading.done():
            time.sleep(0.005)
            longest, latest = max(longest, time.monotonic() - latest), time.monotonic()
        assert not reading.result().problem
    assert longest < alone / 2


def test_a_process_that_is_ended_is_the_machines_failure(monkeypatch) -> None:
    with closing(WorkerProcesses("harness.repo.syntax_worker", 1)) as workers:
        monkeypatch.setattr(python_syntax, "WORKERS", workers)
        workers.start()
        [process] = workers._all
        process.kill()
        with pytest.raises(InfrastructureError, match=r"ended \(status -9\)"):
            read_syntax(b"ended = 1\n" * SHORT)
        assert read_syntax(b"ended = 1\n" * SHORT) == syntax_of(b"ended = 1\n" * SHORT)
