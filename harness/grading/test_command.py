"""An instance's own test command, and where in it the test files are named."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.grading.specification import END_MARKER, START_MARKER, files_of
from harness.grading.testbed import Testbed

SAFE_PATH = re.compile(r"[\w./+-]+")  # needs no quoting, whatever quotes it stands in

_TEST_FILE = re.compile(
    r"(?:.*/)?(?:test_[^/]*|[^/]*_test|tests?)\.(?:py|go|c|cc|cpp|rs|php)"
    r"|(?:.*/)?[^/]*\.(?:test|spec)\.[cm]?[jt]sx?|(?:.*/)?[^/]*_(?:spec|test)\.rb|(?:.*/)?[^/]+Tests?\.(?:java|php)"
)


@dataclass(frozen=True)
class Suite:
    """How an instance's tests are run, and where in that the test files are named."""

    text: str
    start: int = 0  # the names' place in the text; end 0: it names none, so it runs what it runs
    end: int = 0
    quote: str = ""
    separator: str = " "
    dotted: bool = False  # Django's labels: a file below tests/ by its module's name

    def eligible(self, paths: Sequence[str]) -> list[str]:
        """The test files among a snapshot's paths that this command can be given, in the same order."""
        found = [path for path in paths if _TEST_FILE.fullmatch(path) and SAFE_PATH.fullmatch(path)]
        if not self.dotted:
            return found
        return [path for path in found if path.startswith("tests/") and path.endswith(".py")]

    def over(self, paths: Sequence[str]) -> str:
        """The command that runs these test files, or, if it names none, the command as it is."""
        if not self.end:
            return self.text
        names = [f"{self.quote}{_dotted(path) if self.dotted else path}{self.quote}" for path in paths]
        return self.text[: self.start] + self.separator.join(names) + self.text[self.end :]


def read_suite(testbed: Testbed) -> Suite:
    """The command between the evaluation script's markers, with the place of the row's test files in it."""
    text = _between(testbed.specification.script)
    plain = {path for part in files_of(testbed.instance.test_patch) for path in part}
    dotted = {_dotted(path) for path in plain if path.startswith("tests/") and path.endswith(".py")}
    names = "|".join(re.escape(name) for name in sorted(plain | dotted, key=len, reverse=True))
    if not names:
        return Suite(text)
    item = rf"""(?<![\w./-])(?P<quote>['"]?)(?P<name>{names})(?P=quote)(?![\w./-])"""
    others = rf"""(?:(?P<separator>,?\s+)(?P=quote)(?:{names})(?P=quote)(?![\w./-]))*"""
    found = re.search(item + others, text)
    if not found:
        return Suite(text)
    separator = found["separator"] or (", " if found["quote"] else " ")
    return Suite(text, found.start(), found.end(), found["quote"], separator, found["name"] in dotted)


def _between(script: str) -> str:
    lines = script.splitlines()
    start, end = (next(n for n, line in enumerate(lines) if marker in line) for marker in (START_MARKER, END_MARKER))
    return "\n".join(lines[start + 1 : end])


def _dotted(path: str) -> str:
    return path.removeprefix("tests/").removesuffix(".py").replace("/", ".")
