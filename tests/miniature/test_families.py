"""The families as data: every one of their mutations is a bug that calls can show."""

import keyword
from random import Random

import pytest

from harness.miniature.bugs import Cell, can_be_shown, cells
from harness.miniature.families import Family, draw_function, families, observe, vocabulary
from harness.miniature.package import Difficulty
from harness.miniature.split import Split

SEED = 5


def _name(cell: Cell) -> str:
    return f"{cell.family.name}: {cell.mutation.wrong}"


def test_there_are_many_families_with_several_mutations_each() -> None:
    assert len(families()) >= 40
    assert len(cells()) >= 150
    assert sum(family.lines > Difficulty().lines[1] for family in families()) >= 8
    assert min(len(family.mutations) for family in families()) >= 3
    assert {cell.mutation.kind for cell in cells()} == {"operator", "bound", "constant", "order"}
    assert len({family.name for family in families()}) == len(families())
    assert len({family.body for family in families()}) == len(families())
    assert len({_name(cell) for cell in cells()}) == len(cells())


@pytest.mark.parametrize("split", ["train", "held-out"])
@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_right_functions_return_and_end(family: Family, split: Split) -> None:
    assert "while" not in family.body
    random = Random(SEED)
    for _ in range(5):
        function = draw_function(random, family, "work_it", split)
        compiled = function.compiled()
        for _ in range(40):
            inputs = function.draw_inputs(random)
            assert not observe(compiled, inputs).raised, (function.source(), inputs)


@pytest.mark.parametrize("cell", cells(), ids=_name)
def test_a_mutation_stands_once_in_one_line_and_calls_show_it(cell: Cell) -> None:
    assert cell.family.body.count(cell.mutation.right) == 1
    assert "\n" not in cell.mutation.right + cell.mutation.wrong
    function = draw_function(Random(SEED), cell.family, "work_it", "train")
    assert function.source([cell.mutation]) != function.source()
    assert can_be_shown((cell,))


def test_bodies_of_two_faults_end_and_fail_only_as_an_observation() -> None:
    random = Random(SEED)
    for cell in cells():
        for other in cell.family.mutations:
            if cell.family.line_of(other) != cell.family.line_of(cell.mutation):
                function = draw_function(random, cell.family, "work_it", "train")
                compiled = function.compiled([cell.mutation, other])
                for _ in range(5):
                    seen = observe(compiled, function.draw_inputs(random))
                    assert seen.raised == seen.result.endswith("Error")


def test_calls_do_not_change_the_inputs() -> None:
    merge = next(family for family in families() if family.name == "merge-ranges")
    function = draw_function(Random(SEED), merge, "work_it", "train").compiled()
    inputs = ([[1, 3], [2, 5]],)
    assert observe(function, inputs).result == "[[1, 5]]"
    assert inputs == ([[1, 3], [2, 5]],)


def test_an_exception_is_an_observation() -> None:
    seen = observe(lambda x: [1][x], (4,))
    assert (seen.result, seen.raised) == ("IndexError", True)


def test_identifiers_of_a_function_differ_and_are_no_keywords() -> None:
    words = [word for kind in ("locals", "verbs", "nouns", "modules") for word in vocabulary()[kind]]
    assert all(word.isidentifier() and not keyword.iskeyword(word) for word in words)
    for words in vocabulary().values():
        assert len(set(words)) == len(words)
    for family in families():
        function = draw_function(Random(SEED), family, "work_it", "train")
        names = [word for word in function.words.values() if word in vocabulary()["locals"]]
        assert len(set(names)) == len(names)


def test_lines_are_those_of_the_body() -> None:
    by_name = {family.name: family for family in families()}
    assert by_name["difference-at-least"].lines == 1
    clamp = by_name["clamp"]
    assert clamp.lines == 5
    assert [clamp.line_of(mutation) for mutation in clamp.mutations] == [2, 1, 0, 2]
