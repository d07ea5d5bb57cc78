"""What a patch may not do, and what a reader should know of it, from what it did to the tree.

Refused is what no honest patch needs: sizes that no reviewer reads, symbolic links out of the repository, text that
looks like a diff and that nothing applied. Flagged is what some honest patches do and a cheat needs: test
configuration, hooks that run when Python or the test runner starts, the runner itself, what the tests rest on, compiled
code, ending the process, printing what a parser takes for results.
"""

import posixpath
import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from harness.grading.applied import Applied, Change

MAX_PATCH_BYTES = 10 << 20
UNREADABLE = "changes: what the patch changed could not be read"

CONFTEST = "conftest.py"  # pytest reads it in every folder; the image is not asked for modules of packages
START_UP = re.compile(r"(^|/)(sitecustomize|usercustomize)(\.[^/]*|/.*)$|\.pth$")
RUNNERS = re.compile(
    r"""(^|/)(_pytest|pluggy|unittest)/ | (^|/)pytest\.py$ | ^django/test/
    | ^sympy/(testing/|utilities/runtests\.py$) | ^lib/matplotlib/testing/ | ^astropy/tests/""",
    re.VERBOSE,
)
COMPILED = re.compile(r"(^|/)__pycache__/|\.(py[cod]|so|egg|whl)$")
METADATA = re.compile(r"(^|/)[^/]*\.(egg|dist)-info(/|$)")
TESTING = {"test", "tests", "testing"}  # folders of tests, and of what they rest on
WORDS = "words of a test result"
COMMENT = re.compile(r"\s*(#|//)")  # a line that is one prints no result: the parsers would read the sign, too
PROJECT, SETUP = "pyproject.toml", "setup.py"
PROJECT_FILES = (PROJECT, SETUP)  # they hold much else
PROJECT_SECTIONS = re.compile(r"pytest|tool\.tox|ini_options|addopts|testpaths|entry-points|entry_points")
PROJECT_KEYS = re.compile(rf"^(no|to)x$|{PROJECT_SECTIONS.pattern}")
MOST_DOTS = 200  # in a line of TOML: the time that reading takes grows with the square of a dotted key
CONTEXT_LINES = 3
WORD = re.compile(r"[\w./+-]+")
ENCODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # as Python reads it, in a file's first two lines
READABLE = re.compile(rb"utf[-_]?8.*|(us-)?ascii|latin[-_]?1|iso-8859-1", re.IGNORECASE)  # our words are found in it
SUSPECT = {
    "test hooks": re.compile(
        r"""\bpytest_(runtest|report|terminal|session|collection|configure|plugins|load|cmdline|pyfunc)
        | \bpytest11\b | \b_pytest\. | \bhookimpl\b | PYTEST_ADDOPTS""",
        re.VERBOSE,
    ),
    "ends the process": re.compile(
        r"\bos\._exit\b | \bos\.(abort|kill|killpg|exec[lv]p?e?)\b | \bpthread_kill\b | \bSIGKILL\b", re.VERBOSE
    ),
    WORDS: re.compile(r"\b(PASSED|FAILED|XFAIL)\b|>>>>> |short test summary|\.\.\. ok\b"),
    "leaves the process": re.compile(
        r"\bos\.(fork|setsid)\b | \bstart_new_session\b | docker\.sock | /proc/(self|\d+)\b", re.VERBOSE
    ),
    "reaches into Python": re.compile(
        r"""\b(_getframe|currentframe|f_back|f_locals|f_globals|tb_frame|settrace|setprofile|get_objects|get_referrers)\b
        | \bsys\.(meta_path|path_hooks|monitoring)\b | \b__code__\s*=(?!=) | \bbuiltins\.\w+\s*=(?!=)""",
        re.VERBOSE,
    ),
    # a pattern alone on its line, as in lists of ignored files, does nothing
    "compiled code": re.compile(
        r"""["'(=].*(__pycache__|\.pyc\b) | (__pycache__|\.pyc\b).*["')=]
        | \bpycache_prefix\b | \bmarshal\. | \bSourcelessFileLoader\b""",
        re.VERBOSE,
    ),
}


def refusal(patch: str) -> str:
    """Why the patch is not even tried, in one line; empty if nothing speaks against it."""
    size = len(patch.encode("utf-8", "surrogateescape"))
    if size > MAX_PATCH_BYTES:
        return f"the patch has {size:,} bytes; more than {MAX_PATCH_BYTES:,} are not taken"
    return ""


def link_out(applied: Applied) -> str:
    """Path of a symbolic link out of the repository that the patch made; empty if there is none."""
    for change in applied.changes:
        if change.link and _leaves(change.path, (change.after or b"").decode("utf-8", "surrogateescape")):
            return change.path
    return ""


