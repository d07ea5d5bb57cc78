"""The folders that jobs without an engine have their files in, each with its labels and its control groups."""

import json
import logging
import os
import pwd
import secrets
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.sandbox.apptainer_machine import jobs_folder
from harness.sandbox.control_group import groups_of
from harness.sandbox.left_over import Chosen

log = logging.getLogger(__name__)

LABELS = "labels.json"
MAKING = "making-"  # begins the name of a folder that has no labels yet


class JobFolders:
    """Those of one run on this machine. Safe for threads and processes."""

    def __init__(self, run: str) -> None:
        """``run`` begins their names, so that it can be reaped what a killed run left."""
        self._run = run

    def make(self, labels: Mapping[str, str], user: pwd.struct_passwd | None) -> Path:
        """A new folder with an empty overlay, which belongs to ``user``; its name is that of the job's groups, too."""
        name = f"{self._run}-{secrets.token_hex(6)}"
        made = jobs_folder() / f"{MAKING}{name}"
        parts = (made, made / "upper", made / "work")
        for part in parts:
            part.mkdir(parents=True)
            if user is not None:
                os.chown(part, user.pw_uid, user.pw_gid)
        (made / LABELS).write_text(json.dumps(dict(labels)), encoding="utf-8")
        return made.rename(jobs_folder() / name)  # whoever finds it finds its labels

    def reap(self) -> int:
        """End and remove everything of the run, when none of its jobs runs; returns their number."""
        removed = self.remove(lambda _: True)
        _end(f"{self._run}-")
        for folder in jobs_folder().glob(f"{MAKING}{self._run}-*"):
            remove_tree(folder)
        return removed

    def remove(self, chosen: Chosen) -> int:
        """As `harness.sandbox.left_over.LeftOver.remove`."""
        folders = [folder for folder in jobs_folder().glob(f"{self._run}-*") if chosen(_labels(folder))]
        for folder in folders:
            _end(folder.name)
            remove_tree(folder)
        return len(folders)


def _end(name: str) -> None:
    """End what runs in the groups whose names begin so. Raises InfrastructureError if it does not end."""
    for left in groups_of(name):
        left.kill()
        left.remove()


def _labels(folder: Path) -> dict[str, str]:
    """The labels of a job; none if its folder is about to go."""
    try:
        labels: dict[str, str] = json.loads((folder / LABELS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return labels


def remove_tree(folder: Path) -> None:
    """Remove a job's files; `rm` goes down any number of levels."""
    done = subprocess.run(["rm", "-rf", "--", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        log.warning("removing %s: %s", folder, done.stderr[:300])
