"""Measure the plan of the house from its imports: python scripts/house.py [CHECKOUT].

Counts loose modules, rooms, arrows between rooms, circles, and the lengths of modules and functions. Counts the trips,
too: how many modules name a run's settings, an instance or a patch, and how many imports lead from the command line to
a model request and to a container. Works on any checkout of the project, so that two of its states can be compared.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median


def room_of(module: str) -> str:
    """The room of a dotted module: two parts of its name for what lies in a folder of `harness` or `lab`."""
    parts = module.split(".")
    return ".".join(parts[:2]) if len(parts) > 1 else parts[0]


def modules(root: Path) -> dict[str, Path]:
    """Dotted name -> file of every module of `harness` and `lab`."""
    found = {}
    for package in ("harness", "lab"):
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(path: Path, known: dict[str, Path]) -> Iterator[tuple[str, bool]]:
    """Modules of ours that a file imports, each with whether it does so for the type checker alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typed = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            module = name if name in known else name.rpartition(".")[0]
            if module in known:
                yield module, id(node) in typed


def arrows(root: Path) -> set[tuple[str, str]]:
    """Every (room, room it imports from), the type checker's imports included."""
    known = modules(root)
    found = {(room_of(name), room_of(other)) for name, path in known.items() for other, _ in imported(path, known)}
    return {(one, other) for one, other in found if one != other}


def circles(found: set[tuple[str, str]]) -> int:
    """Number of groups of rooms that import each other, directly or by way of others."""
    reach = {one: {other for first, other in found if first == one} for one, _ in found}
    for _ in reach:
        reach = {one: others.union(*(reach.get(other, set()) for other in others)) for one, others in reach.items()}
    groups = {frozenset(other for other in reach[one] if one in reach.get(other, ())) for one in reach}
    return len([group for group in groups if group])


def naming(known: dict[str, Path], names: re.Pattern[str]) -> int:
    """Number of modules that import or define a class, or have a parameter or field, of such a name."""
    count = 0
    for path in known.values():
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        found = [alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
        found += [node.name for node in nodes if isinstance(node, ast.ClassDef)]
        found += [node.arg for node in nodes if isinstance(node, ast.arg)]
        found += [
            node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        ]
        count += any(map(names.fullmatch, found))
    return count


def hops(known: dict[str, Path], name: str) -> int:
    """Imports on the shortest way from the command line to the module that defines the class ``name``."""
    defining = f"\nclass {name}"
    [target] = [module for module, path in known.items() if defining in path.read_text(encoding="utf-8")]
    reached, count = {"harness.cli"}, 0
    while target not in reached:
        reached |= {other for module in reached for other, _ in imported(known[module], known)}
        count += 1
    return count


def measure(root: Path) -> dict[str, object]:
    """The figures of a checkout."""
    known = modules(root)
    harness = {name: path for name, path in known.items() if name.startswith("harness")}
    found = arrows(root)
    lengths, functions = [], []
    for path in known.values():
        text = path.read_text(encoding="utf-8")
        lengths.append(text.count("\n"))
        functions += [
            (node.end_lineno or node.lineno) - node.lineno + 1
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
    loose = [path for path in (root / "harness").glob("*.py") if path.stem != "__init__"]
    return {
        "files on top of harness/": len(loose),
        "rooms (folders and loose files)": len({room_of(name) for name in known}),
        "arrows between them": len(found),
        "circles": circles(found),
        "module lines, median / longest": f"{median(lengths):g} / {max(lengths)}",
        "function lines, median / longest": f"{median(functions):g} / {max(functions)}",
        "functions over 50 lines": sum(length > 50 for length in functions),
        "modules that settings pass through": naming(harness, re.compile(r"\w+Config")),
        "modules that an instance passes through": naming(harness, re.compile("Instance")),
        "modules that a patch passes through": naming(harness, re.compile("patch|model_patch")),
        "imports from cli to a model request": hops(known, "EndpointModel"),
        "imports from cli to a container": hops(known, "DockerSandbox"),
    }


if __name__ == "__main__":
    for name, value in measure(Path(sys.argv[1] if len(sys.argv) > 1 else ".")).items():
        sys.stdout.write(f"{name:40}{value}\n")
