"""The texts of a package: its files before and after the fix, its issue, its tests, its patches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from random import Random
from typing import Any

from harness.common.resources import templates
from harness.miniature.cases import REPORTED, Case, all_shown
from harness.miniature.families import DATA
from harness.miniature.package import Issues, Package

VERSION = "1.0"
TEMPLATES = DATA / "templates"
Named = Mapping[str, Any]  # a test as its template takes it
WORDINGS: Mapping[Issues, Sequence[str]] = {
    "any": sorted(path.name for path in TEMPLATES.glob("issue-*.md.jinja")),
    "short": ["issue-short.md.jinja"],
}


@dataclass(frozen=True)
class Place:
    """Where a faulty function is."""

    path: str
    function: str


@dataclass(frozen=True)
class Texts:
    """A package without its tests."""

    base: Mapping[str, str]  # path -> text, with the bug
    fixed: Mapping[str, str]
    patch: str  # the fix
    issue: str
    places: tuple[Place, ...]  # one for each fault


@dataclass(frozen=True)
class Suite:
    """A package's tests."""

    base: Mapping[str, str]  # path -> text, without the tests for the bug
    added: Mapping[str, str]  # with them
    patch: str  # the test patch, from the first to the second

    @property
    def changed(self) -> list[str]:
        """Paths of the files that the test patch changes."""
        return [path for path, text in self.added.items() if text != self.base[path]]


def write_texts(random: Random, package: Package, issues: Issues = "any") -> Texts:
    """The texts that need no test; ``random`` chooses how the issue is worded, among what ``issues`` allows."""
    frame = {
        "pyproject.toml": _render("pyproject.toml.jinja", package=package.name, version=VERSION),
        f"{package.name}/__init__.py": _render("module.py.jinja", docstring=f"The {package.name} package.", sources=[]),
    }
    base = frame | {_path(package, module): _module(package, module, faulty=True) for module in package.modules}
    faulty = dict.fromkeys(fault.module for fault in package.faults)
    fixed = base | {_path(package, module): _module(package, module, faulty=False) for module in faulty}
    places = tuple(Place(_path(package, fault.module), fault.function.name) for fault in package.faults)
    return Texts(base, fixed, _patches(base, fixed), _issue(random, package, issues), places)


def write_suite(package: Package) -> Suite:
    """The tests: those that pass whatever the state, and those that show the bug."""
    base, added = {}, {}
    for module, functions in package.modules.items():
        passing = [_test(function.name, package.passing(function)) for function in functions]
        showing: list[Named] = []
        for function in (function for function in functions if function.name in package.showing):
            name, cases = function.name, package.showing[function.name]
            showing += [_test(f"{name}_as_reported", cases[:REPORTED]), _test(f"{name}_further", cases[REPORTED:])]
            showing.append(_test(f"{name}_in_general", package.guarding(function)))
        path = f"tests/test_{module}.py"
        base[path], added[path] = _tests(package, module, passing), _tests(package, module, passing + showing)
    return Suite(base, added, _patches(base, added))


def unified_patch(path: str, before: str, after: str) -> str:
    """One file's change in git's form; both texts end with a line break."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return f"diff --git a/{path} b/{path}\n" + "".join(unified_diff(old, new, f"a/{path}", f"b/{path}"))


def _patches(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    changed = sorted(path for path in before if before[path] != after[path])
    return "".join(unified_patch(path, before[path], after[path]) for path in changed)


def _path(package: Package, module: str) -> str:
    return f"{package.name}/{module}.py"


def _module(package: Package, module: str, faulty: bool) -> str:
    sources = [f.source(package.mutations(f) if faulty else ()) for f in package.modules[module]]
    return _render("module.py.jinja", docstring=f"Helpers for {module}.", sources=sources)


def _tests(package: Package, module: str, tests: Sequence[Named]) -> str:
    functions = sorted(function.name for function in package.modules[module])
    written = [test for test in tests if test["cases"]]
    return _render("tests.py.jinja", package=package.name, module=module, functions=functions, tests=written)


def _test(name: str, cases: Sequence[Case]) -> Named:
    return {"name": f"test_{name}", "cases": cases}


def _issue(random: Random, package: Package, issues: Issues) -> str:
    functions = {fault.function.name: fault for fault in package.faults}  # once, if both faults are in one
    reports = [
        {
            "module": fault.module,
            "function": name,
            "intent": fault.function.intent,
            "cases": package.showing[name][:REPORTED],
            "needed": _needed(package.showing[name]),
        }
        for name, fault in functions.items()
    ]
    return _render(random.choice(WORDINGS[issues]), package=package.name, version=VERSION, reports=reports)


def _needed(showing: Sequence[Case]) -> int:
    """How many of the first calls show every fault between them."""
    counts = range(1, len(showing) + 1)
    return next(count for count in counts if all_shown(showing[:count]))


def _render(template: str, **values: Any) -> str:
    return templates(TEMPLATES).get_template(template).render(**values)
