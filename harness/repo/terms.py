"""Words of source files by the part of the file that they stand in: what retrieval counts, kept by content.

A file falls into segments that do not overlap and cover it: each outermost function or method, what is left of
each outermost class, and what is left of the file. A document of any size is a set of segments.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from harness.repo.symbols import Element

VERSION = 1  # of what is stored
SEGMENT = np.dtype([("first", "<u4"), ("length", "<u4"), ("unit", "<u4")])
PAIR = np.dtype([("word", "<u8"), ("segment", "<u4"), ("count", "<u4")])

_NAME = re.compile(rb"[A-Za-z0-9_\x80-\xff]{2,}")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\da-zA-Z_]+|\d+")


@dataclass(frozen=True)
class Terms:
    """The words of one file.

    ``segments``: first line, words in it, and the number of the segment that it belongs to as a class (its own
    if it belongs to none). ``pairs``: how often a word, by its hash, is in a segment.
    """

    segments: NDArray[np.void]
    pairs: NDArray[np.void]

    def encode(self) -> bytes:
        """As bytes for a store."""
        return len(self.segments).to_bytes(4, "little") + self.segments.tobytes() + self.pairs.tobytes()

    @classmethod
    def decode(cls, data: bytes) -> "Terms":
        """What `encode` wrote, without copying it."""
        count = int.from_bytes(data[:4], "little")
        segments = np.frombuffer(data, SEGMENT, count, offset=4)
        return cls(segments, np.frombuffer(data, PAIR, offset=4 + segments.nbytes))


@lru_cache(maxsize=1 << 18)
def name_words(name: bytes) -> tuple[int, ...]:
    """Hashes of the words of a name: the name itself and, if there are several, its parts, in lower case."""
    text = name.decode("utf-8", "replace")
    parts = [part.lower() for part in _PART.findall(text) if len(part) > 1]
    whole = text.lower()
    return tuple(_hash(word) for word in ([whole] if parts == [whole] else [whole, *parts]))


def _hash(word: str) -> int:
    # of 64 bits, so that a collision among a repository's words does not happen
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little")


def text_words(data: bytes) -> Counter[int]:
    """How often each word, by its hash, is in a text."""
    counts: Counter[int] = Counter()
    for name, count in Counter(_NAME.findall(data)).items():
        for word in name_words(name):
            counts[word] += count
    return counts


def count_terms(data: bytes, elements: Sequence[Element]) -> Terms:
    """The words of a file's bytes by segment."""
    lines = data.split(b"\n")
    owners, units = _owners(elements, len(lines))
    texts: dict[int, list[bytes]] = {0: []}
    firsts: dict[int, int] = {}
    for number, owner in enumerate(owners):
        texts.setdefault(owner, []).append(lines[number])
        firsts.setdefault(owner, number + 1)
    order = {owner: place for place, owner in enumerate(texts)}
    pairs: list[tuple[int, int, int]] = []
    segments = []
    for owner, place in order.items():
        counts = text_words(b"\n".join(texts[owner]))
        pairs += [(word, place, count) for word, count in counts.items()]
        unit = order.get(units[owner], place)
        segments.append((firsts.get(owner, 1), counts.total(), unit))
    return Terms(np.array(segments, SEGMENT), np.array(pairs, PAIR))


def _owners(elements: Sequence[Element], length: int) -> tuple[list[int], dict[int, int]]:
    """For each line the segment it is in (0: what is left of the file), and for each segment its class's."""
    owners, units = [0] * length, {0: 0}
    outer_class, outer_function = (0, 0), 0  # number and last line; last line
    for number, element in enumerate(elements, 1):
        if element.kind == "variable" or element.first <= outer_function:
            continue
        owners[element.first - 1 : element.last] = [number] * (element.last - element.first + 1)
        if element.kind == "class":
            if element.first > outer_class[1]:
                outer_class = number, element.last
        else:
            outer_function = element.last
        units[number] = outer_class[0] if element.first <= outer_class[1] else number
    return owners, units
