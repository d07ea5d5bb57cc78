"""The families as data: every one of their mutations is a bug that calls can show."""

import keyword
from random import Random

import pytest

from harness.miniature.families import Family, draw_function, families, observe, vocabulary
from harness.miniature.package import Cell, cells, draw_cases, draw_package
from harness.miniature.texts import ISSUES, write_texts

SEED = 5


def _name(cell: Cell) -> str:
    return f"{cell.family.name}: {cell.mutation.wrong}"


def test_there_are_at_least_a_dozen_families_with_several_mutations_each() -> None:
    assert len(families()) >= 12
    assert min(len(family.mutations) for family in families()) >= 3
    assert {cell.mutation.kind for cell in cells()} == {"operator", "bound", "constant", "order"}
    assert len({family.name for family in families()}) == len(families())


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_right_functions_return_and_end(family: Family) -> None:
    assert "while" not in family.body
    random = Random(SEED)
    for _ in range(5):
        function = draw_function(random, family, "work_it")
        for _ in range(40):
            inputs = function.draw_inputs(random)
            assert not observe(function.source(), "work_it", inputs).raised, (function.source(), inputs)


@pytest.mark.parametrize("cell", cells(), ids=_name)
def test_a_mutation_stands_once_and_calls_show_it(cell: Cell) -> None:
    assert cell.family.body.count(cell.mutation.right) == 1
    function = draw_function(Random(SEED), cell.family, "work_it")
    assert function.source(cell.mutation) != function.source()
    cases = draw_cases(Random(SEED), function, cell.mutation, 200)
    assert any(case.shows_bug for case in cases)


def test_calls_do_not_change_the_inputs() -> None:
    merge = next(family for family in families() if family.name == "merge-ranges")
    function = draw_function(Random(SEED), merge, "work_it")
    inputs = ([[1, 3], [2, 5]],)
    assert observe(function.source(), "work_it", inputs).result == "[[1, 5]]"
    assert inputs == ([[1, 3], [2, 5]],)


def test_an_exception_is_an_observation() -> None:
    seen = observe("def work_it(x):\n    return [1][x]\n", "work_it", (4,))
    assert (seen.result, seen.raised) == ("IndexError", True)


def test_identifiers_of_a_function_differ_and_are_no_keywords() -> None:
    words = [word for kind in ("locals", "verbs", "nouns", "modules") for word in vocabulary()[kind]]
    assert all(word.isidentifier() and not keyword.iskeyword(word) for word in words)
    for words in vocabulary().values():
        assert len(set(words)) == len(words)
    for family in families():
        function = draw_function(Random(SEED), family, "work_it")
        names = [word for word in function.words.values() if word in vocabulary()["locals"]]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("cell", cells()[::7], ids=_name)
def test_every_wording_of_the_issue_names_function_values_and_no_template_syntax(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = draw_package(Random(SEED), cell)
    shown = package.showing[0]
    for issue in ISSUES:
        monkeypatch.setattr("harness.miniature.texts.ISSUES", [issue])
        text = write_texts(Random(SEED), package).issue
        for value in (package.faulty.name, shown.call, shown.expected, shown.seen):
            assert value in text, issue
        assert "{%" not in text
        assert "\n\n\n" not in text
        assert text == text.strip() + "\n"


def test_an_issue_says_that_an_exception_was_raised() -> None:
    raising = next(cell for cell in cells() if cell.mutation.wrong == "$value, $key =")
    package = draw_package(Random(SEED), raising)
    assert package.showing[0].raised
    texts = [write_texts(Random(seed), package).issue for seed in range(12)]
    assert len(set(texts)) > 1
    assert all("ValueError" in text and package.showing[0].expected in text for text in texts)
