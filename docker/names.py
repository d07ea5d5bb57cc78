"""Prints which of the module names on its input this Python finds, or its packages import, outside the repository.

One name a line, dotted below a folder. For every Python from 3.6 on.
"""

# Old Pythons run it, and what it prints is its answer.
# ruff: noqa: ANN001, ANN201, PTH118, PTH120, PTH123, T201
import ast
import os
import re
import sys
from importlib.machinery import PathFinder

ROOT = "/testbed"
SKIPPED = {"test", "tests", "idlelib", "__pycache__"}  # what no run of a repository's tests loads
CALLS = {"import_module", "__import__", "importorskip", "find_spec"}
MENTIONS = re.compile(
    rb"""^[ \t]*(?:from|import)[ \t]+([^#\n]*)
    | (?:import_module|__import__|importorskip|find_spec)\(\s*["']([\w.]+)""",
    re.MULTILINE | re.VERBOSE,
)


def outside(path):
    """Whether a folder lies neither in the repository nor beside this script."""
    real = os.path.realpath(path) + "/"
    return bool(path) and not real.startswith((ROOT + "/", os.path.dirname(os.path.realpath(__file__)) + "/"))


def provided(name, paths):
    """Whether a module of that name is found in these folders, or built in."""
    parts = name.split(".")
    if name in sys.builtin_module_names:
        return True
    where = paths
    for number in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:number]), where)
        where = spec.submodule_search_locations if spec else None
        if spec is None or (where is None and number < len(parts)):
            return False
    return spec.loader is not None  # a mere folder answers only if nothing else does


def imported(source):
    """Dotted names that a module imports by their full names, and those above them."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(node.module + "." + alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            named = getattr(node.args[0], "value", getattr(node.args[0], "s", None))
            if called in CALLS and isinstance(named, str):
                found.add(named)
    for name in list(found):
        parts = name.split(".")
        found.update(".".join(parts[:number]) for number in range(1, len(parts)))
    return found


def sources(paths):
    """The content of each module in these folders."""
    for path in paths:
        for place, folders, names in os.walk(path):
            folders[:] = [name for name in folders if name not in SKIPPED and os.path.join(place, name) not in paths]
            for name in names:
                if name.endswith(".py"):
                    try:
                        with open(os.path.join(place, name), "rb") as file:
                            yield file.read()
                    except OSError:
                        continue


def main():
    """Read the names, print those that count."""
    wanted = {line.strip() for line in sys.stdin if line.strip()}
    paths = [path for path in sys.path if outside(path)]
    found = {name for name in wanted if provided(name, paths)}
    tops = {name.split(".")[0].encode() for name in wanted - found}
    for source in sources(paths):
        words = (word for match in MENTIONS.finditer(source) for word in re.findall(rb"\w+", match[1] or match[2]))
        if wanted <= found:
            break
        if tops.isdisjoint(words):
            continue
        try:
            found |= wanted & imported(source)
        except (SyntaxError, ValueError, RecursionError):
            continue  # of another Python, or a template
    print("\n".join(sorted(found)))


main()
