"""The lines of a test log that say why a test failed."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice

LINES = 40  # shown of one test at most

_HEADING = re.compile(r"_{3,} (?P<pytest>.+?) _{3,}$|(?:FAIL|ERROR): (?P<unittest>.+)$")
_END = re.compile(r"_{3,} .+ _{3,}$|={5,}|-{60,}$|>>>>> End")


def failing_lines(log: Sequence[str], test: str) -> list[str]:
    """The report of ``test`` in a log's lines, and the lines that name it; at most `LINES` of them.

    A report begins at a heading of pytest or unittest. Empty for a test that the log does not name.
    """
    named = re.compile(re.escape(test) + r"(?![\w\[])")
    found: dict[int, str] = {}
    for number, line in enumerate(log):
        heading = _HEADING.match(line)
        if heading and _is_of(heading["pytest"] or heading["unittest"], test):
            found.update(islice(_report(log, number), LINES))
        elif named.search(line):
            found[number] = line
    return [found[number] for number in sorted(found)][:LINES]


def _report(log: Sequence[str], start: int) -> Iterator[tuple[int, str]]:
    """Numbered lines of the report that begins at ``start``: up to the next heading."""
    yield start, log[start]
    begun = False  # unittest draws a rule below its heading
    for number in range(start + 1, len(log)):
        if _END.match(log[number]) and (begun or not log[number].startswith("-")):
            return
        begun = begun or not log[number].startswith("-")
        yield number, log[number]


def _is_of(heading: str, test: str) -> bool:
    """Whether a heading names the test, or the test's whole module, which pytest could not collect.

    Pytest writes ``Class.test``, unittest the id itself, SymPy's runner ``path:test``.
    """
    path, _, name = test.partition("::")
    function, bracket, parameters = name.partition("[")
    names = (test, f"{function.replace('::', '.')}{bracket}{parameters}")
    heading = re.sub(r"^ERROR at \w+ of ", "", heading)
    return (
        heading in (*names, f"ERROR collecting {path}")
        or heading.startswith(f"{test} ")
        or heading.rpartition(".py:")[2] == test
    )
