"""A run of any size whose model and tests take no time: real repositories, an instant server, an instant sandbox."""

import ast
import json
import subprocess
import sys
import sysconfig
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from harness.common.run_folder import RunFolder
from harness.config.schema import EvaluationConfig
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult, Job
from harness.grading.evaluator import Evaluator
from harness.grading.job import PATCH_PATH
from harness.grading.log_workers import LogWorkers
from harness.grading.scripts import CommandRunner
from harness.grading.session import Session
from harness.grading.specification import END_MARKER, START_MARKER, Specification
from harness.grading.testbed import Testbed
from harness.model.serving_places import Places
from harness.repo.diff import Replacement, change_patch, split_lines
from harness.repo.mirror import BareRepository
from harness.repo.snapshot import REFERENCES, project_path, rebuilt_folder

CONDITIONS = ("model", "gt-location", "gt-file")
PROJECTS = 10
LEFT_OUT = ("site-packages", "test", "tests", "idlelib", "__pycache__", "lib2to3")
SIZES = range(4_000, 60_000)  # bytes of a file that a gold patch changes
TEST = "tests/test_a.py::test_new"
NEW_TEST = (
    "diff --git a/tests/test_a.py b/tests/test_a.py\nnew file mode 100644\n--- /dev/null\n+++ b/tests/test_a.py\n"
    "@@ -0,0 +1 @@\n+pass\n"
)
INTACT = {"/testbed/tests/test_a.py": "1f"}
ISSUE = (
    "`{path}` computes a wrong value on line {line}.\n\nThe result changes when the same call is made twice with "
    "other defaults. Reported for number {number}.\n"
)


def source_files() -> dict[str, bytes]:
    """The Python files of the standard library, by their paths: what the repositories hold."""
    root = Path(sysconfig.get_path("stdlib"))
    paths = (path for path in sorted(root.rglob("*.py")) if not set(path.relative_to(root).parts) & set(LEFT_OUT))
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def make_instances(cache: Path, count: int) -> list[dict[str, Any]]:
    """Rows of ``count`` instances, whose base states lie in the cache folder, each a commit of its own."""
    files = source_files()
    changeable = list(_changeable(files))
    rows = [_row(number, *changeable[number % len(changeable)], files) for number in range(count)]
    for project in sorted({str(row["repo"]) for row in rows}):
        ids = [str(row["instance_id"]) for row in rows if row["repo"] == project]
        _write_repository(project_path(rebuilt_folder(cache), project), files, ids)
    return rows


def run_document(folder: Path, url: str, size: Sequence[int]) -> dict[str, Any]:
    """A run file for the rows in ``folder``; ``size``: instances, checkpoints, conditions and samples."""
    _, checkpoints, conditions, samples = size
    return {
        "dataset": {"path": str(folder / "rows.jsonl")},
        "checkpoints": [
            {"name": f"c{n}", "endpoint": url, "model": f"m{n}", "revision": "1"} for n in range(checkpoints)
        ],
        "conditions": list(CONDITIONS[:conditions]),
        "sampling": {"samples": samples},
        "evaluation": {"workers": 2},
        "output": str(folder / "run"),
    }


def _changeable(files: dict[str, bytes]) -> Iterator[tuple[str, int]]:
    """Files with the number of a line inside a function that a gold patch can change."""
    for path, data in files.items():
        if len(data) not in SIZES:
            continue
        try:
            functions = [n for n in ast.walk(ast.parse(data)) if isinstance(n, ast.FunctionDef)]
        except SyntaxError:
            continue
        line = next((node.body[-1].lineno for node in functions if isinstance(node.body[-1], ast.Return)), None)
        if line is not None:
            yield path, line


def _row(number: int, path: str, line: int, files: dict[str, bytes]) -> dict[str, Any]:
    lines = split_lines(files[path])
    old = lines[line - 1]
    new = old[: len(old) - len(old.lstrip())] + b"pass\n"
    project = f"harness-scale/project{number % PROJECTS}"
    return {
        "instance_id": f"{project.replace('/', '__')}-{number}",
        "repo": project,
        "base_commit": f"{number:040x}",
        "patch": change_patch(path, lines, [Replacement(line - 1, line - 1, (new,))]),
        "test_patch": NEW_TEST,
        "problem_statement": ISSUE.format(path=path, line=line, number=number),
        "FAIL_TO_PASS": json.dumps([TEST]),
        "PASS_TO_PASS": "[]",
    }


