"""Changes of expectations in Python tests, each checked by running the test on a solution that is right."""

import random
import unittest
from textwrap import dedent

import pytest

from harness.control.change import Change, Rank, TestFunction, changed
from harness.control.draw import draw, find_changes

SOLUTION = {
    "add": lambda a, b: a + b,
    "words": lambda: ["one", "two"],
    "fail": lambda: (_ for _ in ()).throw(ValueError("no such word: three")),
}
PATH = "tests/test_a.py"


def changes_of(text: str, ids: tuple[str, ...] = (f"{PATH}::test_a",), seed: int = 0) -> tuple[bytes, list[Change]]:
    content = dedent(text).encode()
    pool = find_changes({PATH: content}, {PATH: range(99)}, ids, random.Random(seed))
    return content, [change for changes in pool.values() for change in changes]


def holds(content: bytes) -> bool:
    """Whether test_a of a file holds on the solution."""
    names: dict = dict(SOLUTION)
    exec(compile(content, PATH, "exec"), names)
    try:
        names["test_a"](*names.get("ARGUMENTS", ()))
    except (AssertionError, ValueError, TypeError, pytest.fail.Exception):
        return False
    return True


HOLDING = {
    "comparisons": """
        def test_a():
            assert add(1, 2) == 3
            assert 3 != add(1, 1) and add(2, 2) < 5 and add(1, 1) is not None
            assert "one" in words()
            assert "three" not in words()
            assert not add(0, 0)
            assert words()
            assert 0 < add(1, 1) < 3
            assert add(1, 1) or add(0, 0)
            assert add("ab", "c") == "abc"
            assert [add(1, 1), "x"] == [2, "x"]
            assert words() == [
                "one",
                "two",  # the last
            ]
    """,
    "expected names": """
        def test_a():
            expected = {"sum": 3, "rest": []}
            found = {"sum": add(1, 2), "rest": []}
            assert found == expected
    """,
    "tables": """
        def test_a():
            table = [(1, 2, 3), (2, 2, 4)]
            for a, b, whole in table:
                assert add(a, b) == whole
            for key, number in {"x": 1, "y": 2}.items():
                assert add(number, 0) == number
            for a, whole in ((1, 2), (2, 3)):
                assert add(a, 1) == whole
    """,
    "exceptions": """
        import pytest

        def test_a():
            with pytest.raises(ValueError, match="no such word"):
                fail()
            with pytest.raises((ValueError, KeyError)):
                fail()
            pytest.raises(ValueError, lambda: fail())
    """,
    "a check of its own": """
        import pytest

        def check_sum(a, b, whole):
            assert add(a, b) == whole

        def test_a():
            check_sum(1, 2, 3)
    """,
    "nothing": """
        def test_a():
            '''Adds.'''
            x = add(1, 2)
    """,
    "a statement of several lines first": """
        def test_a():
            for x in words():
                assert len(x) == 3
    """,
}


@pytest.mark.parametrize("name", HOLDING)
def test_every_change_makes_its_test_fail(name: str) -> None:
    content, changes = changes_of(HOLDING[name])
    assert holds(content)
    assert changes
    for change in changes:
        assert not holds(changed(content, [change])), changed(content, [change]).decode()


CASES = """
    import unittest

    class T(unittest.TestCase):
        def test_a(self):
            self.assertEqual(add(1, 2), 3)
            self.assertEqual("abc", add("ab", "c"), "a message")
            self.assertTrue(add(1, 1))
            self.assertIn("one", words())
            self.assertIsNone(None)
            self.assertIs(add(1, 1) == 2, True)
            self.assertAlmostEqual(add(0.25, 0.5), 0.75)
            self.assertLess(add(1, 1), 3)
            self.assertCountEqual(words(), ["two", "one"])
            with self.assertRaises(ValueError):
                fail()
            with self.assertRaisesRegex(ValueError, "no such word"):
                fail()
            with self.subTest(x=1):
                self.assertListEqual(words(), ["one", "two"])
            self.check(3)

        def check(self, number):
            self.assertEqual(add(1, 2), number)
"""


def test_every_change_of_a_unittest_makes_it_fail() -> None:
    content, changes = changes_of(CASES, ("test_a (tests.test_a.T)",))

    def failures(content: bytes) -> int:
        names: dict = dict(SOLUTION)
        exec(compile(content, PATH, "exec"), names)
        result = unittest.TestResult()
        names["T"]("test_a").run(result)
        return len(result.failures) + len(result.errors)

    assert failures(content) == 0
    assert {change.rank for change in changes} == {Rank.VALUE, Rank.RELATION, Rank.WRAPPED, Rank.STARTED}
    for change in changes:
        assert failures(changed(content, [change])) > 0, changed(content, [change]).decode()


