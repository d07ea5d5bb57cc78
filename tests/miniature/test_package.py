"""Packages as they are drawn: the splits share nothing that they must not, difficulty does what it says."""

from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest

from harness.errors import InputError
from harness.miniature.bugs import Cell, cells
from harness.miniature.families import families, vocabulary
from harness.miniature.package import BugKind, Difficulty, Package, draw_package, draw_packages
from harness.miniature.split import Split
from harness.miniature.texts import WORDINGS, Place, write_texts

SEED = 5
DRAWS = 1500  # packages of a split
ALL = (1, 99)  # lines: every family
SMALL = Difficulty(modules=2, functions=(1, 2), lines=ALL, variety=len(families()))


def _drawn(split: Split, difficulty: Difficulty = SMALL, count: int = DRAWS) -> list[Package]:
    return list(islice(draw_packages(SEED, split, difficulty), count))


@pytest.fixture(scope="module")
def splits() -> dict[Split, list[Package]]:
    return {"train": _drawn("train"), "held-out": _drawn("held-out"), "transfer": _drawn("transfer")}


def _functions(packages: list[Package]) -> Iterator[str]:
    return (function.name for package in packages for functions in package.modules.values() for function in functions)


def _bugs(packages: list[Package]) -> set[tuple[str, str, str]]:
    faults = [fault for package in packages for fault in package.faults]
    return {(fault.function.family.name, fault.mutation.right, fault.mutation.wrong) for fault in faults}


def _constants(packages: list[Package]) -> dict[tuple[str, str], set[int | str]]:
    seen: dict[tuple[str, str], set[int | str]] = {}
    for package in packages:
        for functions in package.modules.values():
            for function in functions:
                for name, value in function.constants.items():
                    seen.setdefault((function.family.name, name), set()).add(value)
    return seen


@pytest.mark.parametrize("other", ["held-out", "transfer"])
def test_no_name_of_training_comes_elsewhere(splits: dict[Split, list[Package]], other: Split) -> None:
    train, rest = set(_functions(splits["train"])), set(_functions(splits[other]))
    assert len(train) > len(rest) > 400
    assert not train & rest
    assert not {package.name for package in splits["train"]} & {package.name for package in splits[other]}


@pytest.mark.parametrize("other", ["held-out", "transfer"])
def test_no_body_of_training_comes_elsewhere(splits: dict[Split, list[Package]], other: Split) -> None:
    def bodies(packages: list[Package]) -> set[str]:
        return {f.body() for package in packages for functions in package.modules.values() for f in functions}

    train, rest = bodies(splits["train"]), bodies(splits[other])
    assert len(train) > len(rest) > 2000
    assert not train & rest


@pytest.mark.parametrize("other", ["held-out", "transfer"])
def test_no_constant_of_training_comes_elsewhere(splits: dict[Split, list[Package]], other: Split) -> None:
    train, rest = _constants(splits["train"]), _constants(splits[other])
    assert train.keys() == rest.keys()
    for constant in train:
        shared, known = train[constant] & rest[constant], train[constant] | rest[constant]
        assert not shared or len(known) < 3, constant
        assert train[constant]
        assert rest[constant]


def test_a_number_that_one_constant_holds_back_others_show(splits: dict[Split, list[Package]]) -> None:
    train, rest = (
        {v for values in _constants(splits[split]).values() for v in values} for split in ("train", "held-out")
    )
    assert {number for number in rest if isinstance(number, int) and number < 10} <= train


def test_a_tenth_of_the_bugs_is_kept_for_transfer(splits: dict[Split, list[Package]]) -> None:
    bugs = {split: _bugs(packages) for split, packages in splits.items()}
    assert bugs["train"] == bugs["held-out"]
    assert not bugs["train"] & bugs["transfer"]
    assert len(bugs["train"] | bugs["transfer"]) == len(cells())
    assert 0.08 < len(bugs["transfer"]) / len(cells()) < 0.12
    assert len({family for family, _, _ in bugs["transfer"]}) == len(bugs["transfer"]), "spread over families"
    assert {family for family, _, _ in bugs["transfer"]} <= {family for family, _, _ in bugs["train"]}


