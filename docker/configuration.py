"""Prints which files this Python's test runners look for in the folder that they are started in, one name a line.

The runners are asked, not a list: each is run in a folder with one trivial test, and what it looks for there is noted.
Runners are pytest, which others call, and the modules that the test command on the input names. Runs in a container
without any patch. For every Python from 3.5 on.
"""

# Old Pythons run it, and what it prints is its answer.
# ruff: noqa: ANN001, ANN002, ANN003, ANN201, ANN204, BLE001, PTH100, PTH109, PTH118, PTH120, PTH123, PTH208, T201
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec

TEST = "test_it"
PACKAGE = "__init__"  # a package's own module is no configuration
SECONDS = 60
MARK = "looked for: "


def runners(command):
    """Modules that can be run, named by whole words of a command; none of the standard library, which has its own."""
    standard = os.path.dirname(os.path.realpath(os.__file__)) + "/"
    found = []
    for word in dict.fromkeys(["pytest", *command.split()]):
        spec = find_spec(word) if re.match(r"[A-Za-z_]\w*$", word) else None
        origin = os.path.realpath(spec.origin) if spec and spec.origin else ""
        own = origin.startswith(standard) and "/site-packages/" not in origin and "/dist-packages/" not in origin
        if origin and not own and (not spec.submodule_search_locations or find_spec(word + ".__main__")):
            found.append(word)
    return found


def ask(runner):
    """The names that a runner looks for."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, TEST + ".py"), "w") as file:
            file.write("def test_it():\n    pass\n")
        asked = [sys.executable, "-B", os.path.abspath(__file__), runner]
        none, pipe = subprocess.DEVNULL, subprocess.PIPE
        try:
            said = subprocess.run(asked, cwd=folder, stdin=none, stdout=pipe, stderr=none, timeout=SECONDS).stdout
        except (subprocess.SubprocessError, OSError):
            return set()
    lines = said.decode("utf-8", "replace").splitlines()
    names = [line[len(MARK) :] for line in lines if line.startswith(MARK)]
    return {name for name in names if name.split(".")[0] not in (TEST, PACKAGE)}


class Noting:
    """A function that notes which names of a folder it is called with; no method where a class holds it."""

    def __init__(self, function, folder, names):
        self.function, self.folder, self.names = function, folder, names

    def __call__(self, path, *others, **named):
        """Note and call."""
        if isinstance(path, (str, bytes, getattr(os, "PathLike", str))):
            folder, name = os.path.split(os.path.join(self.folder, os.fsdecode(path)))
            if folder == self.folder:
                self.names.add(name)
        return self.function(path, *others, **named)


def watch(runner):
    """Run a module as a program, and print what it looked for in this folder."""
    import builtins
    import io

    here, looked, made = os.getcwd(), set(), set()
    sys.path.pop(0)
    for module, functions in ((os, ("stat", "lstat", "open", "access")), (builtins, ("open",)), (io, ("open",))):
        for name in functions:
            setattr(module, name, Noting(getattr(module, name), here, looked))
    os.mkdir = Noting(os.mkdir, here, made)
    sys.modules.pop("pathlib", None)  # old ones keep the functions that they found
    sys.argv[:] = [runner]
    try:
        import runpy

        runpy.run_module(runner, run_name="__main__", alter_sys=True)
    except BaseException:
        pass  # a runner that misses its configuration has looked for it
    names = sorted(looked - made - set(os.listdir(here)) - {""})
    sys.stdout.flush()
    os.write(1, "".join("\n" + MARK + name for name in names).encode("utf-8", "surrogateescape") + b"\n")


if len(sys.argv) > 1:
    watch(sys.argv[1])
else:
    for name in sorted(set().union(*map(ask, runners(sys.stdin.read())))):
        print(MARK + name)
