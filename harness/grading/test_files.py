"""The test files of an instance before and after its test patch, read out of its image once for a run."""

import base64
import binascii

from harness.common.resources import resource
from harness.control.test_patch import TestFile
from harness.core.instance import Instance
from harness.errors import InfrastructureError
from harness.grading.job import FOLDER
from harness.grading.scripts import CommandRunner, Script
from harness.grading.testbed import Testbed, watched_files


def read_test_files(commands: CommandRunner, testbed: Testbed) -> dict[str, TestFile]:
    """By path, the files that a row's test patch leaves behind. Nothing of any candidate's patch takes part.

    Raises InfrastructureError if the machine fails, or the image does not take the test patch.
    """
    instance = testbed.instance
    paths = watched_files(instance)
    ran = commands.run(testbed, _script(instance, paths))
    if ran.exit_status != 0:
        raise InfrastructureError(f"the test files can't be read: status {ran.exit_status}, {ran.output[-300:]!r}")
    sides: dict[str, dict[str, bytes]] = {"before": {}, "after": {}}
    for line in ran.output.splitlines():
        words = line.split(" ")
        if words[0] in sides and len(words) == 3:
            sides[words[0]][paths[int(words[1])]] = _decoded(words[2])
    return {path: TestFile(sides["before"].get(path), after) for path, after in sides["after"].items()}


def _script(instance: Instance, paths: tuple[str, ...]) -> Script:
    return Script(
        resource("docker").joinpath("test_files.sh").read_text(encoding="utf-8"),
        {
            f"{FOLDER}/base": instance.base_commit,
            f"{FOLDER}/paths": "".join(f"{path}\n" for path in paths),
            f"{FOLDER}/test.diff": instance.test_patch.removesuffix("\n") + "\n",
        },
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise InfrastructureError(f"the test files can't be read: {error}") from error