@pytest.mark.parametrize("split", ["train", "held-out", "transfer"])
@pytest.mark.parametrize("bug", ["line", "two-lines", "two-files"])
def test_a_bug_has_the_faults_of_its_kind(split: Split, bug: BugKind) -> None:
    for package in _drawn(split, Difficulty(bug, modules=3), 120):
        places = [(fault.module, fault.function.name) for fault in package.faults]
        assert [len(places), len(set(places)), len({module for module, _ in places})] == {
            "line": [1, 1, 1],
            "two-lines": [2, 1, 1],
            "two-files": [2, 2, 2],
        }[bug]
        assert all(fault.function in package.modules[fault.module] for fault in package.faults)


@pytest.mark.parametrize("bug", ["two-lines", "two-files"])
def test_faults_of_transfer_come_in_no_other_bug(bug: BugKind) -> None:
    kept = {(cell.family.name, cell.mutation.right, cell.mutation.wrong) for cell in cells() if cell.transfer}
    for split in ("train", "held-out"):
        assert not _bugs(_drawn(split, Difficulty(bug, lines=ALL, variety=len(families())), 400)) & kept
    transfer = _drawn("transfer", Difficulty(bug, lines=ALL, variety=len(families())), 400)
    assert all(_bugs([package]) & kept for package in transfer)
    if bug == "two-files":
        assert _bugs(transfer) == kept


def test_mending_one_of_two_faults_leaves_a_reported_call_wrong() -> None:
    for package in _drawn("train", Difficulty("two-lines"), 150):
        function = package.faults[0].function
        cases = package.showing[function.name]
        assert all(case.shows_bug for case in cases)
        for left in package.faults:
            wrong = function.compiled([left.mutation])
            assert any(_result(wrong, case.call, function.name) != case.expected for case in cases[:2])


@pytest.mark.parametrize("bug", ["line", "two-lines"])
def test_the_suite_fails_with_any_other_mistake_in_place_of_the_fault(bug: BugKind) -> None:
    """Four calls that show the fault let one in twenty other mistakes of short functions pass, one in six of long."""
    passed = tried = 0
    for package in _drawn("held-out", Difficulty(bug, lines=ALL), 200):
        function = package.faults[0].function
        cases = [*package.showing[function.name], *package.guarding(function)]
        for mutation in function.family.mutations:
            mistaken = function.compiled([mutation])
            tried += 1
            passed += all(_result(mistaken, case.call, function.name) == case.expected for case in cases)
    assert passed / tried < 0.03  # those left change nothing at all with the constants that they met


def _result(function: object, call: str, name: str) -> str:
    try:
        return repr(eval(call, {name: function}))
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return type(error).__name__


def test_modules_and_functions_are_as_many_as_asked_for() -> None:
    for package in _drawn("held-out", Difficulty(modules=9, functions=(3, 5)), 30):
        assert len(package.modules) == 9
        faulty = {fault.module for fault in package.faults}
        for module, functions in package.modules.items():
            assert 3 <= len(functions) - (module in faulty) <= 5
        names = list(_functions([package]))
        assert len(set(names)) == len(names)


def test_functions_are_as_long_as_asked_for() -> None:
    for lines in ((1, 3), (4, 8)):
        for package in _drawn("train", Difficulty(lines=lines), 30):
            for functions in package.modules.values():
                assert all(lines[0] <= function.family.lines <= lines[1] for function in functions)


def test_an_ordinary_package_has_no_family_twice() -> None:
    for package in _drawn("train", Difficulty("two-files"), 60):
        used = [function.family.name for functions in package.modules.values() for function in functions]
        assert len(set(used)) == len(used)


