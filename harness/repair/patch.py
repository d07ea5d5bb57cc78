"""What an answer's edits come to: the patch, whether Python still parses, and what of it counts in a vote."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from harness.common.hashing import content_key
from harness.core.candidate import Effect
from harness.repair.edits import FileChange
from harness.repo.diff import change_patch, creation_patch, deletion_patch, split_lines
from harness.repo.meaning import source_meaning
from harness.repo.python_syntax import Syntax, read_syntax
from harness.repo.symbols import language_of

PYTHON = (".py", ".pyi")


def make_patch(changes: Sequence[FileChange]) -> str:
    """The patch in git's format that makes these changes."""
    return "".join(map(_file_patch, changes))


def _file_patch(change: FileChange) -> str:
    if change.old is None:
        return creation_patch(change.path, change.content)
    if change.deleted:
        return deletion_patch(change.path, change.old.data, change.mode)
    return change_patch(change.path, change.old.lines, change.replacements)


def syntax_problem(changes: Sequence[FileChange]) -> str:
    """The first Python file that the changes break, and how; empty if all that parsed before still does."""
    for change in changes:
        before, after = _python(change)
        if after.problem and not before.problem:
            return f"{change.path}: {after.problem}"
    return ""


def normalise(changes: Sequence[FileChange]) -> str:
    """A key that is equal for patches of one snapshot that do the same.

    Python counts as its syntax tree without docstrings, other languages as their tokens, so that comments and
    formatting drop out; of other files, and of source that does not parse, white space does.
    """
    parts = []
    for change in changes:
        before, after = _meanings(change)
        effect = after if before and after else _plain_effect(change)
        if effect == before:
            effect = ""
        if effect or not change.old or change.deleted:
            parts.append((change.path, effect))
    return content_key(changes=parts)


def read_effect(changes: Sequence[FileChange]) -> Effect:
    """What the changes can do: nothing if all of them are in blank lines, or in what does not run."""
    effects = {_file_effect(change) for change in changes}
    return next(effect for effect in (Effect.CODE, Effect.FORMATTING, Effect.BLANK_LINES) if effect in effects)


def _file_effect(change: FileChange) -> Effect:
    if change.old is None or change.deleted:
        return Effect.CODE
    before, after = _meanings(change)
    if before != after:
        return Effect.CODE  # also if a blank line was in a string
    old, new = change.old.lines, split_lines(change.content)
    if [line.rstrip() for line in old if line.strip()] == [line.rstrip() for line in new if line.strip()]:
        return Effect.BLANK_LINES
    return Effect.FORMATTING if before else Effect.CODE


def _meanings(change: FileChange) -> tuple[str, str]:
    """What the file means before and after, as keys; empty if that is unknown, or the file is deleted."""
    language = language_of(change.path)
    if language == "python" or language is None or change.deleted:
        before, after = _python(change)
        return before.meaning, after.meaning
    return source_meaning(change.old.data if change.old else b"", language), source_meaning(change.content, language)


@lru_cache(maxsize=32)
def _python(change: FileChange) -> tuple[Syntax, Syntax]:
    """What Python makes of the file before and after; nothing of another file, or of one that is deleted."""
    if not change.path.endswith(PYTHON) or change.deleted:
        return Syntax(""), Syntax("")
    return read_syntax(change.old.data if change.old else b""), read_syntax(change.content)


def _plain_effect(change: FileChange) -> str:
    """Removed and added lines with their place, white space collapsed; empty if only that differs."""
    old = change.old.lines if change.old else []
    effects = []
    for replacement in change.replacements:
        removed, added = _collapsed(old[replacement.start : replacement.end]), _collapsed(replacement.lines)
        if removed != added:
            effects.append(f"{replacement.start}\n{removed}\n{added}")
    return "\n".join(effects)


def _collapsed(lines: Iterable[bytes]) -> str:
    return " ".join(b" ".join(lines).decode("latin-1").split())