def test_parameters_are_changed_if_the_test_compares_with_them() -> None:
    text = """
        import pytest

        @pytest.mark.parametrize("a, whole", [(1, 2), pytest.param(2, 3), pytest.param(3, 9, marks=pytest.mark.xfail)])
        def test_a(a, whole):
            assert add(a, 1) == whole
    """
    _, changes = changes_of(text, (f"{PATH}::test_a[1-2]",))
    parameters = [change for change in changes if change.kind == "parameter"]
    assert len(parameters) == 2  # not the values that it adds to, nor the row that is expected to fail
    assert all(change.renames for change in parameters)


def test_names_that_are_used_for_more_than_comparing_stay() -> None:
    text = """
        def test_a():
            one = 1
            assert add(one, 0) == one
    """
    assert "expected value" not in {change.kind for change in changes_of(text)[1]}


def test_what_may_not_run_is_not_changed() -> None:
    text = """
        import pytest

        def test_a():
            if add(1, 1) == 3:
                assert add(1, 1) == 7
            with pytest.raises(ValueError):
                fail()
                assert add(1, 1) == 8
            def inner():
                assert add(1, 1) == 9
            return
            assert add(1, 1) == 10
    """
    content, changes = changes_of(text)
    assert {change.kind for change in changes} == {"class", "false assertion"}
    assert not any(holds(changed(content, [change])) for change in changes)


@pytest.mark.parametrize(
    "text",
    [
        "import pytest\n@pytest.mark.xfail\ndef test_a():\n    assert add(1, 1) == 3\n",
        "import unittest\n@unittest.expectedFailure\ndef test_a():\n    assert add(1, 1) == 3\n",
        "def test_a(:\n    pass\n",
        "def helper():\n    assert 1 == 1\n",
        "def test_other():\n    assert 1 == 1\n",
    ],
)
def test_nothing_is_drawn_where_a_failure_would_say_nothing(text: str) -> None:
    assert changes_of(text)[1] == []


FUNCTION = TestFunction("a/test_b.py", frozenset({"T", "Heir"}), "test_c", "Adds numbers.")


@pytest.mark.parametrize(
    ("test_id", "own"),
    [
        ("a/test_b.py::T::test_c", True),
        ("a/test_b.py::Heir::test_c[1-[2]]", True),
        ("a/test_b.py::Outer::T::test_c", True),
        ("a/test_b.py::test_c", False),
        ("a/test_b.py::U::test_c", False),
        ("x/test_b.py::T::test_c", False),
        ("test_c (b.tests.T)", True),
        ("test_c (b.tests.T.test_c)", True),
        ("test_c (b.tests.U)", False),
        ("Adds numbers.", True),
        ("test_c", True),
        ("test_d", False),
    ],
)
def test_ids_of_a_function(test_id: str, own: bool) -> None:
    assert FUNCTION.runs_as(test_id) is own


def test_inherited_tests_run_under_the_heirs_names() -> None:
    text = """
        class Base:
            def test_a(self):
                assert add(1, 1) == 2

        class Heir(Base):
            pass

        class Other(Base):
            def test_a(self):
                pass
    """
    _, changes = changes_of(text, ("test_a (x.Heir)",))
    assert {change.function.owners for change in changes} == {frozenset({"Base", "Heir"})}


def test_of_three_tests_two_are_changed_a_value_and_a_relation() -> None:
    text = "".join(f"def test_{name}():\n    assert add(1, 1) == 2\n\n\n" for name in "abc").encode()
    ids = [f"{PATH}::test_{name}" for name in "abc"]
    for seed in range(20):
        rng = random.Random(seed)
        drawn = draw(find_changes({PATH: text}, {}, ids, rng), {PATH: text}, rng)
        assert [change.rank for change in drawn] == [Rank.VALUE, Rank.RELATION]
        assert drawn[0].function != drawn[1].function


def test_the_same_seed_draws_the_same_and_others_differ() -> None:
    text = HOLDING["comparisons"]
    drawn = {}
    for seed in (1, 1, 2, 3, 4):
        content, _ = changes_of(text)
        rng = random.Random(seed)
        [change] = draw(find_changes({PATH: content}, {}, [f"{PATH}::test_a"], rng), {PATH: content}, rng)
        assert drawn.setdefault(seed, change) == change
    assert len(set(drawn.values())) > 1


def test_what_was_spent_is_not_drawn_again() -> None:
    content, changes = changes_of(HOLDING["nothing"])
    pool = {"t": changes}
    assert draw(pool, {PATH: content}, random.Random(0), changes) == []
    assert draw(pool, {PATH: content}, random.Random(0)) == changes