def _write_repository(path: Path, files: dict[str, bytes], ids: Sequence[str]) -> None:
    """A bare repository with a commit for each id: the files, and one that differs."""
    stream = bytearray()
    for mark, data in enumerate(files.values(), 1):
        stream += b"blob\nmark :%d\ndata %d\n%b\n" % (mark, len(data), data)
    for instance_id in ids:
        stream += b"commit %s/%s\ncommitter h <h@localhost> 946684800 +0000\ndata 4\nBase\n" % (
            REFERENCES.encode(),
            instance_id.encode(),
        )
        stream += b"".join(b"M 100644 :%d %s\n" % (mark, name.encode()) for mark, name in enumerate(files, 1))
        stream += b"M 100644 inline NUMBER.txt\ndata %d\n%b\n" % (len(instance_id), instance_id.encode())
    with BareRepository.create(path):
        subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input=bytes(stream), check=True)


@contextmanager
def instant_server(models: Sequence[str]) -> Iterator[str]:
    """An instant server in a process of its own; gives its base URL."""
    command = [sys.executable, str(Path(__file__).with_name("instant_server.py")), *models]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        finally:
            server.terminate()


class InstantSandbox:
    """A `Sandbox` whose tests take no time; a third of all patches resolves, always the same ones."""

    def digest(self, image: str) -> str:
        """One digest for each image."""
        return f"sha256:{zlib.crc32(image.encode()):064x}"

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        """The results of putting the patch in and of the tests."""
        word = "PASSED" if zlib.crc32(job.files.get(PATCH_PATH, b"")) % 3 == 0 else "FAILED"
        tested = f"{word} {TEST}\n== 1 {word.lower()} in 0.01s ==\n".encode()
        prepared = b"expected 100644 1f 0 tests/test_a.py\nApplied patch cleanly.\n"
        status = 0 if word == "PASSED" else 1
        return CommandResult(0, prepared, 0.0, contents=INTACT), CommandResult(status, tested, 0.0, contents=INTACT)


@contextmanager
def instant_session(
    instances: Sequence[Instance], evaluation: EvaluationConfig, folder: RunFolder, *_: object
) -> Iterator[Session]:
    """What `evaluation_session` opens, with an instant sandbox in Docker's place."""
    specification = Specification(f"{START_MARKER}\n{END_MARKER}", "parse_log_pytest", "pass_and_fail")
    beds = {i.instance_id: Testbed(i, specification, f"image-{i.instance_id}") for i in instances}
    sandbox: Any = InstantSandbox()
    with (
        folder.journal("evaluations") as journal,
        ThreadPoolExecutor(evaluation.workers or 4, "evaluate") as pool,
        LogWorkers() as weigh,
    ):
        evaluator = Evaluator(sandbox, journal, folder.logs, evaluation.limits(), weigh)
        commands = CommandRunner(sandbox, journal, folder.command_logs, evaluation.limits())
        digests = {bed.image: sandbox.digest(bed.image) for bed in beds.values()}
        yield Session(evaluator, commands, beds, digests, _NoImages(), pool)  # type: ignore[arg-type]


class _NoImages:
    """A supply of images of which none is needed."""

    on_demand = False

    def finish(self, instance: Instance) -> None:
        """There is no image to let go."""


class _Nowhere:
    """An executor of a session that asks it for nothing."""

    images = _NoImages()

    def prepare(self, *_: object) -> None:
        """There is nothing to bring."""

    def places(self, *_: object) -> Places:
        """This machine, without its devices."""
        return Places()

    def repositories(self) -> AbstractContextManager[None]:
        """There are none in images."""
        return nullcontext()


@contextmanager
def without_docker() -> Iterator[None]:
    """The pipeline with instant containers: what it opens of Docker is replaced for the length of the block."""
    executor = patch("harness.pipeline.run.open_executor", lambda *_: nullcontext(_Nowhere()))
    session = patch("harness.pipeline.run.evaluation_session", instant_session)
    with executor, session:
        yield
