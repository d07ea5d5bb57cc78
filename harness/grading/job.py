"""An evaluation as the commands of a job, and its log.

The evaluation script is cut at its markers, which are dropped: what comes before the tests runs in one command, the
tests in another, so that the tests' output is a stream of its own and no text in it says where it begins or ends. The
log gets markers that we write ourselves when everything is over, with a nonce that did not exist before.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import takewhile

from harness.common.resources import resource
from harness.core.interfaces import Command, CommandResult, Job, Limits
from harness.grading.specification import END_MARKER, START_MARKER
from harness.grading.testbed import Testbed
from harness.sandbox.watched_files import BYTECODE_MODE, EARLIEST, FILE_MODE, FOLDER_MODE, LATEST, OWNER

ROOT = "/testbed"
FOLDER = "/harness"
PATCH_PATH = f"{FOLDER}/patch.diff"
PREPARE_PATH = f"{FOLDER}/prepare.sh"

PATCH_REFUSED = 94  # exit status of prepare.sh if the patch does not apply
RESTORE_STATE = f"source {FOLDER}/state 2>/dev/null || exit 97\n"


@dataclass(frozen=True)
class FileIds:
    """Git's names for the content of the row's test files, path -> id; a file that is not there is left out."""

    expected: dict[str, str] | None  # None: the row's test patch does not apply to its base state
    present: Mapping[str, str]  # when the tests began


def split_script(script: str) -> tuple[str, str]:
    """What an evaluation script does before the tests, and the tests. What it does after them is left out.

    The container is thrown away, so nothing has to be put back; and the tests' exit status is that of the last
    command before the end marker, as in the official harness.
    """
    lines = script.split("\n")  # not splitlines: a test patch in it may hold carriage returns and form feeds
    start = next(number for number, line in enumerate(lines) if START_MARKER in line)
    end = max(number for number, line in enumerate(lines) if END_MARKER in line)
    return _joined(lines[:start]), _joined(lines[start + 1 : end])


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def evaluation_job(testbed: Testbed, digest: str | None, patch: str | None, limits: Limits) -> Job:
    """The job of one evaluation in the image of that content id: two commands, preparing and testing.

    ``patch`` None tests the base state.
    """
    instance = testbed.instance
    setup, tests = split_script(testbed.specification.script)
    test_patch = instance.test_patch.encode("utf-8", "surrogateescape")
    files = {
        PREPARE_PATH: _template("prepare.sh"),
        f"{FOLDER}/setup.sh": setup.encode("utf-8", "surrogateescape") + _template("setup_end.sh"),
        f"{FOLDER}/test.diff": test_patch if not test_patch or test_patch.endswith(b"\n") else test_patch + b"\n",
    }
    if patch is not None:
        files |= {f"{FOLDER}/{name}": _template(name) for name in ("apply.sh", "changes.sh")}
        files[PATCH_PATH] = patch.encode("utf-8", "surrogateescape")  # as it came, as in the official harness
    paths = testbed.watched
    watched = tuple(f"{ROOT}/{path}" for path in paths)
    commands = (
        Command(("/bin/bash", PREPARE_PATH, instance.base_commit, *paths), watched, tells=True),
        Command(("/bin/bash", "-c", RESTORE_STATE + tests), watched),
    )
    return Job(testbed.image, files, commands, limits, workdir=ROOT, digest=digest)


def protocol() -> dict[str, str]:
    """Everything of ours that runs in a container or shows there, for keys."""
    names = ("prepare.sh", "apply.sh", "changes.sh", "setup_end.sh")
    shielded = f"{OWNER} {EARLIEST} {LATEST} {FILE_MODE:o} {FOLDER_MODE:o} {BYTECODE_MODE:o}"
    return {name: _template(name).decode() for name in names} | {"restore": RESTORE_STATE, "shield": shielded}


@cache
def _template(name: str) -> bytes:
    return (resource("docker") / name).read_bytes()


def file_ids(preparing: CommandResult) -> FileIds:
    """What preparing reported of the test files: its first lines come from before the patch."""
    expected: dict[str, str] = {}
    lines = preparing.output.decode("utf-8", "surrogateescape").split("\n")  # not splitlines: paths may hold U+2028
    for line in takewhile(lambda line: line.startswith("expected "), lines):
        _, _mode, object_id, _stage, path = line.split(" ", 4)
        expected[path] = object_id
    present = {path.removeprefix(f"{ROOT}/"): object_id for path, object_id in preparing.contents.items()}
    return FileIds(expected or None, present)


def new_nonce() -> str:
    """A nonce for the markers of one log."""
    return secrets.token_hex(8)


def write_log(results: Sequence[CommandResult], nonce: str) -> bytes:
    """The log of an evaluation: preparing, then the tests' output between the markers with their nonce."""
    preparing = results[0].output
    if len(results) == 1:
        return preparing
    gap = b"" if not preparing or preparing.endswith(b"\n") else b"\n"
    return preparing + gap + marked(results[1].output, nonce)


def marked(output: bytes, nonce: str) -> bytes:
    """The tests' output between its markers."""
    gap = b"" if not output or output.endswith(b"\n") else b"\n"
    return f"{START_MARKER} {nonce}\n".encode() + output + gap + f"{END_MARKER} {nonce}\n".encode()


def read_log(log: bytes, nonce: str) -> bytes | None:
    """The marked part of a log, markers included, whatever the tests printed; None if they never began."""
    start, end = f"{START_MARKER} {nonce}\n".encode(), f"{END_MARKER} {nonce}\n".encode()
    _, found, rest = log.partition(start)
    return found + rest if found and rest.endswith(end) else None
