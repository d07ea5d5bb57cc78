"""Checkpoints of a run file that are named by a pattern, such as ``runs/{strategy}.seed{seed}/step-{step}``."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.config.path_types import ADAPTER, Written
from harness.core.groups import read_count
from harness.errors import InputError

FOLDERS = {"path": "config.json", "adapter": ADAPTER}  # key that may hold a pattern -> what makes a folder one
# fields that are keys of a checkpoint; how numbers among them are read
NUMBERS: dict[str, Callable[[str], float]] = {"seed": int, "step": int, "tokens": read_count}
OWN = ("strategy", *NUMBERS)

_PART = re.compile(r"\{(?P<field>[^{}]*)\}|\*")
_DIGITS = r"\d+"
_COUNT = r"\d+(?:\.\d+)?[kKMBT]?"


def expand(entry: Any, may_be_empty: bool = False) -> list[Any] | None:
    """The checkpoints that an entry of the list stands for, in natural order; None for one without a pattern.

    The fields in braces are read from each path: ``strategy``, ``seed``, ``step`` and ``tokens`` become the keys of
    that name, any other a label. ``name`` may use the fields, too; without it, a name is made of the path. Raises
    InputError for a pattern that is none, and, unless it ``may_be_empty``, for one that no checkpoint matches.
    """
    if not isinstance(entry, Mapping):
        return None
    key = next((k for k in FOLDERS if isinstance(entry.get(k), str) and re.search(r"[*{]", entry[k])), None)
    if key is None:
        return None
    pattern = entry[key]
    matching = _expression(key, pattern)
    root = pattern.folder if isinstance(pattern, Written) else Path()
    below = Path(pattern).relative_to(Path(pattern).anchor)
    found = {}
    for place in (Path(Path(pattern).anchor) if Path(pattern).is_absolute() else root).glob(_PART.sub("*", str(below))):
        matched = matching.fullmatch(str(place if Path(pattern).is_absolute() else place.relative_to(root)))
        if matched and (place / FOLDERS[key]).is_file():
            found[str(place)] = matched.groupdict()
    if not found and not may_be_empty:
        raise InputError(f"{key}: no folder with a {FOLDERS[key]} matches {pattern}")
    return [_filled(entry, key, pattern, place, found[place]) for place in sorted(found, key=_natural)]


def _expression(key: str, pattern: str) -> re.Pattern[str]:
    """The pattern as a regular expression over whole paths."""
    kinds = {"seed": _DIGITS, "step": _DIGITS, "tokens": _COUNT}
    text, end, seen = "", 0, set()
    for part in _PART.finditer(str(Path(pattern))):
        text += re.escape(str(Path(pattern))[end : part.start()])
        name, end = part["field"], part.end()
        if name is None:
            text += "[^/]*"
        elif not name.isidentifier():
            raise InputError(f"{key}: {{{name}}} is no field; write a name such as {{seed}}")
        elif name in seen:
            text += f"(?P={name})"
        else:
            text += f"(?P<{name}>{kinds.get(name, '[^/]+?')})"
            seen.add(name)
    return re.compile(text + re.escape(str(Path(pattern))[end:]))


def _filled(entry: Mapping[str, Any], key: str, pattern: str, place: str, fields: Mapping[str, str]) -> dict[str, Any]:
    own: dict[str, Any] = {name: read(fields[name]) for name, read in NUMBERS.items() if name in fields}
    if "strategy" in fields:
        own["strategy"] = fields["strategy"]
    labels = {name: text for name, text in fields.items() if name not in OWN}
    given = entry.get("labels") or {}
    filled = {**own, **entry, key: place, "name": _name(entry, key, pattern, place, fields)}
    return {**filled, "labels": {**labels, **given}} if labels and isinstance(given, Mapping) else filled


def _name(entry: Mapping[str, Any], key: str, pattern: str, place: str, fields: Mapping[str, str]) -> str:
    if isinstance(template := entry.get("name"), str):
        try:
            return _PART.sub(lambda part: fields[part["field"]], template)
        except KeyError as error:
            raise InputError(f"name: {template!r} has no field of {key}: {pattern}") from error
    fixed = next(n for n, part in enumerate(Path(pattern).parts) if _PART.search(part)) - len(Path(pattern).parts)
    return re.sub(r"[^A-Za-z0-9._+-]", "-", ".".join(Path(place).parts[fixed:]))


def _natural(path: str) -> list[tuple[int, int, str]]:
    """A key by which numbers in paths go by their value."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", path)]
