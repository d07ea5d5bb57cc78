"""One little package with one bug in it, drawn at random: modules of short functions, and calls that show the bug."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from harness.errors import HarnessError
from harness.miniature.families import Family, Function, Mutation, draw_function, families, observe, vocabulary

MODULES = 3
FUNCTIONS = (2, 4)  # in a module beside the faulty one: fewest, most
CASES = 2  # calls in a test
DRAWS = 60  # calls tried to find some that show the bug and some that do not
ATTEMPTS = 20  # functions tried where none of those calls shows it


@dataclass(frozen=True)
class Cell:
    """One mutation of one family: the kind of bug that a package has."""

    family: Family
    mutation: Mutation


@dataclass(frozen=True)
class Case:
    """A call with what it should return, and what the package as it stands does instead."""

    call: str  # source text
    expected: str  # repr
    seen: str  # repr, or the exception's name
    raised: bool

    @property
    def shows_bug(self) -> bool:
        """Whether the two differ."""
        return self.raised or self.seen != self.expected


@dataclass(frozen=True)
class Package:
    """What a package is made of. Texts are made from it by `harness.miniature.texts`."""

    name: str
    modules: Mapping[str, Sequence[Function]]
    cases: Mapping[str, Sequence[Case]]  # function name -> calls
    faulty_module: str
    faulty: Function
    mutation: Mutation

    @property
    def showing(self) -> list[Case]:
        """The calls that show the bug, the shortest to read first."""
        cases = [case for case in self.cases[self.faulty.name] if case.shows_bug]
        return sorted(cases, key=lambda case: len(case.call + case.seen))


def cells() -> list[Cell]:
    """Every mutation of every family."""
    return [Cell(family, mutation) for family in families() for mutation in family.mutations]


def draw_package(random: Random, cell: Cell) -> Package:
    """A package whose one bug is ``cell``'s. The same state of ``random`` gives the same package.

    Raises HarnessError where no call shows the bug, which means that the mutation changes nothing.
    """
    words = vocabulary()
    name = random.choice(words["heads"]) + random.choice(words["tails"])
    names = _names(random)
    faulty, faulty_cases = _draw_faulty(random, cell, next(names))
    others = [family for family in families() if family is not cell.family]
    random.shuffle(others)
    modules = {
        module: [draw_function(random, others.pop(), next(names)) for _ in range(random.randint(*FUNCTIONS))]
        for module in random.sample(words["modules"], MODULES)
    }
    cases = {
        function.name: draw_cases(random, function, None, CASES)
        for functions in modules.values()
        for function in functions
    }
    place = random.choice(list(modules))
    modules[place].insert(random.randint(0, len(modules[place])), faulty)
    return Package(name, modules, cases | {faulty.name: faulty_cases}, place, faulty, cell.mutation)


def _names(random: Random) -> Iterator[str]:
    """Function names, each only once."""
    words = vocabulary()
    used: set[str] = set()
    while True:
        name = f"{random.choice(words['verbs'])}_{random.choice(words['nouns'])}"
        if name not in used:
            used.add(name)
            yield name


def _draw_faulty(random: Random, cell: Cell, name: str) -> tuple[Function, list[Case]]:
    """A function of the cell's family, and calls of it, at least one of which shows the mutation."""
    for _ in range(ATTEMPTS):
        function = draw_function(random, cell.family, name)
        cases = draw_cases(random, function, cell.mutation, DRAWS)
        if any(case.shows_bug for case in cases):
            return function, cases
    raise HarnessError(f"no call shows {cell.mutation.right!r} -> {cell.mutation.wrong!r} in {cell.family.name}")


def draw_cases(random: Random, function: Function, mutation: Mutation | None, draws: int) -> list[Case]:
    """Up to ``draws`` different calls, with what the right function and the mutated one make of them."""
    right, wrong = function.source(), function.source(mutation)
    cases: dict[str, Case] = {}
    for _ in range(draws):
        inputs = function.draw_inputs(random)
        call = f"{function.name}({', '.join(map(repr, inputs))})"
        if call not in cases:
            expected, seen = (observe(source, function.name, inputs) for source in (right, wrong))
            cases[call] = Case(call, expected.result, seen.result, seen.raised)
    return list(cases.values())
