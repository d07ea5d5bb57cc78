"""A JSON value between other words of an answer."""

import json
from collections.abc import Iterable
from typing import Any


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
