"""What training may show and what is held back: names, bodies, constants, kinds of bug, parted by fixed rules.

Train and the two others, held-out and transfer, share words, module names, local identifiers and constants with fewer
than three possible values. They share no function name, no package name, no function's body, and no value of any other
constant, though what one family's constant holds back another's may show. A tenth of the kinds of bug come in transfer
alone. The rules hold for right code and for constants: single lines of bodies can be equal, a mutation may name a
neighbouring number, and arguments of calls are drawn alike in all splits.
"""

from collections.abc import Sequence
from typing import Literal, TypeVar
from zlib import crc32

Split = Literal["train", "held-out", "transfer"]
TEXTS_PER_HELD_OUT = 5
VALUES_PER_HELD_OUT = 3
CELLS_PER_TRANSFER = 10

Value = TypeVar("Value", int, str)


def may_show(split: Split, text: str) -> bool:
    """Whether packages of the split may have this name or this body; about a fifth of all is not for training."""
    return (crc32(text.encode()) % TEXTS_PER_HELD_OUT == 0) == (split != "train")


def values_of(split: Split, constant: str, values: Sequence[Value]) -> list[Value]:
    """Those of a constant's possible values that the split may show: each third number or text is not for training.

    Numbers go by their value, so that a range parts in the same way wherever it begins; texts go by their place. At
    which of three it begins the constant's own name decides: what one function's constant holds back others show.
    """
    if len(values) < VALUES_PER_HELD_OUT:
        return list(values)
    first = crc32(constant.encode())
    marks = [first + (value if isinstance(value, int) else place) for place, value in enumerate(values)]
    return [
        value
        for value, mark in zip(values, marks, strict=True)
        if (mark % VALUES_PER_HELD_OUT == 0) == (split != "train")
    ]


def is_transfer(place: int) -> bool:
    """Whether the bug at this place, in the families' order, is kept for transfer."""
    return place % CELLS_PER_TRANSFER == CELLS_PER_TRANSFER // 2
