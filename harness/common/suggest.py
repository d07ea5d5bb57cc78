"""The nearest known name, for messages about a name that is not known."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """``; did you mean a, b?`` for the closest of ``known``, or an empty string when nothing is close."""
    close = get_close_matches(name, list(known), n=count, cutoff=0.6)
    return f"; did you mean {', '.join(close)}?" if close else ""
