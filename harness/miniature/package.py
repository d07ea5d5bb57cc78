"""Little packages with a bug each, drawn at random: modules of short functions, and calls that show the bug."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from itertools import count
from random import Random
from typing import Literal

from harness.errors import HarnessError, InputError
from harness.miniature.bugs import Bug, BugKind, draw_bugs
from harness.miniature.cases import Case, guarding_cases, passing_cases, showing_cases
from harness.miniature.families import Family, Function, Mutation, draw_function, families, vocabulary
from harness.miniature.split import Split, may_show

FUNCTIONS = 12  # in a module, at most
Issues = Literal["any", "short"]
ATTEMPTS = 100  # functions tried if no call shows the bug


@dataclass(frozen=True)
class Difficulty:
    """How large packages are, and how their bugs spread."""

    bug: BugKind = "line"  # one fault; or two, in one function or in two modules
    modules: int = 3
    functions: tuple[int, int] = (1, 3)  # in a module beside a faulty one: fewest, most
    lines: tuple[int, int] = (1, 9)  # of a function's body: fewest, most
    variety: int = 24  # families of functions, at most: the first of their file
    issues: Issues = "short"  # how they are worded

    def __post_init__(self) -> None:
        """Raises InputError for what no package can have."""
        least, most = 2 if self.bug == "two-files" else 1, len(vocabulary()["modules"])
        if not least <= self.modules <= most:
            raise InputError(f"{self.bug}: packages have {least} to {most} modules, not {self.modules}")
        if self.variety < 1:
            raise InputError(f"functions come from at least 1 family, not {self.variety}")
        if not 1 <= self.functions[0] <= self.functions[1] <= FUNCTIONS:
            raise InputError(f"modules have 1 to {FUNCTIONS} functions beside a faulty one, not {self.functions}")

    @property
    def families(self) -> list[Family]:
        """Those whose functions are of the right length."""
        shortest, longest = self.lines
        return [family for family in families()[: self.variety] if shortest <= family.lines <= longest]

    @property
    def label(self) -> str:
        """What differs from the default, in lower-case letters, digits and hyphens; empty if nothing does."""
        parts = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                parts += [] if field.name == "bug" else [field.name]
                parts += map(str, value) if isinstance(value, tuple) else [str(value)]
        return "-".join(parts)


ORDINARY = Difficulty()


@dataclass(frozen=True)
class Fault:
    """One wrong line, and where it is."""

    module: str
    function: Function
    mutation: Mutation


@dataclass(frozen=True)
class Package:
    """What a package is made of. Texts are made from it by `harness.miniature.texts`."""

    name: str
    modules: Mapping[str, Sequence[Function]]
    faults: tuple[Fault, ...]
    showing: Mapping[str, Sequence[Case]]  # name of each faulty function -> calls that show its faults
    seed: str  # of the calls that do not

    def mutations(self, function: Function) -> list[Mutation]:
        """What is wrong with one of its functions."""
        return [fault.mutation for fault in self.faults if fault.function is function]

    def passing(self, function: Function) -> list[Case]:
        """Calls of one of its functions that return the same before and after the fix."""
        return passing_cases(Random(f"{self.seed}/{function.name}"), function, self.mutations(function))

    def guarding(self, function: Function) -> list[Case]:
        """Calls of one of its functions: each mistake known of such functions, present or not, makes one wrong."""
        return guarding_cases(Random(f"{self.seed}/{function.name}/guard"), function, self.mutations(function))


def draw_packages(seed: int, split: Split, difficulty: Difficulty = ORDINARY) -> Iterator[Package]:
    """Packages without end, as the split allows them. Every bug comes once before one comes again.

    The same arguments produce the same packages. Raises InputError if no function is as long as the difficulty
    asks for, or has no bug of its kind in that split.
    """
    prefix = f"{seed}/{split}/{difficulty}"
    order: list[Bug] = []
    for number in count():
        order = order or draw_bugs(Random(f"{prefix}/order/{number}"), split, difficulty.bug, difficulty.families)
        if not order:
            raise InputError(f"no {split} bug of kind {difficulty.bug} fits functions of {difficulty.lines} lines")
        yield draw_package(f"{prefix}/{number}", order.pop(), split, difficulty)


def draw_package(seed: str, bug: Bug, split: Split = "train", difficulty: Difficulty = ORDINARY) -> Package:
    """The package with that bug. Raises HarnessError if no call shows it: a fault changes nothing."""
    random = Random(seed)
    functions = [random.randint(*difficulty.functions) for _ in range(difficulty.modules)]
    name = random.choice(_package_names(split))
    names = random.sample(_function_names(split), sum(functions) + len(bug))
    faulty, showing = _draw_faulty(random, bug, names, split)
    others = _others(random, difficulty.families, bug)
    modules = {
        module: [draw_function(random, next(others), names.pop(), split) for _ in range(size)]
        for module, size in zip(random.sample(vocabulary()["modules"], difficulty.modules), functions, strict=True)
    }
    places = random.sample(list(modules), len(faulty))
    for module, function in zip(places, faulty, strict=True):
        modules[module].insert(random.randint(0, len(modules[module])), function)
    faults = [
        Fault(module, function, cell.mutation)
        for module, function in zip(places, faulty, strict=True)
        for cell in bug
        if cell.family is function.family
    ]
    return Package(name, modules, tuple(faults), showing, seed)


@cache
def _package_names(split: Split) -> list[str]:
    words = vocabulary()
    return [head + tail for head in words["heads"] for tail in words["tails"] if may_show(split, head + tail)]


@cache
def _function_names(split: Split) -> list[str]:
    words = vocabulary()
    names = [f"{verb}_{noun}" for verb in words["verbs"] for noun in words["nouns"]]
    return [name for name in names if may_show(split, name)]


def _others(random: Random, chosen: Sequence[Family], bug: Bug) -> Iterator[Family]:
    """Families of the functions beside the faulty ones; in a package of ordinary size none comes twice."""
    faulty = [cell.family.name for cell in bug]
    first = [family for family in chosen if family.name not in faulty]
    random.shuffle(first)
    yield from first
    while True:
        yield random.choice(chosen)


def _draw_faulty(
    random: Random, bug: Bug, names: list[str], split: Split
) -> tuple[list[Function], dict[str, list[Case]]]:
    """A function for each family of the bug, named by the last of the names, and calls of each that show its faults."""
    functions: list[Function] = []
    showing: dict[str, list[Case]] = {}
    for family in {cell.family.name: cell.family for cell in bug}.values():
        mutations = [cell.mutation for cell in bug if cell.family is family]
        name = names.pop()
        for _ in range(ATTEMPTS):
            function = draw_function(random, family, name, split)
            if cases := showing_cases(random, function, mutations):
                functions.append(function)
                showing[name] = cases
                break
        else:
            raise HarnessError(f"no call shows {[mutation.wrong for mutation in mutations]} in {family.name}")
    return functions, showing
