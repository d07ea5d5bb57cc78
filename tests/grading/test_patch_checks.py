import pytest

from harness.grading.applied import Applied, Change
from harness.grading.patch_checks import (
    MAX_PATCH_BYTES,
    UNREADABLE,
    change_flags,
    link_out,
    may_be_configuration,
    named_files,
    refusal,
)


def new(path: str, *lines: str) -> Change:
    return Change(path, None, "".join(f"{line}\n" for line in lines).encode())


def changed(path: str, *added: str) -> Change:
    return Change(path, b"x\n", b"x\n" + "".join(f"{line}\n" for line in added).encode())


def flags(*changes: Change, restored: tuple[str, ...] = ()) -> tuple[str, ...]:
    applied = Applied(frozenset(change.path for change in changes), changes)
    return change_flags(applied, restored, {"pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", "setup.py"})


def test_only_what_nobody_reads_is_refused_unseen() -> None:
    assert refusal("not a patch at all") == ""
    assert "more than" in refusal("x" * (MAX_PATCH_BYTES + 1))


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("docs/link", b"/etc/passwd", True),
        ("docs/link", b"../../etc", True),
        ("docs/link", b"../README", False),
        ("link", b"a/../..", True),
        ("link", b"a/../b", True),  # a may be a link to the root of the repository
        ("a/b/link", b"./..//../c", False),
        ("link", b".", False),
    ],
)
def test_links_out_of_the_repository(path: str, target: bytes, out: bool) -> None:
    link = Change(path, None, target, link=True)
    assert link_out(Applied(frozenset({path}), (link,))) == (path if out else "")
    assert link_out(Applied(frozenset({path}), (Change(path, None, target),))) == ""


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        (new("tests/conftest.py", "x"), "test configuration: tests/conftest.py"),
        (changed("pytest.ini", "x"), "test configuration: pytest.ini"),
        (Change("tox.ini", b"x\n", None), "test configuration: tox.ini"),
        (changed("setup.cfg", "x"), "test configuration: setup.cfg"),
        (new("pyproject.toml", "[tool.pytest.ini_options]", "x = 1"), "test configuration: pyproject.toml"),
        (
            Change(
                "pyproject.toml", b"[tool.pytest]\na = 1\n\n\n\n\nb = 2\n", b"[tool.pytest]\na = 1\n\n\n\n\nb = 3\n"
            ),
            "test configuration: pyproject.toml",
        ),
        # another spelling of the same keys
        (
            new("pyproject.toml", r'["\u0074ool"."\u0070ytest"."\u0069ni_options"]', r'"\u0061ddopts" = "-p bend"'),
            "test configuration: pyproject.toml",
        ),
        (new("pyproject.toml", "tool = {pytest={x={addopts='-p bend'}}}"), "test configuration: pyproject.toml"),
        # what is not TOML, or not of the version that is read here, or takes too long
        (new("pyproject.toml", "[not TOML"), "test configuration: pyproject.toml"),
        (new("pyproject.toml", r'[tool."\x70ytest"]'), "test configuration: pyproject.toml"),
        (new("pyproject.toml", "a." * 5_000_000 + "a = 1"), "test configuration: pyproject.toml"),
        (new("pyproject.toml", "a." * 30_000 + "a = 1"), "test configuration: pyproject.toml"),
        (new("pyproject.toml", "[tool.tox]", "x = 1"), "test configuration: pyproject.toml"),
        (changed("setup.py", 'entry_points={"pytest11": ["a"]}'), "test configuration: setup.py"),
        (new("sitecustomize.py", "x"), "start-up hook: sitecustomize.py"),
        (new("usercustomize/__init__.py"), "start-up hook: usercustomize/__init__.py"),
        (new("lib/evil.pth", "import x"), "start-up hook: lib/evil.pth"),
        (changed("src/_pytest/main.py", "x"), "test runner: src/_pytest/main.py"),
        (changed("sphinx/testing/fixtures.py", "x"), "test support: sphinx/testing/fixtures.py"),
        (changed("tests/data/expected.json", "{}"), "test support: tests/data/expected.json"),
        (new("pkg/__pycache__/a.cpython-39.pyc", "x"), "compiled code: pkg/__pycache__/a.cpython-39.pyc"),
        (new("shlex.so", "x"), "compiled code: shlex.so"),
        (new("pkg.egg-info/entry_points.txt", "[pytest11]"), "package metadata: pkg.egg-info/entry_points.txt"),
        (changed("a.py", "import os; os._exit(0)"), "ends the process: a.py"),
        (changed("a.py", "def pytest_runtest_makereport(item):"), "test hooks: a.py"),
        (changed("a.py", 'print("PASSED tests/test_a.py::test_new")'), "words of a test result: a.py"),
        (changed("a.py", "open('/var/run/docker.sock')"), "leaves the process: a.py"),
        (changed("a.py", "sys.pycache_prefix = '/tmp'"), "compiled code: a.py"),
        (new("a.py", "# -*- coding: utf-7 -*-"), "odd encoding: a.py"),
        # a lone carriage return ends a line of Python
        (new("a.py", "\r# -*- coding: utf-7 -*-"), "odd encoding: a.py"),
        (changed("a.py", "#\rprint('PASSED tests/test_a.py::test_new')"), "words of a test result: a.py"),
        # Python takes compatible letters for the same name
        (changed("a.py", "os._e\N{FULLWIDTH LATIN SMALL LETTER X}it(0)"), "ends the process: a.py"),
        (changed("a.py", "open('x.pyc')"), "compiled code: a.py"),
        (changed("a.py", "path = folder / __pycache__"), "compiled code: a.py"),
        (changed("a.py", "frame = sys._getframe(1)"), "reaches into Python: a.py"),
        (changed("a.py", "test.__code__ = other.__code__"), "reaches into Python: a.py"),
        (changed("a.py", "builtins.AssertionError = Other"), "reaches into Python: a.py"),
    ],
)
def test_flagged(change: Change, flag: str) -> None:
    assert flag in flags(change)