def test_the_arguments_decide_and_nothing_else() -> None:
    def texts(seed: int, split: Split, difficulty: Difficulty) -> list[object]:
        return [write_texts(Random(0), package) for package in islice(draw_packages(seed, split, difficulty), 5)]

    first = texts(1, "train", SMALL)
    assert texts(1, "train", SMALL) == first
    for others in (texts(2, "train", SMALL), texts(1, "held-out", SMALL), texts(1, "train", Difficulty())):
        assert not any(text in first for text in others)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"modules": 0}, "1 to"),
        ({"modules": 1, "bug": "two-files"}, "2 to"),
        ({"modules": 1000}, "modules, not 1000"),
        ({"functions": (0, 2)}, "functions"),
        ({"functions": (3, 2)}, "functions"),
        ({"functions": (1, 99)}, "functions"),
    ],
)
def test_what_no_package_can_have_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Difficulty(**wrong)  # type: ignore[arg-type] - values of each parameter's own type


def test_lines_that_no_function_has_are_refused() -> None:
    with pytest.raises(InputError, match="no train bug of kind line fits"):
        next(draw_packages(SEED, "train", Difficulty(lines=(90, 99))))


def test_the_label_names_what_differs() -> None:
    assert Difficulty().label == ""
    assert Difficulty("two-files", functions=(1, 2)).label == "two-files-functions-1-2"


def test_names_that_training_never_shows_are_made_of_words_that_it_does(splits: dict[Split, list[Package]]) -> None:
    words = {split: {part for name in _functions(drawn) for part in name.split("_")} for split, drawn in splits.items()}
    assert words["train"] == {*vocabulary()["verbs"], *vocabulary()["nouns"]}


@pytest.mark.parametrize("bug", ["line", "two-lines", "two-files"])
def test_texts_say_where_each_fault_is(bug: BugKind) -> None:
    for package in _drawn("held-out", Difficulty(bug), 20):
        texts = write_texts(Random(SEED), package)
        assert len(texts.places) == len(package.faults)
        changed = {path for path, text in texts.base.items() if text != texts.fixed[path]}
        assert changed == {place.path for place in texts.places}
        for place, fault in zip(texts.places, package.faults, strict=True):
            assert place == Place(f"{package.name}/{fault.module}.py", fault.function.name)
            assert f"def {place.function}(" in texts.base[place.path]
            assert place.function in texts.issue


@pytest.mark.parametrize("bug", ["line", "two-lines", "two-files"])
@pytest.mark.parametrize("issue", WORDINGS["any"])
def test_every_wording_of_the_issue_names_functions_values_and_no_template_syntax(
    bug: BugKind, issue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(WORDINGS, "any", [issue])
    for package in _drawn("held-out", Difficulty(bug), 40):
        text = write_texts(Random(SEED), package).issue
        for name, cases in package.showing.items():
            for value in (name, cases[0].call, cases[0].expected, cases[0].seen):
                assert value in text
            told = [case for case in cases if case.call in text]
            assert all(any(case.alone[fault] for case in told) for fault in range(len(cases[0].alone)))
        assert "{%" not in text
        assert "\n\n\n" not in text
        assert not any(line.endswith(" ") for line in text.splitlines() if line.strip())
        assert text == text.strip() + "\n"


def test_the_default_difficulty_asks_for_short_issues_about_few_families() -> None:
    assert Difficulty().issues == "short"
    assert len(Difficulty().families) == 24 < len(Difficulty(variety=len(families())).families)
    package = next(draw_packages(SEED, "held-out"))
    texts = [write_texts(Random(seed), package, "short").issue for seed in range(8)]
    assert all(text == texts[0] for text in texts)
    assert max(map(len, texts)) < max(len(write_texts(Random(seed), package).issue) for seed in range(12))


def test_an_issue_says_that_an_exception_was_raised() -> None:
    raising = next(cell for cell in cells() if cell.mutation.wrong == "$value, $key =")
    package = draw_package("seed", (Cell(raising.family, raising.mutation, transfer=False),))
    [cases] = package.showing.values()
    assert cases[0].raised
    texts = [write_texts(Random(seed), package).issue for seed in range(12)]
    assert len(set(texts)) > 1
    assert all("ValueError" in text and cases[0].expected in text for text in texts)