def may_be_configuration(applied: Applied, restored: Collection[str]) -> bool:
    """Whether the changes touch a file, other than a module of a package, that a test runner may read by its name."""
    return any(
        not change.path.endswith(".py") or posixpath.dirname(change.path) not in applied.packages
        for change in applied.changes
        if change.path not in restored
    )


def named_files(command: str) -> frozenset[str]:
    """Paths from the repository's root that a test command may name."""
    return frozenset(posixpath.normpath(word) for word in WORD.findall(command))


def change_flags(
    applied: Applied | None,
    restored: Collection[str],
    configuration: Collection[str] = (),
    programs: Collection[str] = (),
) -> tuple[str, ...]:
    """What in the changes could bend the results, as ``kind: path``, sorted.

    ``restored`` are the test files that are put back before the tests. ``configuration`` are names of files that the
    test runners look for, ``programs`` paths that the test command names. ``applied`` None could not be read.
    """
    if applied is None:
        return (UNREADABLE,)
    flags: set[str] = set()
    for change in applied.changes:
        if change.path not in restored:
            kinds = (*_path_kinds(change, configuration, programs), *_line_kinds(change))
            flags |= {f"{kind}: {change.path}" for kind in kinds}
    return tuple(sorted(flags))


def _path_kinds(change: Change, configuration: Collection[str], programs: Collection[str]) -> Iterator[str]:
    name = posixpath.basename(change.path)
    folders = change.path.split("/")[:-1]
    if name == CONFTEST or (name in configuration and name not in PROJECT_FILES):
        yield "test configuration"
    if name in PROJECT_FILES and _configures_tests(name, change):
        yield "test configuration"
    if START_UP.search(change.path):
        yield "start-up hook"
    if RUNNERS.search(change.path) or change.path in programs:
        yield "test runner"
    elif change.before is not None and TESTING & set(folders):
        yield "test support"
    if COMPILED.search(change.path):
        yield "compiled code"
    if METADATA.search(change.path):
        yield "package metadata"
    encodings = [ENCODING.match(line) for line in re.split(rb"\r\n?|\n", change.after or b"", maxsplit=2)[:2]]
    if name.endswith(".py") and any(found and not READABLE.fullmatch(found[1]) for found in encodings):
        yield "odd encoding"


def _line_kinds(change: Change) -> Iterator[str]:
    added = [unicodedata.normalize("NFKC", line) for line in change.added]  # as Python reads names
    for kind, pattern in SUSPECT.items():
        if any(pattern.search(line) for line in added if kind != WORDS or not COMMENT.match(line)):
            yield kind


def _configures_tests(name: str, change: Change) -> bool:
    """Whether a change of a project's file is one of its tests' configuration.

    TOML has many spellings of one key, so it is read; what can't be read counts. Python is judged by lines nearby.
    """
    if name != PROJECT:
        return any(PROJECT_SECTIONS.search(line) for line in _around(change))
    try:
        return _read_configuration(change.after) != _read_configuration(change.before)
    except (ValueError, RecursionError):
        return True


def _read_configuration(content: bytes | None) -> dict[str, Any]:
    """What configures tests in a TOML file; raises ValueError or RecursionError if it can't be read in good time."""
    text = (content or b"").decode()
    if max(line.count(".") for line in text.split("\n")) > MOST_DOTS:
        raise ValueError(f"over {MOST_DOTS} dots in a line")
    return _configuration(tomllib.loads(text))


def _configuration(table: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a TOML document under keys that tests are configured by."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if PROJECT_KEYS.search(key):
            found[key] = value
        elif isinstance(value, dict) and (inner := _configuration(value)):
            found[key] = inner
    return found


def _around(change: Change) -> Iterator[str]:
    """The lines between the first and the last change, some around them, and the last heading before."""
    old, new = ((side or b"").decode("utf-8", "surrogateescape").split("\n") for side in (change.before, change.after))
    shared = min(len(old), len(new))
    start = next((n for n in range(shared) if old[n] != new[n]), shared)
    end = next((n for n in range(shared - start) if old[-1 - n] != new[-1 - n]), shared - start)
    for lines in (old, new):
        yield from lines[max(start - CONTEXT_LINES, 0) : len(lines) - end + CONTEXT_LINES]
        yield from [line for line in lines[:start] if line.startswith("[")][-1:]


def _leaves(link: str, target: str) -> bool:
    """Whether a link may lead out; so it may if ``..`` stands behind a name, which may be a link itself."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    climbs = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    return target.startswith("/") or climbs > link.count("/") or ".." in parts[climbs:]
