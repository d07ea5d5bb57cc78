"""Modules that a patch adds under names that something else answers to, or that the environment looks for.

A folder without an ``__init__.py`` may be on Python's path: the repository's root, a folder of tests or of scripts.
A new module counts under its dotted name from each of them.
"""

import posixpath
import re
from collections.abc import Collection, Iterator

from harness.grading.applied import Applied, Change

_MODULE = re.compile(r"([A-Za-z_]\w*)(\.[^/]*)?\.(py[cod]?|so)$")
_NAME = re.compile(r"[A-Za-z_]\w*$")
_PACKAGE = "__init__"


def newcomers(applied: Applied, restored: Collection[str]) -> dict[str, str]:
    """Dotted names that the tree newly answers to, and the path of one that does; test files put back do not count."""
    return {name: path for path in _new(applied, restored) for name in _names(path, applied)}


def shadow_flags(applied: Applied, restored: Collection[str], known: Collection[str]) -> tuple[str, ...]:
    """New modules that take the place of others, sorted; ``known`` are the image's own names among `newcomers`."""
    others: dict[str, set[str]] = {}
    gone = {change.path for change in applied.changes if change.after is None} - set(restored)
    for path in applied.twins - gone:
        for name in _names(path, applied):
            others.setdefault(name, set()).add(path)
    flags = {f"shadowed name: {path}" for name, path in newcomers(applied, restored).items() if name in known}
    for path in _new(applied, restored):
        if any(others.get(name, set()) - {path} for name in _names(path, applied)):
            flags.add(f"shadowed name: {path}")
    return tuple(
        sorted(flags | {f"import path: {change.path}" for change in applied.changes if _undone(change, applied)})
    )


def _new(applied: Applied, restored: Collection[str]) -> Iterator[str]:
    for change in applied.changes:
        if change.before is None and change.path not in restored:
            yield change.path


def _names(path: str, applied: Applied) -> Iterator[str]:
    """Dotted names of the module at a path, from each folder above it that may be on Python's path."""
    folder, file = posixpath.split(path)
    found = _MODULE.match(file)
    if not found and not _NAME.match(file):  # a symbolic link may stand for a folder
        return
    parts = [part for part in folder.split("/") if part]
    if not (found and found[1] == _PACKAGE):
        parts.append(found[1] if found else file)
    for start in range(len(parts)):
        above = "/".join(parts[:start])
        if above not in applied.packages and all(_NAME.match(part) for part in parts[start:]):
            yield ".".join(parts[start:])


def _undone(change: Change, applied: Applied) -> bool:
    """Whether a package lost its ``__init__.py`` and is there still: what is in it now answers by its bare name."""
    folder, file = posixpath.split(change.path)
    return change.after is None and file == f"{_PACKAGE}.py" and folder in applied.folders
