"""The testbed of a whole suite: the row's own set-up and test command, over every test file of the repository.

All test files are those of the row's base commit and its test patch, whatever the candidate's patch made of them.
"""

import hashlib
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from harness.common.resources import resource
from harness.errors import HarnessError, InfrastructureError
from harness.grading.job import FOLDER, split_script
from harness.grading.patch_checks import CONFTEST
from harness.grading.scripts import CommandRunner, Script
from harness.grading.specification import END_MARKER, START_MARKER
from harness.grading.test_command import read_suite
from harness.grading.testbed import Testbed, watched_files
from harness.repo.diff import parse_patch

LONGEST_COMMAND = 120_000  # bytes; Linux hands on 128 KiB in one argument
# One file that can't be collected must not end the run of all.
COLLECT_ON = 'export PYTEST_ADDOPTS="--continue-on-collection-errors ${PYTEST_ADDOPTS-}"\n'


class NoSuiteError(HarnessError):
    """An instance has no whole suite that could be run; the text says why."""


@dataclass(frozen=True)
class TrackedFiles:
    """The files of an instance's base state."""

    tree: str  # git's name for them all
    paths: tuple[str, ...]


def tracked_files(commands: CommandRunner, testbed: Testbed) -> TrackedFiles:
    """Ask the image for its files, without any patch. Raises InfrastructureError if the machine fails."""
    script = resource("docker").joinpath("tracked_files.sh").read_text(encoding="utf-8")
    ran = commands.run(testbed, Script(script, {f"{FOLDER}/base": testbed.instance.base_commit}))
    lines = [line.partition(" ") for line in ran.output.splitlines()]
    trees = [rest for kind, _, rest in lines if kind == "tree"]
    if ran.exit_status != 0 or not trees:
        raise InfrastructureError(f"the files can't be listed: status {ran.exit_status}, {ran.output[-300:]!r}")
    return TrackedFiles(trees[0], tuple(rest for kind, _, rest in lines if kind == "file"))


def suite_testbed(testbed: Testbed, tracked: TrackedFiles, named: Sequence[str]) -> tuple[Testbed, int]:
    """The testbed whose tests are those of all test files, or of those ``named`` by paths or patterns; their number.

    Raises NoSuiteError if there are none, or the test command can't be given them.
    """
    command, own = read_suite(testbed), set(watched_files(testbed.instance))
    patched = {file.new_path for file in parse_patch(testbed.instance.test_patch) if file.new_path}
    eligible = command.eligible(sorted({*tracked.paths} - own | patched))
    chosen = [path for path in eligible if not named or any(fnmatchcase(path, pattern) for pattern in named)]
    if named and not command.end:
        raise NoSuiteError("its test command names no test files, so none can be chosen")
    if command.end and not chosen:
        among = f"none of its {len(eligible)} test files is among the named ones" if eligible else "it has no test file"
        raise NoSuiteError(among)
    commands = [command.over(group) for group in _groups(chosen, tracked.paths)] if command.end else [command.over(())]
    if max(len(text.encode()) for text in commands) > LONGEST_COMMAND:
        raise NoSuiteError(f"{len(chosen)} test files are more than one command takes; name some of them")
    # of several, no status says anything: a test without a result is one that does not pass
    tests = "\n".join([*commands, "true"] if len(commands) > 1 else commands)
    restored = tuple(path for path in eligible if path not in own)
    setup, _ = split_script(testbed.specification.script)
    script = f"{setup}{_restoring(tracked.tree, restored)}{COLLECT_ON}"
    script += f": '{START_MARKER}'\n{tests}\n: '{END_MARKER}'\n"
    bed = replace(testbed, specification=replace(testbed.specification, script=script), restored=restored)
    return bed, len(chosen) or len(eligible)


def _groups(chosen: Sequence[str], paths: Sequence[str]) -> list[list[str]]:
    """Test files that pytest loads the same configuration for: one that can't be loaded ends a run without results."""
    folders = {posixpath.dirname(path) for path in paths if posixpath.basename(path) == CONFTEST}
    groups: dict[tuple[str, ...], list[str]] = {}
    for path in chosen:
        above = ("", *(path[:place] for place, sign in enumerate(path) if sign == "/"))
        groups.setdefault(tuple(folder for folder in above if folder in folders), []).append(path)
    return list(groups.values())


def _restoring(tree: str, paths: Sequence[str]) -> str:
    """Bash that puts these files back as a tree has them."""
    if not paths:
        return ""
    listed = "".join(f"{path}\n" for path in paths)
    delimiter = "EOF_" + hashlib.sha256(listed.encode()).hexdigest()[:16]
    return f"(cd /testbed && xargs git checkout -q {tree} --) <<'{delimiter}' || exit 97\n{listed}{delimiter}\n"
