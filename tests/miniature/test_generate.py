"""Generated instances, checked from outside: git applies the patches, pytest runs, the benchmark's rules grade."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from swebench.harness.log_parsers.python import parse_log_pytest

from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.dataset.instances import parse_rows
from harness.dataset.recipes import load_recipes
from harness.errors import HarnessError, InputError
from harness.grading.log_grading import grade
from harness.grading.specification import END_MARKER, START_MARKER, specify
from harness.miniature.generate import MiniatureSet, generate
from harness.miniature.package import Difficulty
from harness.miniature.split import Split
from harness.miniature.testrun import PYTEST, Tree, run_tests

COUNT = 8
SEED = 3


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> MiniatureSet:
    return generate(tmp_path_factory.mktemp("miniature"), SEED, COUNT)


@pytest.fixture(scope="module")
def instances(miniature: MiniatureSet) -> list[Instance]:
    rows = [json.loads(line) for line in miniature.rows.read_text().splitlines()]
    return parse_rows(rows, str(miniature.rows))


def _tree(miniature: MiniatureSet, instance: Instance, folder: Path, *patches: str) -> Path:
    """A copy of the base state with patches put in by git."""
    tree = folder / f"{instance.instance_id}-{len(list(folder.iterdir()))}"
    shutil.copytree(miniature.sources / instance.instance_id, tree)
    for patch in patches:
        subprocess.run(["git", "apply", "-"], input=patch, text=True, cwd=tree, check=True)
    return tree


def _outcome(miniature: MiniatureSet, instance: Instance, tree: Path) -> Outcome:
    """What the recipe's own test command and the grader make of a tree."""
    recipe = load_recipes(miniature.recipes).recipe(instance.instance_id)
    _, *arguments = shlex.split(recipe.test_cmd)
    run = subprocess.run([sys.executable, *arguments], cwd=tree, capture_output=True, text=True, check=False)
    log = f"{START_MARKER}\n{run.stdout}\n{END_MARKER}\n"
    return grade(instance, specify(instance, recipe), log, run.returncode).outcome


def test_rows_have_the_benchmarks_columns(miniature: MiniatureSet) -> None:
    for line in miniature.rows.read_text().splitlines():
        row = json.loads(line)
        assert list(row) == [
            *("repo", "instance_id", "base_commit", "patch", "test_patch", "problem_statement", "hints_text"),
            *("created_at", "version", "FAIL_TO_PASS", "PASS_TO_PASS", "environment_setup_commit"),
        ]
        assert re.fullmatch(r"[0-9a-f]{40}", row["base_commit"])
        assert re.fullmatch(r"miniature__[a-z]+-\d+", row["instance_id"])
        assert isinstance(json.loads(row["FAIL_TO_PASS"]), list)


def test_gold_resolves_and_the_base_state_does_not(
    miniature: MiniatureSet, instances: list[Instance], tmp_path: Path
) -> None:
    for instance in instances[:2]:
        base = _tree(miniature, instance, tmp_path, instance.test_patch)
        fixed = _tree(miniature, instance, tmp_path, instance.test_patch, instance.patch)
        assert _outcome(miniature, instance, base) is Outcome.UNRESOLVED
        assert _outcome(miniature, instance, fixed) is Outcome.RESOLVED


def test_all_patches_apply_and_rows_tell_what_pytest_says_of_each_package_alone(
    miniature: MiniatureSet, instances: list[Instance], tmp_path: Path
) -> None:
    for instance in instances[:4]:
        test_named_files = sorted({test.split("::")[0] for test in (*instance.fail_to_pass, *instance.pass_to_pass)})
        for patches, passing in (
            ((instance.test_patch,), {*instance.pass_to_pass}),
            ((instance.test_patch, instance.patch), {*instance.pass_to_pass, *instance.fail_to_pass}),
        ):
            tree = _tree(miniature, instance, tmp_path, *patches)
            run = subprocess.run([sys.executable, *PYTEST, *test_named_files], cwd=tree, capture_output=True, text=True)
            statuses = parse_log_pytest(run.stdout, None)
            assert {test for test, status in statuses.items() if status == "PASSED"} == passing
        assert instance.fail_to_pass
        assert instance.pass_to_pass


def test_the_base_state_passes_its_own_tests(
    miniature: MiniatureSet, instances: list[Instance], tmp_path: Path
) -> None:
    for instance in instances[:2]:
        tree = _tree(miniature, instance, tmp_path)
        run = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=tree, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout


