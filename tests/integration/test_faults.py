"""What happens to the machine in the middle of a run changes no verdict and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from sandboxes import CHOSEN, opened
from victim import FIXED, INSTANCE_ID, diff, make_victim, open_evaluator

from harness.common.docker_client import connect
from harness.core.verdict import Outcome
from harness.images.inventory import remove_images
from harness.sandbox.apptainer_machine import jobs_folder
from harness.sandbox.left_over import LeftContainers

pytestmark = pytest.mark.docker
RUN = "test-faults"
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
SLOW = "import time\ntime.sleep(2)\n" + FIXED
PATCHES = [diff({"calc.py": f"# {n}\n" + (SLOW if n % 2 else "def add(a, b):\n    return 7\n")}) for n in range(8)]
RUN_EIGHT = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from harness.images.open_images import open_images
from harness.grading.evaluator import Evaluator
from harness.grading.specification import Specification
from harness.grading.testbed import Testbed
from harness.core.instance import Instance
from harness.common.journal import Journal
from harness.config.schema import EvaluationConfig

given = json.loads(Path(sys.argv[1]).read_text())
folder = Path(sys.argv[2])
instance = Instance.model_validate(given["instance"])
testbed = Testbed(instance, Specification(**given["specification"]), given["image"])
config = EvaluationConfig(timeout=60, sandbox=given["kind"])
with (
    open_images(config) as images,
    images.sandbox(given["run"], turns=2) as sandbox,
    Journal(folder / "journal.jsonl") as journal,
):
    sandbox.reap()
    evaluator = Evaluator(sandbox, journal, folder / "logs", config.limits())
    with ThreadPoolExecutor(3) as pool:
        verdicts = list(pool.map(lambda patch: evaluator.evaluate(testbed, patch), given["patches"]))
print(json.dumps([verdict.outcome for verdict in verdicts]))
"""


def ours(kind: str = "docker") -> list:
    """What jobs of these tests have on this machine."""
    if kind == "apptainer":
        return list(jobs_folder().glob(f"{RUN}-*"))
    with closing(connect(sandbox=kind)) as client:
        return LeftContainers(client, RUN).list()


def nothing_left(kind: str = "docker") -> bool:
    deadline = time.monotonic() + 15
    while ours(kind):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture(scope="module")
def victim(docker_client, tmp_path_factory):
    folder = tmp_path_factory.mktemp("victim")
    yield make_victim(docker_client, folder)
    remove_images(docker_client, [INSTANCE_ID])


@pytest.fixture(params=CHOSEN)
def kind(request, docker_client, victim) -> str:
    """What runs the containers, and has the image."""
    with opened(request.param, docker_client, victim[2], RUN):
        return str(request.param)


@pytest.fixture
def given(victim, tmp_path, kind):
    """A file that tells a process of its own what to evaluate."""
    from harness.grading.specification import specify

    instance, recipe, image = victim
    path = tmp_path / "given.json"
    path.write_text(
        json.dumps(
            {
                "instance": instance.model_dump(mode="json"),
                "specification": vars(specify(instance, recipe)),
                "image": image,
                "run": RUN,
                "kind": kind,
                "patches": PATCHES,
            }
        )
    )
    return path


def start(given: Path, folder: Path, **environment: str) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", RUN_EIGHT, str(given), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def outcomes(process: subprocess.Popen) -> list[str]:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    return json.loads(output.splitlines()[-1])


EXPECTED = ["unresolved", "resolved"] * 4


def test_the_harness_killed_in_the_middle_of_eight_evaluations(kind, given, tmp_path) -> None:
    first = start(given, tmp_path / "run")
    journal = tmp_path / "run" / "journal.jsonl"
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2 and ours(kind)):
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    done = journal.read_bytes()
    assert ours(kind)
    assert outcomes(start(given, tmp_path / "run")) == EXPECTED
    lines = journal.read_bytes()
    assert lines.startswith(done[: done.rfind(b"\n") + 1])
    assert lines.count(b"\n") == len(PATCHES)
    assert nothing_left(kind)


def test_a_container_removed_from_outside_is_asked_again(docker_client, victim, tmp_path) -> None:
    instance, recipe, image = victim
    removed = []

    def remove() -> None:
        for _ in range(200):
            if found := LeftContainers(docker_client, RUN).list():
                time.sleep(1.5)
                found[0].remove(force=True)
                removed.append(found[0].id)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=remove)
    thread.start()
    with open_evaluator(docker_client, instance, recipe, image, tmp_path, RUN) as make:
        verdict = make(seconds=60.0).evaluate(diff({"calc.py": "import time\ntime.sleep(4)\n" + FIXED}))
    thread.join()
    assert removed
    assert verdict.outcome is Outcome.RESOLVED
    assert nothing_left()


def test_a_clock_that_jumps(kind, given, tmp_path) -> None:
    """Half a day ahead in the middle, for this process alone: no verdict turns into a timeout."""
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed (apt-get install libfaketime)")
    stamp = tmp_path / "offset"
    stamp.write_text("+0d\n")
    environment = {
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(stamp), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    process = start(given, tmp_path / "run", **environment)
    while not ours(kind):
        assert process.poll() is None
        time.sleep(0.05)
    stamp.write_text("+43200\n")
    time.sleep(3)
    stamp.write_text("-43200\n")
    assert outcomes(process) == EXPECTED
    assert nothing_left(kind)
