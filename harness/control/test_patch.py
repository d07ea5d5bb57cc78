"""A row's test patch with some of its files changed further."""

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from harness.repo.diff import Replacement, change_patch, creation_patch, parse_patch, split_lines

FILE_HEADER = "diff --git "


@dataclass(frozen=True)
class TestFile:
    """A file of a test patch: before it is applied, and after."""

    __test__ = False  # no class of tests, whatever pytest makes of its name

    before: bytes | None  # None: the patch adds it
    after: bytes


def added_lines(test_patch: str) -> dict[str, Collection[int]]:
    """By path, the numbers (from 0) of the lines that a test patch adds. Raises PatchError if it is none."""
    found: dict[str, Collection[int]] = {}
    for file in parse_patch(test_patch):
        numbers = set()
        for hunk in file.hunks:
            number = hunk.new_start - 1
            for line in hunk.lines:
                if line.startswith("+"):
                    numbers.add(number)
                number += line[:1] in ("+", " ")
        if file.new_path:
            found[file.new_path] = numbers
    return found


def changed_test_patch(test_patch: str, files: Mapping[str, TestFile], changed: Mapping[str, bytes]) -> str | None:
    """The test patch that leaves these files ``changed``; None if it names one of them in a way that is not read."""
    sections = [FILE_HEADER + part for part in f"\n{test_patch}".split(f"\n{FILE_HEADER}")[1:]]
    left = dict(changed)
    parts = []
    for section in sections:
        [file] = parse_patch(section) or [None]
        path = file.path if file else ""
        if path in left:
            section = _section(path, files[path], left.pop(path), section)
        parts.append(section if section.endswith("\n") else f"{section}\n")
    return None if left else "".join(parts)


def _section(path: str, file: TestFile, content: bytes, section: str) -> str:
    if file.before is None:
        patch = creation_patch(path, content)
        return patch.replace("100644", "100755", 1) if "\nnew file mode 100755" in section else patch
    lines, new = split_lines(file.before), split_lines(content)
    matcher = difflib.SequenceMatcher(None, lines, new, autojunk=False)
    replacements = [Replacement(i, j, tuple(new[k:m])) for tag, i, j, k, m in matcher.get_opcodes() if tag != "equal"]
    return change_patch(path, lines, replacements)
