"""Kinds of input that the families' functions take, drawn at random; the ranges sit around what a bug would touch."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

Constants = Mapping[str, int | str]

LETTERS = "abdefgklmnoprstu"
NESTINGS = ("()", "(())", "()()", "(()())", "((()))", "(())()", "()(())", "a(b)c", "((a)b)")


def _near(random: Random, constants: Constants) -> int:
    """One of the family's numbers, or close to it."""
    around = [value for value in constants.values() if isinstance(value, int)]
    return random.choice(around) + random.choice((-3, -1, 0, 0, 1, 3))


def _word(random: Random, longest: int = 9) -> str:
    return "".join(random.choice(LETTERS) for _ in range(random.randint(2, longest)))


def _pairs(random: Random, constants: Constants) -> str:
    """``a=1,b=23``, with the family's own signs; a key may come twice."""
    keys = [random.choice("abxy") for _ in range(random.randint(1, 4))]
    pairs = [f"{key}{constants['equals']}{random.randint(1, 40)}" for key in keys]
    return str(constants["separator"]).join(pairs)


def _sums(random: Random) -> str:
    """``12+3-40``, or one number alone."""
    further = [random.choice("+-") + str(random.randint(1, 40)) for _ in range(random.randint(0, 3))]
    return str(random.randint(1, 40)) + "".join(further)


def _runs(random: Random) -> str:
    """Letters of which some come several times in a row."""
    return "".join(random.choice("abd") * random.randint(1, 4) for _ in range(random.randint(1, 4)))


def _range(random: Random) -> list[int]:
    start = random.randint(0, 12)
    return [start, start + random.randint(1, 6)]


KINDS: Mapping[str, Callable[[Random, Constants], Any]] = {
    "numbers": lambda random, _: [random.randint(-5, 20) for _ in range(random.randint(2, 6))],
    "few": lambda random, _: [random.randint(1, 3) for _ in range(random.randint(1, 6))],
    "near": _near,
    "numbers-near": lambda random, constants: [_near(random, constants) for _ in range(random.randint(2, 6))],
    "small": lambda random, _: random.randint(1, 25),
    "large": lambda random, _: random.randint(10, 9999),
    "word": lambda random, _: _word(random),
    "words": lambda random, _: [_word(random, 4) for _ in range(random.randint(1, 3))],
    "pairs": _pairs,
    "ranges": lambda random, _: [_range(random) for _ in range(random.randint(2, 4))],
    "sums": lambda random, _: _sums(random),
    "runs": lambda random, _: _runs(random),
    "brackets": lambda random, _: random.choice(NESTINGS),
}
