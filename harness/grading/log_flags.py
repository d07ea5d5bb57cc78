"""What in a log of tests contradicts itself, as far as the log alone shows it."""

import re

from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.grading.log_grading import PASSING, LogGrade, read_statuses
from harness.grading.specification import Specification

# How flags begin.
NO_CLOSING = "no closing line: "
CONTRADICTION = "contradictory results: "
# The last line of a test runner's own: pytest, pytest-sugar, cargo, unittest and Django, SymPy (which centres it in
# signs, if it fits).
CLOSING = re.compile(
    r"""^(=+\ .*\bin\ [\d.]+\ ?s(econds)?\b.*=+ | \d+\ (passed|failed).*\ in\ [\d.]+s.*
    | Results\ \([\d.]+s\): | test\ result:\ ok\..*
    | Ran\ \d+\ tests?\ in\ .* | =*\ *tests\ finished:\ .*)$""",
    re.MULTILINE | re.VERBOSE,
)
# Parsers of logs whose runners print such a line; of the others' logs its absence says nothing.
CLOSED = [
    "parse_log_astroid",
    "parse_log_astropy",
    "parse_log_cargo",
    "parse_log_django",
    "parse_log_flask",
    "parse_log_marshmallow",
    "parse_log_matplotlib",
    "parse_log_pvlib",
    "parse_log_pydicom",
    "parse_log_pylint",
    "parse_log_pytest",
    "parse_log_pytest_options",
    "parse_log_pytest_v2",
    "parse_log_pyvista",
    "parse_log_requests",
    "parse_log_scikit",
    "parse_log_seaborn",
    "parse_log_sphinx",
    "parse_log_sqlfluff",
    "parse_log_sympy",
    "parse_log_xarray",
]
COLOUR = re.compile(r"\x1b\[[\d;]*[mK]")
# What unittest and Django print of a test: the line that names it, then perhaps its docstring's first line.
NAMED = re.compile(r"^(\w+ \([\w.]+\))(?: \.\.\. .*)?$")
RESULT = re.compile(r"^(.*) \.\.\. +(?:ok|OK|FAIL|ERROR|skipped .*|expected failure|unexpected success)$")
RAN = re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE)


def is_evidence(flag: str) -> bool:
    """Whether a flag comes from the tests' output alone."""
    return flag.startswith((NO_CLOSING, CONTRADICTION))


def run_flags(
    instance: Instance, specification: Specification, log: str, exit_status: int | None, found: LogGrade
) -> list[str]:
    """What in the tests' output contradicts itself; asked only if the tests are said to hold."""
    if found.outcome is not Outcome.RESOLVED:
        return []
    flags = []
    if specification.log_parser in CLOSED and not CLOSING.search(COLOUR.sub("", log)):
        flags.append(f"{NO_CLOSING}the test runner did not tell that it came to its end")
    # ids that are no test's name ("[100%]" is one) mean nothing here
    expected = [i for i in (*instance.fail_to_pass, *instance.pass_to_pass) if not i.startswith("[")]
    statuses, _ = read_statuses(instance, specification, log, exit_status)
    lines = log.rstrip("\n").split("\n")  # as the parsers do: other signs end no line
    backwards = "\n".join([*lines[:1], *reversed(lines[1:-1]), *lines[-1:]])
    first, _ = read_statuses(instance, specification, backwards, exit_status)
    twice = [i for i in expected if i in statuses and i in first and (statuses[i] in PASSING) != (first[i] in PASSING)]
    if twice and (twice := sorted(set(twice) - shared_ids(log), key=twice.index)):
        flags.append(f"{CONTRADICTION}{', '.join(twice[:3])}")
    return flags


def shared_ids(log: str) -> set[str]:
    """Docstrings under which several tests of a unittest or Django log report, each test by its own name.

    Such an id has as many results as tests, and they need not agree. Empty unless the log has just as many results
    as the runner says that it ran tests: a result that was printed besides makes one too many.
    """
    names: dict[str, list[str]] = {}
    name, results = "", 0
    for line in log.split("\n"):
        result = RESULT.match(line)
        if result:
            results += 1
            names.setdefault(result[1], []).append(name if not NAMED.match(result[1]) else result[1])
        named = NAMED.match(line)
        name = named[1] if named and not result else ""
    if RAN.findall(log) != [str(results)]:
        return set()
    return {i for i, tests in names.items() if len(tests) > 1 and all(tests) and len(set(tests)) == len(tests)}
