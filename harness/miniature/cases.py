"""Calls of a function, with what it should return and what it returns with faults in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any

from harness.miniature.families import Function, Mutation, observe

DRAWS = 60  # calls tried to find some that show a bug, or some that do not
REPORTED = 2  # calls in an issue, and at most in a test
GUARD_DRAWS = 300  # calls tried to catch mistakes of other kinds; the rarest shows in about one of 30
SHOWING = 4  # calls that show a bug: those of the issue and those of a further test


@dataclass(frozen=True)
class Case:
    """A call with what it should return, and what the function as it stands does instead."""

    call: str  # source text
    expected: str  # repr
    seen: str  # repr, or the exception's name
    raised: bool
    alone: tuple[bool, ...] = ()  # for each of the function's faults: whether it shows without the others

    @property
    def shows_bug(self) -> bool:
        """Whether the two differ."""
        return self.raised or self.seen != self.expected


def draw_cases(random: Random, function: Function, mutations: Sequence[Mutation] = ()) -> Iterator[Case]:
    """Different calls, as many as a fixed number of draws yields."""
    right, wrong = function.compiled(), function.compiled(mutations)
    each = [wrong] if len(mutations) == 1 else [function.compiled([mutation]) for mutation in mutations]
    for call, inputs in _calls(random, function, DRAWS):
        expected, seen = observe(right, inputs), observe(wrong, inputs)
        alone = tuple(observe(one, inputs) != expected for one in each)
        yield Case(call, expected.result, seen.result, seen.raised, alone)


def _calls(random: Random, function: Function, draws: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Different calls: source text, arguments."""
    known: set[str] = set()
    for _ in range(draws):
        inputs = function.draw_inputs(random)
        call = f"{function.name}({', '.join(map(repr, inputs))})"
        if call not in known:
            known.add(call)
            yield call, inputs


def all_shown(cases: Sequence[Case]) -> bool:
    """Whether each of the function's faults, without the others, would make at least one of the calls wrong."""
    return all(map(any, zip(*(case.alone for case in cases), strict=True)))


def showing_cases(random: Random, function: Function, mutations: Sequence[Mutation]) -> list[Case]:
    """Calls that show the bug, the shortest to read first, every fault among the first ones; none if one can't be.

    Mending only some of the faults leaves at least one of those calls wrong.
    """
    showing: list[Case] = []
    for case in draw_cases(random, function, mutations):
        if case.shows_bug:
            showing.append(case)
            if len(showing) >= SHOWING and all_shown(showing):
                break
    showing.sort(key=lambda case: len(case.call + case.seen))
    if not showing or not all_shown(showing):
        return []
    first = [next(case for case in showing if case.alone[fault]) for fault in range(len(mutations))]
    return list(dict.fromkeys(first + showing))[:SHOWING]


def passing_cases(random: Random, function: Function, mutations: Sequence[Mutation]) -> list[Case]:
    """Calls that do not show the bug; fewer than are wanted, or none, if calls without it are rare."""
    return list(islice((case for case in draw_cases(random, function, mutations) if not case.shows_bug), REPORTED))


def guarding_cases(random: Random, function: Function, mutations: Sequence[Mutation]) -> list[Case]:
    """Calls that between them distinguish the right function from it with any one mistake that its family knows.

    A repair that puts one mistake in another's place does not pass them.
    """
    right, wrong = function.compiled(), function.compiled(mutations)
    unseen = [function.compiled([mutation]) for mutation in function.family.mutations]
    kept: list[Case] = []
    for call, inputs in _calls(random, function, GUARD_DRAWS):
        expected, seen = observe(right, inputs), observe(wrong, inputs)
        left = [mistaken for mistaken in unseen if observe(mistaken, inputs) == expected]
        if len(left) < len(unseen):
            kept.append(Case(call, expected.result, seen.result, seen.raised))
        unseen = left
        if not unseen:
            break
    return kept
