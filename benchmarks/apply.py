"""Putting patches in, beside the official harness: python benchmarks/apply.py [--check] [--patches N] [--seed N].

Patches of many shapes are made from a seed over a small repository with ignored files. Each is put in twice, on a fresh
copy: by docker/apply.sh, and by swebench's own `run_instance`, its container replaced by that copy. What both say and
the trees that both leave are compared. Counted apart are those that we refuse: patches that change files
inside .git, and patches with text that looks like a diff and that nothing applied.
With --check the exit status is 1 when any of the others differs.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from unittest import mock

from parts.arguments import BenchmarkParser
from parts.patch_shapes import BLOBS, make_tree, shaped

from harness.common.resources import resource
from harness.grading.unapplied import unapplied

PATCHES, SEED = 700, 17
TOUCHED = "touched"  # beside the patch: the paths that our chain says it touched
INSIDE_GIT = b"inside .git"
KINDS = ("taken", "refused", "refused for .git", "refused for text unapplied", "different")
Tree = dict[str, tuple[int, bytes]]  # path -> mode, and content or target


class Applied(Exception):
    """The official chain is over and took the patch."""


class FolderContainer:
    """What `run_instance` does in a container, done in a folder; ends with the chain."""

    def __init__(self, folder: Path, patch_file: Path) -> None:
        self.folder, self.patch_file, self.id = folder, patch_file, "folder"

    def start(self) -> None:
        """Nothing: the folder is there."""

    def exec_run(self, command: str | list[str], **_: Any) -> SimpleNamespace:
        """Run a command of the chain in the folder. Raises Applied at the first command behind it."""
        from swebench.harness.run_evaluation import CONTAINER_PATCH_FILE

        words = shlex.split(command) if isinstance(command, str) else command
        if words[-1] == "diff":
            raise Applied
        words = [str(self.patch_file) if word == str(CONTAINER_PATCH_FILE) else word for word in words]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        return SimpleNamespace(exit_code=done.returncode, output=done.stdout.decode("utf-8", "replace").encode())


@contextmanager
def official(records: Path) -> Iterator[Any]:
    """The official runner's function for one instance, with nothing of Docker in it, writing below ``records``."""
    from swebench.harness import run_evaluation as runner

    with (
        mock.patch.object(runner, "RUN_EVALUATION_LOG_DIR", records),
        mock.patch.object(runner, "copy_to_container"),
        mock.patch.object(runner, "cleanup_container"),
        mock.patch.object(runner, "print", create=True),
    ):
        yield runner


def theirs(runner: Any, folder: Path, patch_file: Path, text: str, number: int) -> bool:
    """Whether the official chain takes the patch."""
    container, taken = FolderContainer(folder, patch_file), []

    def run(*arguments: Any, **named: Any) -> SimpleNamespace:
        try:
            return FolderContainer.exec_run(container, *arguments, **named)
        except Applied:
            taken.append(True)
            raise

    instance = SimpleNamespace(instance_id=f"shape-{number}", image="none")
    prediction = {"instance_id": instance.instance_id, "model_name_or_path": "m", "model_patch": text}
    made = SimpleNamespace(start=container.start, exec_run=run, id="folder")
    with mock.patch.object(runner, "create_container", return_value=made):
        runner.run_instance(instance, prediction, None, "shapes", 60)
    return bool(taken)


def ours(folder: Path, patch_file: Path) -> tuple[bool, bytes]:
    """Whether our chain takes the patch, and what it said."""
    touched = patch_file.with_name(TOUCHED)
    command = ["/bin/bash", str(resource("docker") / "apply.sh"), str(patch_file), str(touched)]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode == 0, done.stdout + done.stderr


def read_tree(folder: Path) -> Tree:
    """All files outside .git."""
    found: Tree = {}
    for place, folders, names in os.walk(folder):
        if place == str(folder):
            folders.remove(".git")
        for name in [*names, *(f for f in folders if Path(place, f).is_symlink())]:
            path = Path(place, name)
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            found[str(path.relative_to(folder))] = (path.lstat().st_mode, content)
    return found


def compared(runner: Any, folder: Path, text: str, number: int) -> str:
    """Put one patch into two copies of the base folder: what became of it, for the counts."""
    patch_file = folder / "patch.diff"
    patch_file.write_text(text, encoding="utf-8", newline="")
    copies = [folder / side for side in ("ours", "theirs")]
    for copy in copies:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder / "base", copy, symlinks=True)
    taken, said = ours(copies[0], patch_file)
    official_taken = theirs(runner, copies[1], patch_file, text, number)
    if INSIDE_GIT in said:
        return "refused for .git"
    if taken != official_taken or (taken and read_tree(copies[0]) != read_tree(copies[1])):
        print(f"differs: patch {number}: ours {taken}, official {official_taken}")
        return "different"
    if not taken:
        return "refused"
    touched = [os.fsdecode(path) for path in (folder / TOUCHED).read_bytes().split(b"\0") if path]
    return "refused for text unapplied" if unapplied(text, touched) else "taken"


def main() -> int:
    """Run the benchmark; the exit status."""
    parser = BenchmarkParser(__doc__)
    parser.add_argument("--patches", type=int, default=PATCHES, help="how many patches")
    parser.add_argument("--seed", type=int, default=SEED, help="of the patches")
    parser.add_check("when a patch is taken by one side alone, or leaves other trees")
    given = parser.parse_args()
    with TemporaryDirectory() as name, official(Path(name) / "records") as runner:
        base = Path(name) / "base"
        base.mkdir()
        make_tree(base)
        blobs = {
            spec: subprocess.check_output(["git", "rev-parse", spec], cwd=base, text=True).strip() for spec in BLOBS
        }
        counts = Counter(
            compared(runner, Path(name), shaped(number, given.seed, blobs), number) for number in range(given.patches)
        )
    print(f"figures: {', '.join(f'{kind}={counts[kind]}' for kind in KINDS)}")
    return 1 if given.check and counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
