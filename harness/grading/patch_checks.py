"""What a patch may not do, and what a reader should know of it, seen before anything of it runs.

Refused is what no honest patch needs: paths that leave the repository or enter ``.git``, symbolic links out, sizes
that no reviewer reads. Flagged is what some honest patches do and a cheat needs: test configuration, hooks that run
when Python or the test runner starts, the runner itself, ending the process, printing what a parser takes for results.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_PATCH_BYTES = 10 << 20
LINK_MODE = "120000"
NULL = "/dev/null"

TEST_CONFIGURATION = {"conftest.py", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "noxfile.py"}
START_UP = re.compile(r"(^|/)(sitecustomize\.py|usercustomize\.py|[^/]*\.pth)$")
RUNNERS = re.compile(
    r"""(^|/)(_pytest|pluggy|unittest)/ | (^|/)pytest\.py$ | ^django/test/ | ^tests/runtests\.py$ | ^bin/test$
    | ^sympy/(testing/|utilities/runtests\.py$) | ^lib/matplotlib/testing/ | ^astropy/tests/""",
    re.VERBOSE,
)
WORDS = "words of a test result"
COMMENT = re.compile(r"\s*(#|//)")  # a line that is one prints no result: the parsers would read the sign, too
PROJECT_SECTIONS = re.compile(r"pytest|tool\.tox|ini_options|addopts|testpaths|entry-points|entry_points")
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
}

_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_HEADER = re.compile(r"(?:---|\+\+\+|rename from|rename to|copy from|copy to) (.*)")
_GIT_HEADER = re.compile(r'diff --git ("?a/.*?"?) ("?b/.*"?)$')
_MODE = re.compile(r"(?:new file mode|new mode) (\d+)")


@dataclass
class Part:
    """What a patch does to one file, as far as its headers and added lines show."""

    paths: list[str]
    link: bool
    added: list[str]
    text: list[str]  # all lines of its hunks and their headings


def refusal(patch: str) -> str:
    """Why the patch is not even tried, in one line; empty if nothing speaks against it."""
    size = len(patch.encode("utf-8", "surrogateescape"))
    if size > MAX_PATCH_BYTES:
        return f"the patch has {size:,} bytes; more than {MAX_PATCH_BYTES:,} are not taken"
    for part in _parts(patch):
        for path in part.paths:
            problem = _path_problem(path)
            if problem:
                return f"the patch names a path {problem}: {path[:200]}"
        if part.link and any(_leaves(part.paths[-1], target) for target in part.added):
            return f"the patch makes a symbolic link out of the repository: {part.paths[-1][:200]}"
    return ""


def patch_flags(patch: str) -> tuple[str, ...]:
    """What in the patch could bend the results, as ``kind: path``, sorted."""
    flags: set[str] = set()
    for part in _parts(patch):
        flags |= {f"{kind}: {path}" for path in part.paths for kind in _kinds(path, part)}
        path = part.paths[-1] if part.paths else "?"
        flags |= {
            f"{kind}: {path}"
            for kind, pattern in SUSPECT.items()
            if any(pattern.search(line) for line in part.added if kind != WORDS or not COMMENT.match(line))
        }
    return tuple(sorted(flags))


def _kinds(path: str, part: Part) -> Iterator[str]:
    name = posixpath.basename(path)
    if name in TEST_CONFIGURATION:
        yield "test configuration"
    if name in ("pyproject.toml", "setup.py") and any(PROJECT_SECTIONS.search(line) for line in part.text):
        yield "test configuration"
    if START_UP.search(path):
        yield "start-up hook"
    if RUNNERS.search(path):
        yield "test runner"


def _path_problem(path: str) -> str:
    if path.startswith("/") or re.match(r"[A-Za-z]:[\\/]", path):
        return "from the root"
    parts = re.split(r"[/\\]", path)
    if ".." in parts:
        return "that leaves the repository"
    if any(part.lower() in (".git", "git~1") for part in parts):
        return "inside .git"
    return "that holds a null byte" if "\0" in path else ""


def _leaves(link: str, target: str) -> bool:
    return target.startswith("/") or posixpath.normpath(posixpath.join(posixpath.dirname(link), target)).startswith(
        ".."
    )


def _parts(patch: str) -> Iterator[Part]:
    """The files of a patch. Headers are distinguished from content by the hunks' own counts, as git and patch do."""
    part = Part([], False, [], [])
    old = new = 0
    for line in patch.split("\n"):
        if old > 0 or new > 0:
            sign = line[:1]
            old -= sign in ("-", " ", "")
            new -= sign in ("+", " ", "")
            part.text.append(line)
            if sign == "+":
                part.added.append(line[1:].rstrip("\r"))
            continue
        hunk = _HUNK.match(line)
        if hunk:
            old, new = (int(count) if count is not None else 1 for count in hunk.groups())
            part.text.append(line)
            continue
        if line.startswith("diff ") or (line.startswith("--- ") and part.text):
            yield part
            part = Part([], False, [], [])
        mode = _MODE.match(line)
        part.link |= mode is not None and mode[1] == LINK_MODE
        part.paths += [path for path in _paths(line) if path not in part.paths]
    yield part


def _paths(header: str) -> Iterable[str]:
    git, plain = _GIT_HEADER.match(header), _HEADER.match(header)
    names = git.groups() if git else (plain[1],) if plain else ()
    for name in names:
        name = name.split("\t")[0].rstrip("\r").strip()
        if name.startswith('"'):
            name = name.strip('"').encode("utf-8", "surrogateescape").decode("unicode_escape", "replace")
        if name != NULL:
            yield name[2:] if name[:2] in ("a/", "b/") else name
