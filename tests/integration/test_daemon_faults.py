"""A daemon that dies and a disk that fills up, each with a Docker daemon of the test's own."""

import gc
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest
from daemon import Daemon, import_little_image
from doubles import limits_with

from harness.common import retry
from harness.common.docker_client import RUN_LABEL
from harness.common.journal import Journal
from harness.core.instance import Instance
from harness.core.verdict import Outcome, Phase
from harness.grading.evaluator import Evaluator
from harness.grading.specification import END_MARKER, START_MARKER, Specification
from harness.grading.testbed import Testbed
from harness.repo.diff import creation_patch
from harness.sandbox.docker import DockerSandbox

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("dockerd"), reason="starting a dockerd needs root"),
    # The SDK leaves connections to a daemon that died to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
IMAGE = "harness-test/little"
RUN = "test-daemon"
TEST = "tests/test_a.py::test_new"
NEW_TEST = creation_patch("tests/test_a.py", b"pass\n")
PATCH = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n"
RESULT = f"grep 2 a && echo PASSED {TEST}; echo == 1 passed in 0.1s =="


@pytest.fixture
def daemon(tmp_path, caplog):
    """Starts daemons; whatever becomes of the test, they end with it."""
    started = []

    def start(root: Path) -> Daemon:
        daemon = Daemon(tmp_path, root)
        started.append(daemon)
        daemon.start()
        import_little_image(daemon.client, tmp_path, IMAGE, {"a": "1\n"})
        return daemon

    yield start
    for daemon in started:
        daemon.stop()
        del daemon.client
    started.clear()
    caplog.clear()  # its records hold the errors, and these the connections
    gc.collect()


@pytest.fixture
def evaluation(tmp_path, row, monkeypatch):
    """Evaluates the patch with these tests."""
    monkeypatch.setattr(retry, "RETRY_SECONDS", (1.0, 5.0, 5.0))
    instance = Instance.model_validate(row(test_patch=NEW_TEST, FAIL_TO_PASS=[TEST], PASS_TO_PASS=[]))

    def evaluate(client, tests: str):
        script = f"cd /testbed\ngit apply /harness/test.diff\n: '{START_MARKER}'\n{tests}\n: '{END_MARKER}'\n"
        specification = Specification(script, "parse_log_pytest", "pass_and_fail")
        with DockerSandbox(client, RUN) as sandbox, Journal(tmp_path / "journal.jsonl") as journal:
            evaluator = Evaluator(sandbox, journal, tmp_path / "logs", limits_with(seconds=60.0))
            return evaluator.evaluate(Testbed(instance, specification, IMAGE), PATCH)

    return evaluate


def left(client) -> list:
    return client.containers.list(all=True, filters={"label": f"{RUN_LABEL}={RUN}"}, ignore_removed=True)


def test_a_daemon_killed_and_started_again_in_the_middle(daemon, evaluation, tmp_path) -> None:
    ours = daemon(tmp_path / "root")
    undisturbed = evaluation(ours.client, RESULT)
    assert undisturbed.outcome is Outcome.RESOLVED

    def crash() -> None:
        while not left(ours.client):
            time.sleep(0.05)
        time.sleep(2)
        ours.kill()
        ours.start()

    thread = threading.Thread(target=crash)
    thread.start()
    verdict = evaluation(ours.client, f"sleep 5; {RESULT}")
    thread.join()
    assert verdict.outcome is Outcome.RESOLVED
    assert verdict.fail_to_pass_success == undisturbed.fail_to_pass_success
    assert left(ours.client) == []


@pytest.fixture
def little_disk(tmp_path):
    """A file system of 200 MB."""
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(200 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=False).returncode:
        pytest.skip("this machine mounts no loopback file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk(little_disk, daemon, evaluation) -> None:
    ours = daemon(little_disk / "root")
    filler = little_disk / "filler"
    fill = ["dd", "if=/dev/zero", f"of={filler}", "bs=1M", "status=none"]
    subprocess.run(fill, check=False, stderr=subprocess.DEVNULL)
    verdict = evaluation(ours.client, f"head -c 50000000 /dev/zero > /big && {RESULT}")
    assert verdict.outcome is Outcome.INFRASTRUCTURE
    assert "no space left" in verdict.detail.lower()
    assert verdict.phase in (Phase.PREPARE, Phase.TESTS)
    filler.unlink()
    assert evaluation(ours.client, f"head -c 50000000 /dev/zero > /big && {RESULT}").outcome is Outcome.RESOLVED
    assert left(ours.client) == []


def test_a_disk_that_fills_up_while_the_tests_run(little_disk, daemon, evaluation) -> None:
    """The words of a full disk are the machine's failure only where its disk is full."""
    ours = daemon(little_disk / "root")
    said = evaluation(ours.client, "echo No space left on device; false")
    assert said.outcome is Outcome.NO_RESULTS
    fills = "head -c 500000000 /dev/zero > /big; grep 3 a"
    verdict = evaluation(ours.client, fills)
    assert (verdict.outcome, verdict.phase) == (Outcome.INFRASTRUCTURE, Phase.TESTS)
