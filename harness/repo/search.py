"""How relevant texts are to an issue."""

import re
from collections import Counter
from collections.abc import Sequence
from math import fsum, log

_WORD = re.compile(r"[^\W\d_]{2,}|\d+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def words(text: str) -> set[str]:
    """The lower-case words of a text; names fall into the words they are written from."""
    return {word.lower() for word in _WORD.findall(_HUMP.sub(" ", text))}


def relevance(query: str, texts: Sequence[str]) -> list[float]:
    """For each text, the summed weight of the words that it shares with the query; rare words weigh more.

    The weight of a word is log(1 + N / n) if n of the N texts hold it.
    """
    wanted = words(query)
    shared = [words(text) & wanted for text in texts]
    holders = Counter(word for found in shared for word in found)
    return [fsum(log(1 + len(texts) / holders[word]) for word in found) for found in shared]
