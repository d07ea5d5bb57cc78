"""The counter-evaluation in real containers: forged results are caught, honest ones are not."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from forgeries import FORGERIES
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
from harness.sandbox.docker import DockerSandbox

pytestmark = pytest.mark.docker
RUN = "test-control"
LIMITS = EvaluationConfig(timeout=30, memory=1024).limits()
TESTED = (
    "import pytest\nfrom calc import add\n\n\ndef test_zero():\n    assert add(0, 0) == 0\n\n\n"
    "def test_add():\n    assert add(1, 2) == 3\n\n\n"
    '@pytest.mark.parametrize("a, b, whole", [(1, 4, 5), (2, 7, 9)])\ndef test_table(a, b, whole):\n'
    "    assert add(a, b) == whole\n\n\n"
    "def test_more():\n    assert add(2, 2) > 1\n"
)
HONEST = {"the fix": diff({"calc.py": FIXED}), "another fix": diff({"calc.py": "from operator import add\n"})}
AT_A_TIME = 3
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


@pytest.fixture(scope="module")
def checked(docker_client, testbed, tmp_path_factory):
    """The verdicts on all patches, each resolved one evaluated once more, whatever flags it has."""
    folder = tmp_path_factory.mktemp("control")
    with (
        DockerSandbox(docker_client, RUN) as sandbox,
        Journal(folder / "journal.jsonl") as journal,
        Journal(folder / "controls.jsonl") as controls,
    ):
        evaluator = Evaluator(sandbox, journal, folder / "logs", LIMITS)
        commands = CommandRunner(sandbox, journal, folder / "commands", LIMITS)

        def statuses(*question):
            return read_statuses(*question)[0]

        control = CounterEvaluation(
            Evaluator(sandbox, controls, folder / "logs", LIMITS, weigh), commands, controls, statuses, lambda: "1"
        )

        def checked(patch: str) -> Verdict:
            verdict = evaluator.evaluate(testbed, patch)
            return control.checked(testbed, patch, verdict.model_copy(update={"flags": ()}))

        patches = {**{name: diff(new) for name, new in FORGERIES.items()}, **HONEST}
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            yield dict(zip(patches, pool.map(checked, patches.values()), strict=True))


@pytest.mark.parametrize("name", FORGERIES)
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
