"""The texts of a package: its files before and after the fix, its tests, its patches, its issue."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from random import Random
from typing import Any

from harness.miniature.families import DATA, Function
from harness.miniature.package import CASES, Case, Package
from harness.resources import templates

VERSION = "1.0"
TEMPLATES = DATA / "templates"
ISSUES = sorted(path.name for path in TEMPLATES.glob("issue-*.md.jinja"))


@dataclass(frozen=True)
class Texts:
    """A package as files and patches."""

    base: Mapping[str, str]  # path -> text, with the bug, without the tests for it
    patch: str  # the fix
    test_patch: str  # adds tests that the bug fails
    test_file: str  # the path that it changes
    fixed: Mapping[str, str]  # as both patches leave the tree
    tested: Mapping[str, str]  # as the test patch alone leaves it
    issue: str


def write_texts(random: Random, package: Package) -> Texts:
    """All texts of ``package``; ``random`` chooses how its issue is worded."""
    base = {
        "pyproject.toml": _render("pyproject.toml.jinja", package=package.name, version=VERSION),
        f"{package.name}/__init__.py": _render("module.py.jinja", docstring=f"The {package.name} package.", sources=[]),
    }
    for module in package.modules:
        base[f"{package.name}/{module}.py"] = _module(package, module, faulty=True)
        base[f"tests/test_{module}.py"] = _tests(package, module, added=False)
    source_file, test_file = f"{package.name}/{package.faulty_module}.py", f"tests/test_{package.faulty_module}.py"
    right = {source_file: _module(package, package.faulty_module, faulty=False)}
    tests = {test_file: _tests(package, package.faulty_module, added=True)}
    return Texts(
        base=base,
        patch=unified_patch(source_file, base[source_file], right[source_file]),
        test_patch=unified_patch(test_file, base[test_file], tests[test_file]),
        test_file=test_file,
        fixed=base | tests | right,
        tested=base | tests,
        issue=_issue(random, package),
    )


def unified_patch(path: str, before: str, after: str) -> str:
    """One file's change in git's form; both texts end with a line break."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return f"diff --git a/{path} b/{path}\n" + "".join(unified_diff(old, new, f"a/{path}", f"b/{path}"))


def _module(package: Package, module: str, faulty: bool) -> str:
    def source(function: Function) -> str:
        return function.source(package.mutation if faulty and function is package.faulty else None)

    return _render(
        "module.py.jinja", docstring=f"Helpers for {module}.", sources=[*map(source, package.modules[module])]
    )


def _tests(package: Package, module: str, added: bool) -> str:
    """Tests of one module: those that pass whatever the state, and where ``added`` those that show the bug."""
    functions = package.modules[module]
    tests = [_test(f.name, [case for case in package.cases[f.name] if not case.shows_bug]) for f in functions]
    if added:
        name, showing = package.faulty.name, package.showing
        tests += [_test(f"{name}_as_reported", showing[:CASES]), _test(f"{name}_further", showing[CASES:])]
    return _render(
        "tests.py.jinja",
        package=package.name,
        module=module,
        functions=sorted(function.name for function in functions),
        tests=[test for test in tests if test["cases"]],
    )


def _test(name: str, cases: list[Case]) -> dict[str, Any]:
    return {"name": f"test_{name}", "cases": cases[:CASES]}


def _issue(random: Random, package: Package) -> str:
    return _render(
        random.choice(ISSUES),
        package=package.name,
        module=package.faulty_module,
        version=VERSION,
        function=package.faulty.name,
        intent=package.faulty.intent,
        cases=package.showing[:CASES],
    )


def _render(template: str, **values: Any) -> str:
    return templates(TEMPLATES).get_template(template).render(**values)
