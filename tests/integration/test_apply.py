"""Putting patches in as leniently as the official harness does, with the real tools of a built image."""

import pytest
from doubles import limits_with

from harness.common.resources import resource
from harness.core.interfaces import Command, Job
from harness.sandbox.docker import DockerSandbox

pytestmark = pytest.mark.docker

SETUP = "cd /testbed && git init -q && seq 9 > a && git add a && git commit -qm base"
EXACT = "--- a/a\n+++ b/a\n@@ -4,3 +4,3 @@\n 4\n-5\n+five\n 6\n"
DRIFTED = "--- a/a\n+++ b/a\n@@ -3,5 +3,5 @@\n three\n 4\n-5\n+five\n 6\n 7\n"
FOREIGN = "--- a/a\n+++ b/a\n@@ -1,3 +1,3 @@\n alpha\n-beta\n+BETA\n gamma\n"
INSIDE_GIT = "  --- /dev/null\n  +++ b/.git/hooks/post-checkout\n  @@ -0,0 +1 @@\n  +#!/bin/sh\n"


@pytest.mark.parametrize(
    ("patch", "status", "said"),
    [
        (EXACT, 0, b"Applied patch a cleanly."),
        (DRIFTED, 0, b"fuzz"),
        (FOREIGN, 1, b"error: a: patch does not apply"),
        (INSIDE_GIT, 1, b"error: the patch changes files inside .git"),
        ("no patch at all\n", 1, b"error: No valid patches in input"),
    ],
)
def test_patches(docker_client, base_image, patch: str, status: int, said: bytes) -> None:
    files = {"/harness/apply.sh": (resource("docker") / "apply.sh").read_bytes(), "/harness/p.diff": patch.encode()}
    commands = (
        Command(("/bin/bash", "-c", SETUP)),
        Command(
            ("/bin/bash", "-c", "bash /harness/apply.sh /harness/p.diff; s=$?; [ $s = 0 ] && git status -s; exit $s")
        ),
    )
    with DockerSandbox(docker_client, "test-apply") as sandbox:
        setup, applied = sandbox.run(Job(base_image, files, commands, limits_with()))
    assert setup.exit_status == 0, setup.output
    assert applied.exit_status == status, applied.output
    lines = applied.output.splitlines()
    assert any(said in line for line in lines) if status == 0 else said in lines[-1]
    assert (b" M a" in lines) == (status == 0)
