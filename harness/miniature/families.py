"""Families of short functions: reading them, giving one names and constants, seeing what it does."""

import copy
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from random import Random
from string import Template
from textwrap import indent
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from harness.miniature.inputs import KINDS
from harness.miniature.split import Split, may_show, values_of

DATA = Path(__file__).parent


class Mutation(BaseModel):
    """One way in which a family's body can be wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["operator", "bound", "constant", "order"]
    right: str  # stands exactly once in the body, within a line
    wrong: str


class Family(BaseModel):
    """A function with its names and constants left open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    intent: str  # the docstring
    arguments: Mapping[str, str]  # placeholder -> kind of input
    constants: Mapping[str, tuple[int | str, ...]] = {}
    body: str
    mutations: tuple[Mutation, ...]

    @cached_property
    def lines(self) -> int:
        """Of the body."""
        return len(self.body.strip("\n").splitlines())

    @cached_property
    def placeholders(self) -> Sequence[str]:
        """All of them, arguments first, constants and what is counted from them included."""
        used = Template(self.intent).get_identifiers() + Template(self.body).get_identifiers()
        return list(dict.fromkeys((*self.arguments, *used)))

    def line_of(self, mutation: Mutation) -> int:
        """The line of the body that a mutation changes, from 0."""
        return self.body.strip("\n").split(mutation.right)[0].count("\n")


@dataclass(frozen=True)
class Function:
    """A family with a name, identifiers and constants put in."""

    name: str
    family: Family
    constants: Mapping[str, int | str]
    words: Mapping[str, str]  # every placeholder -> what stands there

    @property
    def intent(self) -> str:
        """What it is for, in one sentence."""
        return self._filled(self.family.intent)

    def body(self, mutations: Sequence[Mutation] = ()) -> str:
        """Source text of its body without the docstring, right or with mutations in it."""
        body = self.family.body.strip("\n")
        for mutation in mutations:
            body = body.replace(mutation.right, mutation.wrong)
        return self._filled(body)

    def source(self, mutations: Sequence[Mutation] = ()) -> str:
        """Source text, right or with mutations in it."""
        arguments = ", ".join(self.words[name] for name in self.family.arguments)
        docstring = f'"""{self.intent}"""'
        return f"def {self.name}({arguments}):\n" + indent(f"{docstring}\n{self.body(mutations)}\n", "    ")

    def compiled(self, mutations: Sequence[Mutation] = ()) -> Callable[..., Any]:
        """The function itself, right or with mutations in it: it does nothing but compute, and it ends."""
        namespace: dict[str, Any] = {}
        exec(compile(self.source(mutations), f"<{self.name}>", "exec"), namespace)
        function: Callable[..., Any] = namespace[self.name]
        return function

    def draw_inputs(self, random: Random) -> tuple[Any, ...]:
        """Arguments for one call."""
        return tuple(KINDS[kind](random, self.constants) for kind in self.family.arguments.values())

    def _filled(self, text: str) -> str:
        return Template(text).substitute(self.words)


@dataclass(frozen=True)
class Observation:
    """What a call did: the value that it returned, or the name of the exception that it raised."""

    result: str  # the value's repr, or the exception's name
    raised: bool


@cache
def families() -> tuple[Family, ...]:
    """All families, in the order of the file."""
    raw = tomllib.loads((DATA / "families.toml").read_text(encoding="utf-8"))
    return tuple(Family.model_validate(entry) for entry in raw["family"])


@cache
def vocabulary() -> Mapping[str, Sequence[str]]:
    """Words that names are made of, by purpose."""
    return tomllib.loads((DATA / "words.toml").read_text(encoding="utf-8"))


def draw_function(random: Random, family: Family, name: str, split: Split) -> Function:
    """``family`` with constants and identifiers such that the split may show the body."""
    constants = _draw_constants(random, family, split)
    words = {key: str(value) for key, value in constants.items()}
    for key, value in constants.items():
        if isinstance(value, int):
            words |= {f"{key}_more": str(value + 1), f"{key}_less": str(value - 1)}
    open_names = [placeholder for placeholder in family.placeholders if placeholder not in words]
    while True:  # ends, since every body has a name in it, and dozens of words to choose from for it
        names = random.sample(vocabulary()["locals"], len(open_names))
        function = Function(name, family, constants, words | dict(zip(open_names, names, strict=True)))
        if may_show(split, function.body()):
            return function


def _draw_constants(random: Random, family: Family, split: Split) -> dict[str, int | str]:
    drawn: dict[str, int | str] = {}
    for name, choices in family.constants.items():
        constant = f"{family.name}.{name}"
        match choices:
            case (int(low), int(high)):
                drawn[name] = random.choice(values_of(split, constant, range(low, high + 1)))
            case (int(low), int(high), str(other)):
                start = int(drawn[other])
                drawn[name] = random.choice(values_of(split, constant, range(start + low, start + high + 1)))
            case _:
                drawn[name] = random.choice(values_of(split, constant, [str(choice) for choice in choices]))
    return drawn


def observe(function: Callable[..., Any], inputs: tuple[Any, ...]) -> Observation:
    """Call a function of `Function.compiled` with a copy of ``inputs``."""
    try:
        return Observation(repr(function(*copy.deepcopy(inputs))), raised=False)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return Observation(type(error).__name__, raised=True)
