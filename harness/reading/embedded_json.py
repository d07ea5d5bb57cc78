"""JSON between other words of an answer."""

import json
import re
from collections.abc import Iterable
from typing import Any

from harness.reading.path_names import looks_like_path

DEEPEST = 3  # strings within strings

_STRING = re.compile(r'"(?:[^"\\]|\\["\\/bfnrtu])*+(?:"|\Z)')  # one without an end is looked through once


def embedded_json(text: str, openings: Iterable[str]) -> Any:
    """Return the value from the first of ``openings`` to the last closing bracket, or None if that is no JSON."""
    start = min((at for at in map(text.find, openings) if at >= 0), default=-1)
    end = max(text.rfind("]"), text.rfind("}"))
    if start < 0 or end < start:
        return None
    try:
        return json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return None


def unpacked(text: str, sign: re.Pattern[str], depth: int = 0) -> str:
    """The texts that stand in strings of JSON, such as a call's parameter, and hold ``sign``; without any, the text.

    Paths that stand in strings beside them are kept, too. A string may hold JSON again.
    """
    if depth > DEEPEST or not sign.search(text):
        return text
    strings = [found[0] for found in _STRING.finditer(text) if sign.search(found[0]) or looks_like_path(found[0][1:-1])]
    found = [unpacked(_decoded(string), sign, depth + 1) for string in strings]
    return "\n".join(filter(None, found)) if any(map(sign.search, strings)) else text


def _decoded(string: str) -> str:
    try:
        return str(json.loads(string, strict=False)).encode("utf-8", "replace").decode()
    except ValueError:
        return ""
