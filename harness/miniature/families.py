"""Families of short functions: reading them, giving one names and constants, seeing what it does."""

import copy
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from string import Template
from textwrap import indent
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from harness.miniature.inputs import KINDS

DATA = Path(__file__).parent


class Mutation(BaseModel):
    """One way in which a family's body can be wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["operator", "bound", "constant", "order"]
    right: str  # stands exactly once in the body
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

    def source(self, mutation: Mutation | None = None) -> str:
        """Source text, right or with one mutation in it."""
        body = self.family.body.strip("\n")
        if mutation is not None:
            body = body.replace(mutation.right, mutation.wrong)
        arguments = ", ".join(self.words[name] for name in self.family.arguments)
        docstring = f'"""{self.intent}"""'
        return f"def {self.name}({arguments}):\n" + indent(f"{docstring}\n{self._filled(body)}\n", "    ")

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


def draw_function(random: Random, family: Family, name: str) -> Function:
    """``family`` with identifiers and constants of its own."""
    constants = _draw_constants(random, family)
    words = {key: str(value) for key, value in constants.items()}
    for key, value in constants.items():
        if isinstance(value, int):
            words |= {f"{key}_more": str(value + 1), f"{key}_less": str(value - 1)}
    used = dict.fromkeys(Template(family.intent).get_identifiers() + Template(family.body).get_identifiers())
    open_names = [placeholder for placeholder in (*family.arguments, *used) if placeholder not in words]
    open_names = list(dict.fromkeys(open_names))
    words |= dict(zip(open_names, random.sample(vocabulary()["locals"], len(open_names)), strict=True))
    return Function(name, family, constants, words)


def _draw_constants(random: Random, family: Family) -> dict[str, int | str]:
    drawn: dict[str, int | str] = {}
    for name, choices in family.constants.items():
        match choices:
            case (int(low), int(high)):
                drawn[name] = random.randint(low, high)
            case (int(low), int(high), str(other)):
                drawn[name] = int(drawn[other]) + random.randint(low, high)
            case _:
                drawn[name] = random.choice(choices)
    return drawn


def observe(source: str, name: str, inputs: tuple[Any, ...]) -> Observation:
    """Call the function ``name`` of generated ``source`` with a copy of ``inputs``.

    Only ever for sources that the families make: they do nothing but compute, and they end.
    """
    namespace: dict[str, Any] = {}
    exec(compile(source, f"<{name}>", "exec"), namespace)
    try:
        return Observation(repr(namespace[name](*copy.deepcopy(inputs))), raised=False)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return Observation(type(error).__name__, raised=True)
