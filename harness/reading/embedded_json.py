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


def unpacked(text: str, sign: re.Pattern[str], around: str = "{}", depth: int = 0) -> str:
    """The texts that stand in strings of JSON, such as a call's parameter, and hold ``sign``; without any, the text.

    Paths that stand in strings beside them are kept, too. A string may hold JSON again. ``around`` is put around each
    text, in the place of its braces.
    """
    if depth > DEEPEST or not sign.search(text):
        return text
    found: list[str] = []
    for string in _STRING.findall(text):
        if sign.search(string):
            inner = _decoded(string)
            found.append(
                unpacked(inner, sign, around, depth + 1) if sign.search(inner) else around.replace("{}", inner)
            )
        elif looks_like_path(string[1:-1]):
            found.append(string[1:-1])
    return "\n".join(filter(None, found)) if any(map(sign.search, _STRING.findall(text))) else text


def _decoded(string: str) -> str:
    try:
        return str(json.loads(string, strict=False)).encode("utf-8", "replace").decode()
    except ValueError:
        return ""
