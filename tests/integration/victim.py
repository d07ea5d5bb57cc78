"""A little package whose tests the attacks try to bend, its image, and an evaluator for it."""

import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from sandboxes import opened

from harness.build.builder import build_images
from harness.common.journal import Journal
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.dataset.recipes import Environment, FolderSource, Recipe, RecipeBook
from harness.grading.evaluator import Evaluator
from harness.grading.specification import specify
from harness.grading.testbed import Testbed
from harness.miniature.generate import PYTHON, REQUIREMENTS

INSTANCE_ID = "harness-Test__victim-1"
TEST_FILE = "tests/test_calc.py"
NEW, OLD = f"{TEST_FILE}::test_add", f"{TEST_FILE}::test_zero"
FILES = {
    "calc.py": "def add(a, b):\n    return a - b\n",
    TEST_FILE: "from calc import add\n\n\ndef test_zero():\n    assert add(0, 0) == 0\n",
}
TESTED = FILES[TEST_FILE] + "\n\ndef test_add():\n    assert add(1, 2) == 3\n"
FIXED = "def add(a, b):\n    return a + b\n"


def diff(new: Mapping[str, str]) -> str:
    """The patch that gives these files their new text."""
    parts = []
    for path, text in new.items():
        old = FILES.get(path)
        lines = difflib.unified_diff(
            (old or "").splitlines(True), text.splitlines(True), f"a/{path}" if old else "/dev/null", f"b/{path}"
        )
        mode = "" if old else "new file mode 100644\n"
        parts.append(f"diff --git a/{path} b/{path}\n{mode}" + "".join(lines))
    return "".join(parts)


def make_victim(client, folder: Path) -> tuple[Instance, Recipe, str]:
    """The instance, its recipe, and its image, built where it is not there."""
    for path, text in FILES.items():
        (folder / "source" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / path).write_text(text)
    recipe = Recipe(
        instance_id=INSTANCE_ID,
        environment="victim",
        source=FolderSource(path=folder / "source"),
        install=None,
        test_cmd=f"python -m pytest -rA -p no:cacheprovider {TEST_FILE}",
        log_parser="parse_log_pytest",
    )
    instance = Instance(
        instance_id=INSTANCE_ID,
        repo="harness-test/victim",
        base_commit="0" * 40,
        patch=diff({"calc.py": FIXED}),
        test_patch=diff({TEST_FILE: TESTED}),
        problem_statement="add subtracts",
        FAIL_TO_PASS=[NEW],
        PASS_TO_PASS=[OLD],
    )
    environment = Environment(python=PYTHON, requirements=REQUIREMENTS)
    book = RecipeBook(environments={"victim": environment}, instances={INSTANCE_ID: recipe})
    [result] = build_images(client, [instance], book, folder / "cache")
    assert result.error is None
    return instance, recipe, result.image


LIMITS = EvaluationConfig().limits()


class VictimEvaluator:
    """An evaluator of patches for one testbed."""

    def __init__(self, evaluator: Evaluator, testbed: Testbed) -> None:
        self.log_path = evaluator.log_path
        self.evaluate = partial(evaluator.evaluate, testbed)


@contextmanager
def open_evaluator(
    client, instance: Instance, recipe: Recipe, image: str, folder: Path, run: str, kind: str = "docker"
) -> Iterator:
    """Makes evaluators: keyword arguments are limits."""
    testbed = Testbed(instance, specify(instance, recipe), image)
    with opened(kind, client, image, run) as sandbox, Journal(folder / "journal.jsonl") as journal:

        def make(**limits) -> VictimEvaluator:
            evaluator = Evaluator(sandbox, journal, folder / "logs", replace(LIMITS, **limits))
            return VictimEvaluator(evaluator, testbed)

        yield make
