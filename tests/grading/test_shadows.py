import subprocess
import sys
from pathlib import Path

import pytest
from doubles import ScriptedSandbox, limits_with

from harness.common.resources import resource
from harness.core.interfaces import CommandResult
from harness.grading.applied import Applied, Change
from harness.grading.image_names import ImageNames
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


def test_a_package_that_is_undone_is_flagged() -> None:
    gone = (Change("tests/__init__.py", b"", None),)
    there = Applied(frozenset({"tests/__init__.py"}), gone, folders=frozenset({"tests"}))
    assert shadow_flags(there, (), ()) == ("import path: tests/__init__.py",)
    assert shadow_flags(Applied(frozenset({"tests/__init__.py"}), gone), (), ()) == ()


def test_an_image_is_asked_once_of_each_name(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(CommandResult(0, b"shlex\n", 0.1))
    for _ in range(2):
        names = ImageNames(sandbox, limits_with(), tmp_path / "names")
        assert names.answered("image", "sha256:1", ["shlex", "mine"]) == {"shlex"}
    assert len(sandbox.jobs) == 1
    assert names.answered("image", "sha256:1", ["mine"]) == frozenset()
    assert names.answered("image", "sha256:1", ["other", "mine"]) == frozenset()
    assert [job.files["/harness/wanted"] for job in sandbox.jobs] == [b"mine\nshlex\n", b"other\n"]
    names.answered("image", "sha256:2", ["mine"])
    assert len(sandbox.jobs) == 3


def test_what_a_python_finds_and_imports() -> None:
    """pytest asks for argcomplete where it is and where it is not; nothing asks for the last one."""
    wanted = "shlex\nsys\nxml.dom\npytest.__main__\n_pytest.main\nargcomplete\nxml.nothing\nno_such_module_of_mine\n"
    script = str(resource("docker") / "names.py")
    done = subprocess.run([sys.executable, script], input=wanted, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["_pytest.main", "argcomplete", "pytest.__main__", "shlex", "sys", "xml.dom"]
