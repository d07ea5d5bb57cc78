"""The scripts that validation runs: an instance's own set-up and test command, without anything of its hidden tests.

The row's evaluation script holds the row's test patch. It is cut out here, and the test files that the script
names are replaced by files of the base state, so that nothing a candidate is chosen by comes from the hidden tests.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.common.collect import collect
from harness.common.resources import resource, templates
from harness.errors import InputError
from harness.grading.scripts import Script
from harness.grading.specification import END_MARKER, START_MARKER, files_of
from harness.grading.testbed import Testbed

SAFE_PATH = re.compile(r"[\w./+-]+")  # needs no quoting, whatever quotes it stands in

_HEREDOC = re.compile(r"""^[^\n]*<<-?[ ]*(['"]?)(\w+)\1[^\n]*\n.*?^\2\n""", re.MULTILINE | re.DOTALL)
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


def check_separable(testbeds: Mapping[str, Testbed]) -> None:
    """Raises InputError naming every instance whose hidden tests can't be kept out of what validation runs.

    ``testbeds`` go by instance id.
    """
    instances = [testbed.instance for testbed in testbeds.values()]
    collect(instances, lambda instance: _set_up(testbeds[instance.instance_id]))


def suite_script(testbed: Testbed, command: Suite, paths: Sequence[str]) -> Script:
    """The script that runs these test files of the base state, whatever a patch has made of them.

    Raises InputError if the row's test patch can't be taken out of its evaluation script.
    """
    restored = paths if command.end else ()
    return Script(_render(testbed, command.over(paths), restored), {})


def program_script(testbed: Testbed, command: str, files: dict[str, str]) -> Script:
    """The script that runs a command over files of our own. Raises InputError as `suite_script` does."""
    return Script(_render(testbed, command, ()), files)


def marked_region(output: str) -> str | None:
    """What a script of ours printed between its markers; None if it never came there."""
    _, started, rest = f"\n{output}".partition(f"\n{START_MARKER}\n")
    before, ended, _ = f"\n{rest}".rpartition(f"\n{END_MARKER}\n")
    return (before if ended else rest) if started else None


def _render(testbed: Testbed, command: str, restored: Sequence[str]) -> str:
    return (
        templates(resource("docker"))
        .get_template("command.sh.jinja")
        .render(
            setup=_set_up(testbed),
            restored=shlex.join(restored),
            command=command,
            start_marker=START_MARKER,
            end_marker=END_MARKER,
        )
    )


def _set_up(testbed: Testbed) -> str:
    """What the evaluation script does before its tests, without putting the test patch in."""
    instance = testbed.instance
    lines = testbed.specification.script.splitlines(keepends=True)
    marker = next(number for number, line in enumerate(lines) if START_MARKER in line)
    kept = _HEREDOC.sub("", "".join(lines[:marker]))
    hidden = {line for line in instance.test_patch.splitlines() if line.startswith("+") and line.strip("+ ")}
    if hidden & set(kept.splitlines()):
        raise InputError(
            f"{instance.instance_id}: the hidden tests can't be told apart from the rest of the row's eval_script, "
            "so its candidates can't be validated; switch validation off for it"
        )
    return kept.rstrip("\n")


def _between(script: str) -> str:
    lines = script.splitlines()
    start, end = (next(n for n, line in enumerate(lines) if marker in line) for marker in (START_MARKER, END_MARKER))
    return "\n".join(lines[start + 1 : end])


def _dotted(path: str) -> str:
    return path.removeprefix("tests/").removesuffix(".py").replace("/", ".")
