"""The plan of the house: a room imports only rooms on floors below its own."""

import ast
import importlib.util
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent

FLOORS = (  # from the top; rooms of one floor do not know each other
    ("harness.__main__",),
    ("lab", "harness.cli"),
    ("harness.pipeline",),
    ("harness.page", "harness.exchange"),
    ("harness.compare",),
    ("harness.build", "harness.cluster", "harness.report", "harness.validate"),
    ("harness.localize", "harness.repair", "harness.grading"),
    ("harness.model", "harness.images", "harness.statistics"),
    ("harness.config",),
    ("harness.dataset", "harness.control"),
    ("harness.repo", "harness.packing", "harness.miniature", "harness.sandbox", "harness.reading"),
    ("harness.common",),
    ("harness.core", "harness.errors", "harness"),
)
FLOOR = {room: -number for number, floor in enumerate(FLOORS) for room in floor}


def load_house():
    spec = importlib.util.spec_from_file_location("house", ROOT / "scripts" / "house.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


house = load_house()


def floor_of(room: str) -> int:
    return FLOOR["lab" if room.split(".")[0] == "lab" else room]


def upward(arrows) -> list[tuple[str, str]]:
    """Arrows that do not lead down; within the laboratory, which is one room here, all are allowed."""
    return sorted((a, b) for a, b in arrows if floor_of(a) <= floor_of(b) and not (a[:3] == b[:3] == "lab"))


def test_every_arrow_leads_down():
    assert upward(house.arrows(ROOT)) == []


def test_an_arrow_that_runs_up_or_along_a_floor_is_found():
    assert upward({("harness.core", "harness.common"), ("harness.repair", "harness.grading")}) == [
        ("harness.core", "harness.common"),
        ("harness.repair", "harness.grading"),
    ]


def test_there_is_no_circle_and_no_loose_file_beside_the_command_line_and_the_errors():
    assert house.circles(house.arrows(ROOT)) == 0
    loose = {path.name for path in (ROOT / "harness").glob("*.py")}
    assert loose == {"__init__.py", "__main__.py", "cli.py", "errors.py"}


def test_no_two_modules_have_one_name():
    paths = [path for part in ("harness", "lab") for path in (ROOT / part).rglob("*.py")]
    names = Counter(path.name for path in paths if path.name not in ("__init__.py", "__main__.py"))
    assert {name for name, count in names.items() if count > 1} <= {"cli.py"}  # a command line, of all and of packing


def test_no_two_modules_of_tests_have_one_name():
    """Pytest imports them by their names alone: a second one ends the whole session before its first test."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_every_room_says_in_a_line_what_it_is_for():
    rooms = [path for path in (ROOT / "harness").iterdir() if path.is_dir() and list(path.glob("*.py"))]
    assert len(rooms) > 15
    for room in rooms:
        docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
        assert docstring, room
        assert len(docstring.splitlines()) == 1, room


def packages_imported(folder: Path) -> set[str]:
    """Packages beyond the standard library that the modules of a folder import."""
    found = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            found |= {name.split(".")[0] for name in names}
    return found - sys.stdlib_module_names


def test_core_needs_nothing_but_pydantic():
    assert packages_imported(ROOT / "harness" / "core") == {"pydantic", "harness"}


def test_what_trains_needs_five_packages_and_no_command_line_library():
    """A training machine has only these, as docs/laboratory.md promises."""
    promised = {"torch", "numpy", "pyarrow", "tokenizers", "safetensors"}
    assert packages_imported(ROOT / "lab" / "training") <= {"lab", *promised}


def test_what_trains_imports_nothing_of_the_harness():
    known = house.modules(ROOT)
    for name, path in known.items():
        if name.startswith("lab.training") or name == "lab.score":
            assert not [m for m, _ in house.imported(path, known) if m.startswith("harness")], name
