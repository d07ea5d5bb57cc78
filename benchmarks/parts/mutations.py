"""Mutated gold patches: what the gold patch makes of a file, with one line near its changes altered."""

import ast
import random
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.repo.diff import FileDiff, Replacement, change_patch, parse_patch, replaced, split_lines

REACH = 12  # lines on either side of a change that may be altered
# A pattern and what takes the place of its first find on a line.
OPERATORS: tuple[tuple[str, str], ...] = (
    (r" == ", " != "),
    (r" != ", " == "),
    (r" < ", " >= "),
    (r" > ", " <= "),
    (r" and ", " or "),
    (r" or ", " and "),
    (r" is not ", " is "),
    (r" not in ", " in "),
    (r"\bTrue\b", "False"),
    (r"\bFalse\b", "True"),
    (r"\bif (?!not )", "if not "),
    (r"\bnot ", ""),
    (r" \+ ", " - "),
    (r"\breturn \S.*", "return None"),
    (r"\b(\d+)\b", r"\g<1>1"),
    (r"\[0\]", "[-1]"),
    (r"^(\s*)\S.*", r"\1pass"),
)


def mutants(instance: Instance, snapshot: Snapshot, count: int, seed: int) -> list[str]:
    """At most ``count`` different patches that apply to the snapshot and keep Python files readable."""
    drawn = random.Random(f"{seed} {instance.instance_id}")
    patches: dict[str, None] = {}
    found = [mutant for file in parse_patch(instance.patch) for mutant in _mutants_of(file, snapshot)]
    drawn.shuffle(found)
    for path, base, lines in found:
        if len(patches) == count:
            break
        if _parses(lines):
            patches[change_patch(path, base, list(_replacements(base, lines)))] = None
    return list(patches)


def _mutants_of(file: FileDiff, snapshot: Snapshot) -> Iterator[tuple[str, list[bytes], list[bytes]]]:
    if not file.path.endswith(".py") or file.old_path != file.new_path:
        return
    base = split_lines(snapshot.read(file.path))
    fixed = split_lines(replaced(base, list(_changes(file))))
    near = {
        number
        for tag, _, _, start, end in SequenceMatcher(None, base, fixed, autojunk=False).get_opcodes()
        if tag != "equal"
        for number in range(max(0, start - REACH), min(len(fixed), end + REACH))
    }
    for number in sorted(near):
        for pattern, replacement in OPERATORS:
            line = fixed[number].decode("utf-8", "surrogateescape")
            altered = re.sub(pattern, replacement, line.rstrip("\n"), count=1) + "\n"
            if altered != line:
                mutated = [*fixed[:number], altered.encode("utf-8", "surrogateescape"), *fixed[number + 1 :]]
                if mutated != base:
                    yield file.path, base, mutated


def _changes(file: FileDiff) -> Iterator[Replacement]:
    for hunk in file.hunks:
        old = sum(line[:1] in (" ", "-") for line in hunk.lines)
        start = hunk.old_start - 1 if old else hunk.old_start
        yield Replacement(start, start + old, tuple(f"{line[1:]}\n".encode() for line in hunk.lines if line[0] in " +"))


def _replacements(base: Sequence[bytes], lines: Sequence[bytes]) -> Iterator[Replacement]:
    for tag, start, end, first, last in SequenceMatcher(None, base, lines, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Replacement(start, end, tuple(lines[first:last]))


def _parses(lines: Sequence[bytes]) -> bool:
    try:
        ast.parse(b"".join(lines))
    except SyntaxError:
        return False
    return True
