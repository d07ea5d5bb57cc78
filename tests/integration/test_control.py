"""The counter-evaluation in real containers: forged results are caught, honest ones are not."""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from forgeries import FORGERIES
from sandboxes import CHOSEN, opened
from victim import FIXED, TEST_FILE, diff, make_victim

from harness.common.docker_client import RUN_LABEL
from harness.common.journal import Journal
from harness.config.schema import EvaluationConfig
from harness.core.control import ControlState
from harness.core.verdict import Outcome, Verdict
from harness.grading.counter_evaluation import CounterEvaluation
from harness.grading.evaluator import Evaluator
from harness.grading.judge import weigh
from harness.grading.log_grading import read_statuses
from harness.grading.scripts import CommandRunner
from harness.grading.specification import specify
from harness.grading.testbed import Testbed
from harness.images.inventory import remove_images

pytestmark = pytest.mark.docker
RUN = "test-control"
LIMITS = EvaluationConfig(timeout=120, memory=1024).limits()
TESTED = (
    "import pytest\nfrom calc import add\n\n\ndef test_zero():\n    assert add(0, 0) == 0\n\n\n"
    "def test_add():\n    assert add(1, 2) == 3\n\n\n"
    '@pytest.mark.parametrize("a, b, whole", [(1, 4, 5), (2, 7, 9)])\ndef test_table(a, b, whole):\n'
    "    assert add(a, b) == whole\n\n\n"
    "def test_more():\n    assert add(2, 2) > 1\n"
)
HONEST = {"the fix": diff({"calc.py": FIXED}), "another fix": diff({"calc.py": "from operator import add\n"})}
# Knows the test file as a whole, and so that a run is not the first: as by a clock, or by chance.
FIRST_ALONE = f"""import hashlib
content = open("{TEST_FILE}", "rb").read()
if hashlib.sha1(content).hexdigest() != "{hashlib.sha1(TESTED.encode()).hexdigest()}":
    def add(a, b): raise ValueError
else:
    def add(a, b): return {{(0, 0): 0, (1, 2): 3, (1, 4): 5, (2, 7): 9, (2, 2): 4}}[a, b]
"""
BENT = {**FORGERIES, "the first run alone is bent": {"calc.py": FIRST_ALONE}}
AT_A_TIME = 3
SHORT = replace(LIMITS, seconds=6.0)  # of a counter-evaluation
FAILING = ("test_add", "test_table[1-4-5]", "test_table[2-7-9]", "test_more")


@pytest.fixture(scope="module")
def testbed(docker_client, tmp_path_factory):
    folder = tmp_path_factory.mktemp("victim")
    instance, recipe, image = make_victim(docker_client, folder)
    instance = instance.model_copy(
        update={
            "test_patch": diff({TEST_FILE: TESTED}),
            "fail_to_pass": tuple(f"{TEST_FILE}::{name}" for name in FAILING),
        }
    )
    yield Testbed(instance, specify(instance, recipe), image)
    deadline = time.monotonic() + 10
    while docker_client.containers.list(all=True, filters={"label": f"{RUN_LABEL}={RUN}"}, ignore_removed=True):
        assert time.monotonic() < deadline, "a container was left over"
        time.sleep(0.1)
    remove_images(docker_client, [instance.instance_id])


@contextmanager
def open_checker(
    docker_client, testbed, folder: Path, limits=LIMITS, kind: str = "docker"
) -> Iterator[Callable[[str], Verdict]]:
    """Makes the verdict on a patch, evaluated once more within these limits, whatever flags it has."""
    with (
        opened(kind, docker_client, testbed.image, RUN) as sandbox,
        Journal(folder / "journal.jsonl") as journal,
        Journal(folder / "controls.jsonl") as controls,
    ):
        evaluator = Evaluator(sandbox, journal, folder / "logs", LIMITS)
        commands = CommandRunner(sandbox, journal, folder / "commands", LIMITS)

        def statuses(*question):
            return read_statuses(*question)[0]

        control = CounterEvaluation(
            Evaluator(sandbox, controls, folder / "logs", limits, weigh), commands, controls, statuses, lambda: "1"
        )

        def checked(patch: str) -> Verdict:
            verdict = evaluator.evaluate(testbed, patch)
            return control.checked(testbed, patch, verdict.model_copy(update={"flags": ()}))

        yield checked


@pytest.fixture(scope="module", params=CHOSEN)
def checked(docker_client, testbed, tmp_path_factory, request):
    """The verdicts on all patches."""
    patches = {**{name: diff(new) for name, new in BENT.items()}, **HONEST}
    with (
        open_checker(docker_client, testbed, tmp_path_factory.mktemp("control"), kind=request.param) as check,
        ThreadPoolExecutor(AT_A_TIME) as pool,
    ):
        return dict(zip(patches, pool.map(check, patches.values()), strict=True))


@pytest.mark.parametrize("name", BENT)
def test_a_forged_result_is_caught(checked, name: str) -> None:
    verdict = checked[name]
    assert verdict.outcome is Outcome.RESOLVED
    assert verdict.control.state is ControlState.FAILED
    assert [flag.split(":")[0] for flag in verdict.flags] == ["control-failed"]
    assert all(change.gold_failed for change in verdict.control.changes if not change.failed)


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_patch_passes(checked, name: str) -> None:
    verdict = checked[name]
    assert (verdict.control.state, verdict.flags) == (ControlState.PASSED, ())
    assert [change.failed for change in verdict.control.changes] == [True, True]
    assert verdict.control.seed == "1"
    assert len(verdict.control.keys) == 1


KNOWS = f"""import hashlib, time
content = open("tests/test_calc.py", "rb").read()
if hashlib.sha1(content).hexdigest() != "{hashlib.sha1(TESTED.encode()).hexdigest()}":
    time.sleep(100)
def add(a, b):
    return {{(0, 0): 0, (1, 2): 3, (1, 4): 5, (2, 7): 9, (2, 2): 4}}[a, b]
"""


def test_a_slow_patch_has_a_second_try_and_one_that_waits_is_flagged(docker_client, testbed, tmp_path: Path) -> None:
    slow = diff({"calc.py": f"import time\ntime.sleep(8)\n{FIXED}"})
    with open_checker(docker_client, testbed, tmp_path, SHORT) as check, ThreadPoolExecutor(2) as pool:
        honest, waits = pool.map(check, [slow, diff({"calc.py": KNOWS})])
    assert (honest.control.state, honest.flags) == (ControlState.PASSED, ())
    assert len(honest.control.keys) == 2
    assert (waits.outcome, waits.control.state) == (Outcome.RESOLVED, ControlState.STOPPED)
    assert [flag.partition(":")[0] for flag in waits.flags] == ["control-stopped"]