def test_recipes_name_folders_that_are_there(miniature: MiniatureSet) -> None:
    book = load_recipes(miniature.recipes)
    assert set(book.instances) == set(miniature.instance_ids)
    for recipe in book.instances.values():
        assert recipe.install is None
        assert (recipe.source.path / "pyproject.toml").is_file()


def test_a_patch_changes_one_source_file_and_its_tests_another(instances: list[Instance]) -> None:
    for instance in instances:
        name = instance.repo.removeprefix("miniature/")
        assert re.findall(r"^\+\+\+ b/(\S+)$", instance.patch, re.M)[0].startswith(f"{name}/")
        assert len(re.findall(r"^[-+](?![-+])", instance.patch, re.M)) == 2
        assert not re.findall(r"^-(?!--)", instance.test_patch, re.M), "the test patch only adds"


def test_the_issue_names_values_that_the_tests_hold(instances: list[Instance]) -> None:
    for instance in instances:
        reported = re.findall(r"^\+    assert (.*\)) == (.*)$", instance.test_patch, re.M)[0]
        assert all(value in instance.problem_statement for value in reported)


def test_no_two_instances_are_equal(instances: list[Instance]) -> None:
    for field in ("instance_id", "patch", "test_patch", "base_commit"):
        assert len({getattr(instance, field) for instance in instances}) == COUNT


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_seed_decides_and_a_smaller_set_is_the_beginning(miniature: MiniatureSet, tmp_path: Path) -> None:
    again, other = generate(tmp_path / "again", SEED, 2), generate(tmp_path / "other", SEED + 1, 2)
    rows = again.rows.read_text()
    assert miniature.rows.read_text().startswith(rows)
    assert rows != other.rows.read_text()
    for instance_id in again.instance_ids:
        assert _files(again.sources / instance_id) == _files(miniature.sources / instance_id)


def test_an_earlier_state_leaves_nothing_behind(tmp_path: Path) -> None:
    (instance_id,) = generate(tmp_path, SEED, 1).instance_ids
    before = _files(tmp_path)
    (tmp_path / "sources" / instance_id / "stray.py").touch()
    generate(tmp_path, SEED, 1)
    assert _files(tmp_path) == before


def test_a_set_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one"):
        generate(tmp_path, SEED, 0)


@pytest.mark.parametrize(
    ("split", "difficulty", "tag", "counts"),
    [
        ("transfer", Difficulty(), "transfer", (1, 1)),
        ("held-out", Difficulty("two-lines"), "two-lines", (1, 2)),
        ("train", Difficulty("two-files", modules=4), "train-two-files-modules-4", (2, 2)),
    ],
)
def test_ids_tell_split_and_difficulty_and_patches_have_a_line_for_each_fault(
    tmp_path: Path, split: Split, difficulty: Difficulty, tag: str, counts: tuple[int, int]
) -> None:
    miniature = generate(tmp_path, SEED, 3, split, difficulty)
    recipes = load_recipes(miniature.recipes)
    for number, line in enumerate(miniature.rows.read_text().splitlines(), 1):
        row = json.loads(line)
        assert re.fullmatch(rf"miniature__[a-z]+-{tag}-{number}", row["instance_id"])
        assert (row["patch"].count("\n+++ "), len(re.findall(r"^\+(?!\+\+)", row["patch"], re.M))) == counts
        test_named_files = re.findall(r"^\+\+\+ b/(\S+)$", row["test_patch"], re.M)
        assert len(test_named_files) == counts[0]
        assert sorted(recipes.recipe(row["instance_id"]).test_cmd.split()[-counts[0] :]) == sorted(test_named_files)


def test_packages_of_one_name_do_not_see_each_other() -> None:
    def tree(value: int, name: str) -> Tree:
        test = f"from oakmill.rows import value\n\n\ndef test_{name}():\n    assert value == 1\n"
        return Tree(
            {"oakmill/__init__.py": "", "oakmill/rows.py": f"value = {value}\n", "tests/test_a.py": test},
            ["tests/test_a.py"],
        )

    one, two = "tests/test_a.py::test_one", "tests/test_a.py::test_two"
    assert run_tests([tree(1, "one"), tree(2, "one"), tree(1, "two")]) == [{one: True}, {one: False}, {two: True}]


def test_tests_that_do_not_run_are_an_error_not_a_result() -> None:
    with pytest.raises(HarnessError, match="no results"):
        run_tests([Tree({"tests/test_nothing.py": "x = 1\n"}, ["tests/test_nothing.py"])])
