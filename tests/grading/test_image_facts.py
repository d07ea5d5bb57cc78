"""What is asked of images, how often, and what real Pythons answer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from doubles import ScriptedSandbox, limits_with

from harness.common.resources import resource
from harness.core.interfaces import CommandResult
from harness.errors import InfrastructureError
from harness.grading.image_facts import ImageFacts


def test_an_image_is_asked_once_of_each_name(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(CommandResult(0, b"shlex\n", 0.1))
    for _ in range(2):
        names = ImageFacts(sandbox, limits_with(), tmp_path / "names")
        assert names.answered("image", "sha256:1", ["shlex", "mine"]) == {"shlex"}
    assert len(sandbox.jobs) == 1
    assert names.answered("image", "sha256:1", ["mine"]) == frozenset()
    assert names.answered("image", "sha256:1", ["other", "mine"]) == frozenset()
    assert [job.files["/harness/question"] for job in sandbox.jobs] == [b"mine\nshlex\n", b"other\n"]
    names.answered("image", "sha256:2", ["mine"])
    assert len(sandbox.jobs) == 3


def test_what_a_python_finds_and_imports() -> None:
    """pytest asks for argcomplete where it is and where it is not; nothing asks for the last one."""
    wanted = "shlex\nsys\nxml.dom\npytest.__main__\n_pytest.main\nargcomplete\nxml.nothing\nno_such_module_of_mine\n"
    script = str(resource("docker") / "names.py")
    done = subprocess.run([sys.executable, script], input=wanted, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["_pytest.main", "argcomplete", "pytest.__main__", "shlex", "sys", "xml.dom"]


def test_an_image_is_asked_once_for_what_the_runners_of_a_command_look_for(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(CommandResult(0, b"looked for: tox.ini\nnoise\nlooked for: a b.cfg\n", 0.1))
    for _ in range(2):
        facts = ImageFacts(sandbox, limits_with(), tmp_path / "facts")
        assert facts.configuration("image", "sha256:1", "tox -e py39") == {"tox.ini", "a b.cfg"}
    assert [job.files["/harness/question"] for job in sandbox.jobs] == [b"tox -e py39"]
    facts.configuration("image", "sha256:1", "pytest")
    assert len(sandbox.jobs) == 2


def test_an_image_that_can_not_be_asked_is_no_image_without_configuration(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(CommandResult(None, b"", 0.1, timed_out=True))
    facts = ImageFacts(sandbox, limits_with(), tmp_path / "facts")
    with pytest.raises(InfrastructureError, match="did not answer"):
        facts.configuration("image", "sha256:1", "pytest")
    with pytest.raises(InfrastructureError, match="did not answer"):
        facts.answered("image", "sha256:1", ["shlex"])
    assert not (tmp_path / "facts").exists()


RUNNER = """import os, pathlib
os.path.exists("odd.rc"), pathlib.Path("other.yaml").is_file(), pathlib.Path("/etc/far.cfg").exists()
try:
    open("third.cfg")
except OSError:
    pass
os.mkdir("made"), os.stat("made")
pathlib.Path("needed.ini").read_text()
"""


def test_what_the_runners_of_this_python_look_for(tmp_path: Path) -> None:
    """A runner that nobody has heard of is asked like pytest, which is asked even where no word names it."""
    (tmp_path / "oddrunner").mkdir()
    (tmp_path / "oddrunner/__init__.py").touch()
    (tmp_path / "oddrunner/__main__.py").write_text(RUNNER)
    script = str(resource("docker") / "configuration.py")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def asked(command: str) -> set[str]:
        done = subprocess.run(
            [sys.executable, script], input=command, capture_output=True, text=True, check=True, env=environment
        )
        return {line.removeprefix("looked for: ") for line in done.stdout.splitlines()}

    own = {"conftest.py", "pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml", ".pytest.ini"}
    found = asked("python -m oddrunner tests")
    assert own <= found
    assert found - asked("./run tests") == {"odd.rc", "other.yaml", "third.cfg", "needed.ini"}
    assert not {"__init__.py", "test_it.py", ".pytest_cache"} & found