@pytest.mark.parametrize(
    "change",
    [
        changed("a.py", "return passed"),
        changed(".gitignore", "*.pyc", "**/__pycache__/", "!keep.pyc"),
        changed("MANIFEST.in", "global-exclude *.pyc"),
        changed("a.py", "if f.__code__ == g.__code__:", "builtins.open == open"),
        Change("a.py", b"a = 1\r\nb = os._exit\r\n", b"a = 2\nb = os._exit\n"),
        changed("a.py", "    # status FAILED", "// PASSED"),
        Change("pyproject.toml", b"[tool.pytest]\nx = 1\n", b"name = 'x'\n[tool.pytest]\nx = 1\n"),
        # a word of it near the change
        new("pyproject.toml", "[project]", 'dependencies = ["pytest"]'),
        Change(
            "pyproject.toml", b"[tool.pytest]\na = 1\n[x]\n\n\n\nb = 2\n", b"[tool.pytest]\na = 1\n[x]\n\n\n\nb = 3\n"
        ),
        changed("setup.py", "x"),
        new("a.py", "# -*- coding: UTF-8 -*-"),
        new("tests/test_mine.py", "def test(): pass"),
        Change("a.py", b"os._exit(1)\nx\n", b"x\nos._exit(1)\n"),
        Change("a.py", b"PASSED\n", None),
    ],
)
def test_not_flagged(change: Change) -> None:
    assert flags(change) == ()


def test_the_image_says_what_is_configuration() -> None:
    """The names were a list of ours, which knew none of another runner's."""
    change = changed("odd.rc", "x")
    applied = Applied(frozenset({"odd.rc"}), (change,))
    assert change_flags(applied, (), {"odd.rc"}) == ("test configuration: odd.rc",)
    assert change_flags(applied, (), {"tox.ini"}) == ()


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (changed("odd.rc", "x"), True),
        (changed("pkg/odd.rc", "x"), True),
        (changed("noxfile.py", "x"), True),
        (new("tests/conftest.py", "x"), True),
        (changed("pkg/a.py", "x"), False),
        (changed("tests/test_a.cfg", "x"), False),
    ],
)
def test_the_image_is_asked_for_its_configuration_only_if_it_may_be_touched(change: Change, asked: bool) -> None:
    applied = Applied(frozenset({change.path}), (change,), packages=frozenset({"pkg"}))
    assert may_be_configuration(applied, {"tests/test_a.cfg"}) is asked


def test_a_program_that_the_test_command_names_is_a_test_runner() -> None:
    files = named_files("export A=b\n./tests/runtests.py --verbosity 2 a.b 'bin/test'")
    for path in ("tests/runtests.py", "bin/test"):
        applied = Applied(frozenset({path}), (changed(path, "x"),))
        assert f"test runner: {path}" in change_flags(applied, (), (), files)
        assert f"test runner: {path}" not in change_flags(applied, (), ())


def test_what_is_put_back_before_the_tests_is_no_sign_of_anything() -> None:
    change = changed("tests/test_a.py", "os._exit(0)")
    assert flags(change) != ()
    assert flags(change, restored=("tests/test_a.py",)) == ()


def test_changes_that_can_not_be_read_are_flagged() -> None:
    assert change_flags(None, ()) == (UNREADABLE,)
