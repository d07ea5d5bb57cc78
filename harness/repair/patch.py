"""What an answer's edits come to: the patch, whether Python still parses, and what of it counts in a vote."""

from collections.abc import Iterable, Sequence

from harness.journal import content_key
from harness.python_syntax import read_syntax
from harness.repair.edits import FileChange
from harness.repo.diff import change_patch, creation_patch, replaced

PYTHON = (".py", ".pyi")


def make_patch(changes: Sequence[FileChange]) -> str:
    """The patch in git's format that makes these changes."""
    return "".join(
        change_patch(change.path, change.old.lines, change.replacements)
        if change.old
        else creation_patch(change.path, new_content(change))
        for change in changes
    )


def new_content(change: FileChange) -> bytes:
    """The file's bytes after the change."""
    return replaced(change.old.lines if change.old else (), change.replacements)


def syntax_problem(changes: Sequence[FileChange]) -> str:
    """The first Python file that the changes break, and how; empty where all that parsed before still does."""
    for change in changes:
        if change.path.endswith(PYTHON) and not read_syntax(_old_content(change)).problem:
            problem = read_syntax(new_content(change)).problem
            if problem:
                return f"{change.path}: {problem}"
    return ""


def normalise(changes: Sequence[FileChange]) -> str:
    """A key that is equal for patches of one snapshot that do the same.

    Python counts as its syntax tree without docstrings, so that comments and formatting drop out; of other files,
    and of Python that does not parse, white space does.
    """
    parts = []
    for change in changes:
        before, after = _meaning(change, _old_content(change)), _meaning(change, new_content(change))
        effect = after if before and after else _plain_effect(change)
        if effect == before:
            effect = ""
        if effect or not change.old:
            parts.append((change.path, effect))
    return content_key(changes=parts)


def _old_content(change: FileChange) -> bytes:
    return change.old.data if change.old else b""


def _meaning(change: FileChange, content: bytes) -> str:
    return read_syntax(content).meaning if change.path.endswith(PYTHON) else ""


def _plain_effect(change: FileChange) -> str:
    """Removed and added lines with their place, white space collapsed; empty where only that differs."""
    old = change.old.lines if change.old else []
    effects = []
    for replacement in change.replacements:
        removed, added = _collapsed(old[replacement.start : replacement.end]), _collapsed(replacement.lines)
        if removed != added:
            effects.append(f"{replacement.start}\n{removed}\n{added}")
    return "\n".join(effects)


def _collapsed(lines: Iterable[bytes]) -> str:
    return " ".join(b" ".join(lines).decode("latin-1").split())
