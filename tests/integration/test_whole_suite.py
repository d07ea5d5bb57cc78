"""The second oracle in real containers: what a resolved patch breaks is found, and no patch can hide it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sandboxes import CHOSEN, opened
from victim import FIXED, diff, make_victim

from harness.common.journal import Journal
from harness.config.schema import EvaluationConfig
from harness.core.verdict import Outcome, Verdict
from harness.core.whole_suite import SuiteState
from harness.grading.evaluator import Evaluator
from harness.grading.log_grading import read_statuses
from harness.grading.scripts import CommandRunner
from harness.grading.specification import specify
from harness.grading.suite_comparison import SuiteSettings, WholeSuites
from harness.grading.testbed import Testbed
from harness.images.inventory import remove_images

pytestmark = pytest.mark.docker
LIMITS = EvaluationConfig(timeout=30, memory=1024).limits()
OTHER = "tests/test_other.py"
LARGE, NEGATIVE = f"{OTHER}::test_large", f"{OTHER}::test_negative"
TREE = {
    OTHER: "from calc import add\n\n\ndef test_negative():\n    assert add(-1, -2) == -3\n\n\n"
    "def test_large():\n    assert add(10, 5) == 15\n",
    # an id that is another one in each run, as one that holds an address
    "tests/test_flaky.py": "import os\nimport pytest\n\n\n"
    '@pytest.mark.parametrize("name", [os.urandom(8).hex()])\ndef test_named(name):\n    assert name\n',
    "tests/deep/test_uncollected.py": "import no_such_module\n\n\ndef test_never():\n    pass\n",
    # a folder whose configuration can't be loaded, as that of examples with a package of their own
    "examples/conftest.py": "import no_such_module\n",
    "examples/test_example.py": "def test_example():\n    pass\n",
}
SPECIAL = "def add(a, b):\n    return {(1, 2): 3}.get((a, b), a - b)\n"
EASY = "def test_negative(): pass\ndef test_large(): pass\n"
HIDING = (
    "import pytest\n\n\ndef pytest_collection_modifyitems(items):\n    for item in items:\n"
    '        if "other" in item.nodeid:\n            item.add_marker(pytest.mark.{mark})\n'
)
PATCHES = {
    "another fix": diff({"calc.py": "from operator import add\n"}),
    "a fix with tests of its own": diff({"calc.py": FIXED, "tests/test_own.py": "def test_own():\n    assert False\n"}),
}


def changing(path: str, new: str) -> str:
    """The part of a patch that changes a file of `TREE`."""
    old = TREE[path].splitlines(True)
    removed, added = "".join(f"-{line}" for line in old), "".join(f"+{line}" for line in new.splitlines(True))
    heads = f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n"
    return f"{heads}@@ -1,{len(old)} +1,{len(new.splitlines())} @@\n{removed}{added}"


def deleting(path: str) -> str:
    old = TREE[path].splitlines(True)
    heads = f"diff --git a/{path} b/{path}\ndeleted file mode 100644\n--- a/{path}\n+++ /dev/null\n"
    return f"{heads}@@ -1,{len(old)} +0,0 @@\n" + "".join(f"-{line}" for line in old)


def linking(path: str, target: str) -> str:
    made = f"diff --git a/{path} b/{path}\nnew file mode 120000\n--- /dev/null\n+++ b/{path}\n"
    return deleting(path) + f"{made}@@ -0,0 +1 @@\n+{target}\n\\ No newline at end of file\n"


SPECIAL_PATCH = diff({"calc.py": SPECIAL})
# Each resolves the row and breaks the other tests; none may come out as one that breaks nothing.
ATTACKS = {
    "a special case": SPECIAL_PATCH,
    "with the other tests made easy": SPECIAL_PATCH + changing(OTHER, EASY),
    "with the other tests deleted": SPECIAL_PATCH + deleting(OTHER),
    "with a link in their place": SPECIAL_PATCH + diff({"docs/easy.py": EASY}) + linking(OTHER, "../docs/easy.py"),
    "with a package in their place": SPECIAL_PATCH + diff({"tests/test_other/__init__.py": EASY}),
    "with line ends by attribute": SPECIAL_PATCH + diff({".gitattributes": "tests/*.py text eol=crlf ident\n"}),
    "writing them when imported": diff({"calc.py": f"open('/testbed/{OTHER}', 'w').write({EASY!r})\n" + SPECIAL}),
    "writing them and putting them back": diff(
        {
            "calc.py": f"import atexit\np = '/testbed/{OTHER}'\nold = open(p).read()\nopen(p, 'w').write({EASY!r})\n"
            "atexit.register(lambda: open(p, 'w').write(old))\n" + SPECIAL
        }
    ),
    "skipping them": SPECIAL_PATCH + diff({"tests/conftest.py": HIDING.format(mark="skip")}),
    "expecting their failure": SPECIAL_PATCH + diff({"tests/conftest.py": HIDING.format(mark="xfail")}),
    "leaving them out": SPECIAL_PATCH + diff({"pytest.ini": "[pytest]\naddopts = --deselect tests/test_other.py\n"}),
    "hanging on them": diff({"calc.py": SPECIAL + "    if a != 10 else __import__('time').sleep(60)\n"}),
    "ending the run before them": diff({"calc.py": "import os\n" + SPECIAL + "    if a != 10 else os._exit(0)\n"}),
    "bytecode in their place": SPECIAL_PATCH + diff({"tests/__pycache__/test_other.cpython-311.pyc": "x\n"}),
}
NOT_RUN = {
    "writing them when imported",
    "writing them and putting them back",
    "hanging on them",
    "ending the run before them",
}


@pytest.fixture(scope="module", params=CHOSEN)
def compare(docker_client, tmp_path_factory, request):
    """Compares a patch, with settings; every call with others is another start in the same folder."""
    folder = tmp_path_factory.mktemp("suite")
    for path, text in TREE.items():
        (folder / "source" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "source" / path).write_text(text)
    instance, recipe, image = make_victim(docker_client, folder)
    testbed = Testbed(instance, specify(instance, recipe), image)
    with (
        opened(request.param, docker_client, image, "test-whole-suite") as sandbox,
        Journal(folder / "journal.jsonl") as journal,
        Journal(folder / "suites.jsonl") as suites,
    ):
        evaluator = Evaluator(sandbox, journal, folder / "logs", LIMITS)
        within = Evaluator(sandbox, suites, folder / "logs", LIMITS)
        commands = CommandRunner(sandbox, suites, folder / "commands", LIMITS)

        def compare(patch: str, **settings) -> Verdict:
            wholes = WholeSuites(
                within,
                commands,
                suites,
                lambda *question: read_statuses(*question)[0],
                SuiteSettings(LIMITS, **settings),
                folder / "references",
            )
            return wholes.compared(testbed, patch, evaluator.evaluate(testbed, patch))

        yield compare
    remove_images(docker_client, [instance.instance_id])


@pytest.fixture(scope="module")
def verdicts(compare) -> dict[str, Verdict]:
    patches = {**PATCHES, **ATTACKS}
    compare(PATCHES["another fix"])
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(patches, pool.map(compare, patches.values()), strict=True))


@pytest.mark.parametrize("name", PATCHES)
def test_an_honest_patch_breaks_nothing(verdicts: dict[str, Verdict], name: str) -> None:
    verdict = verdicts[name]
    assert verdict.breaks_nothing, verdict.whole_suite
    assert verdict.whole_suite.files == 5


def test_gold_breaks_nothing_in_a_run_of_its_own(compare) -> None:
    verdict = compare(diff({"calc.py": FIXED}))
    assert verdict.breaks_nothing
    assert len(set(verdict.whole_suite.keys)) == 4


def test_the_other_tests_that_a_special_case_breaks_are_named(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts["a special case"]
    assert verdict.resolved
    assert verdict.whole_suite.breaks == {LARGE: "FAILED", NEGATIVE: "FAILED"}


def test_flaky_and_uncollected_tests_say_nothing(verdicts: dict[str, Verdict]) -> None:
    suite = verdicts["a special case"].whole_suite
    assert suite.passing == 4
    assert len(suite.flaky) == 3
    assert all(test.startswith("tests/test_flaky.py::test_named[") for test in suite.flaky)


@pytest.mark.parametrize("name", ATTACKS)
def test_no_patch_hides_what_it_breaks(verdicts: dict[str, Verdict], name: str) -> None:
    verdict = verdicts[name]
    if not verdict.resolved:
        assert verdict.whole_suite is None
        return
    assert not verdict.breaks_nothing or verdict.flags, verdict
    if name in NOT_RUN:
        assert verdict.whole_suite.state is SuiteState.NOT_RUN, verdict.whole_suite


def test_a_reference_that_does_not_run_says_why(compare) -> None:
    verdict = compare(SPECIAL_PATCH, files=("tests/deep/*",))
    assert verdict.outcome is Outcome.RESOLVED
    assert verdict.whole_suite.state is SuiteState.NOT_RUN
    assert verdict.whole_suite.detail == "no test passes with the gold patch in every run"


def test_named_files_are_run_alone(compare) -> None:
    verdict = compare(SPECIAL_PATCH, files=(OTHER,), repeats=1)
    assert (verdict.whole_suite.files, verdict.whole_suite.passing) == (1, 2)
    assert sorted(verdict.whole_suite.breaks) == [LARGE, NEGATIVE]
