import pytest

from harness.grading.applied import Applied, Change
from harness.grading.shadows import newcomers, shadow_flags


def applied(*new: str, packages: tuple[str, ...] = (), twins: tuple[str, ...] = ()) -> Applied:
    changes = tuple(Change(path, None, b"") for path in new)
    return Applied(frozenset(new), changes, frozenset(packages), frozenset(), frozenset(twins))


@pytest.mark.parametrize(
    ("path", "packages", "names"),
    [
        ("shlex.py", (), {"shlex"}),
        ("pytest/__main__.py", ("pytest",), {"pytest.__main__"}),
        ("pytest/__init__.py", ("pytest",), {"pytest"}),
        ("tests/sqlparse.py", (), {"tests.sqlparse", "sqlparse"}),
        ("src/pkg/new.py", ("src/pkg",), {"src.pkg.new", "pkg.new"}),
        ("sphinxcontrib/htmlhelp/__init__.py", ("sphinxcontrib/htmlhelp",), {"sphinxcontrib.htmlhelp", "htmlhelp"}),
        ("json.cpython-39-x86_64-linux-gnu.so", (), {"json"}),
        ("re.pyc", (), {"re"}),
        ("pluggy", (), {"pluggy"}),
        ("my-docs/argparse.py", (), {"argparse"}),
        ("README.md", (), set()),
    ],
)
def test_names_that_a_tree_newly_answers_to(path: str, packages, names) -> None:
    assert set(newcomers(applied(path, packages=packages), ())) == names


def test_only_new_files_that_stay_answer_newly() -> None:
    old = Applied(frozenset({"shlex.py"}), (Change("shlex.py", b"x", b"y"),))
    assert newcomers(old, ()) == {}
    assert newcomers(applied("tests/test_a.py"), ("tests/test_a.py",)) == {}


def test_the_images_own_names_are_flagged() -> None:
    change = applied("shlex.py", "reproduce.py")
    assert shadow_flags(change, (), {"shlex"}) == ("shadowed name: shlex.py",)


def test_a_module_in_anothers_place_is_flagged() -> None:
    """A package beside the test file, of its name, is what Python imports; it can say that it is the file."""
    change = applied("tests/test_a/__init__.py", packages=("tests/test_a",), twins=("tests/test_a.py",))
    assert shadow_flags(change, (), ()) == ("shadowed name: tests/test_a/__init__.py",)
    helper = applied("helpers.py", twins=("tests/helpers.py",))
    assert shadow_flags(helper, (), ()) == ("shadowed name: helpers.py",)
    inside = applied("pkg/sub/helpers.py", packages=("pkg", "pkg/sub"), twins=("pkg/helpers.py", "pkg/sub/helpers.py"))
    assert shadow_flags(inside, (), ()) == ()


def test_a_module_that_became_a_package_is_in_nobodys_place() -> None:
    gone, new = Change("calc.py", b"x", None), Change("calc/__init__.py", None, b"x")
    paths = frozenset({gone.path, new.path})
    moved = Applied(paths, (gone, new), frozenset({"calc"}), twins=frozenset({"calc.py"}))
    assert shadow_flags(moved, (), ()) == ()
    assert shadow_flags(moved, ("calc.py",), ()) == ("shadowed name: calc/__init__.py",), "it is put back"


def test_a_package_that_is_undone_is_flagged() -> None:
    gone = (Change("tests/__init__.py", b"", None),)
    there = Applied(frozenset({"tests/__init__.py"}), gone, folders=frozenset({"tests"}))
    assert shadow_flags(there, (), ()) == ("import path: tests/__init__.py",)
    assert shadow_flags(Applied(frozenset({"tests/__init__.py"}), gone), (), ()) == ()
