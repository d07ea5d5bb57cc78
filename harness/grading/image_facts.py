"""Facts about images that flags rest on, asked of each image once, in a container without any patch.

Which module names an image answers to or imports by itself, outside the repository; and which files its test runners
look for in the folder that they are started in.
"""

import json
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Any

from harness.common.files import write_json
from harness.common.hashing import content_key
from harness.common.resources import resource
from harness.core.interfaces import Command, Job, Limits, Sandbox
from harness.errors import InfrastructureError

_FOLDER = "/harness"
_EACH = "pythons.sh"
_LOOKED_FOR = "looked for: "  # as docker/configuration.py says it


class ImageFacts:
    """Facts about images, kept in a folder by the image's content. Safe for threads."""

    def __init__(self, sandbox: Sandbox, limits: Limits, folder: Path) -> None:
        """``folder`` need not be there yet."""
        self._sandbox = sandbox
        self._limits = limits
        self._folder = folder
        self._lock = threading.Lock()

    def answered(self, image: str, digest: str, names: Collection[str]) -> frozenset[str]:
        """Those of the dotted names that the image's Pythons find, or that their packages import.

        Raises InfrastructureError if the machine fails.
        """
        path = self._path("names.py", digest)
        with self._lock:
            known = _read(path)
        unknown = sorted(set(names) - known.keys())
        if unknown:
            said = set(self._ask("names.py", "".join(f"{name}\n" for name in unknown), image, digest))
            found = {name: name in said for name in unknown}
            known |= found
            with self._lock:
                write_json(path, _read(path) | found)
        return frozenset(name for name in names if known[name])

    def configuration(self, image: str, digest: str, command: str) -> frozenset[str]:
        """Names of the files that the runners of a test command look for where they start, as far as they are Python's.

        Raises InfrastructureError if the machine fails.
        """
        path = self._path("configuration.py", digest, command)
        with self._lock:
            known = _read(path)
        if not known:
            said = self._ask("configuration.py", command, image, digest)
            known = {"looked_for": [line.removeprefix(_LOOKED_FOR) for line in said if line.startswith(_LOOKED_FOR)]}
            with self._lock:
                write_json(path, known)
        return frozenset(known["looked_for"])

    def _path(self, script: str, digest: str, question: str = "") -> Path:
        scripts = [_script(name).decode() for name in (_EACH, script)]
        return self._folder / f"{content_key(digest=digest, scripts=scripts, question=question)}.json"

    def _ask(self, script: str, question: str, image: str, digest: str) -> list[str]:
        """The lines that a script says with each of the image's Pythons."""
        files = {f"{_FOLDER}/{name}": _script(name) for name in (_EACH, script)}
        files[f"{_FOLDER}/question"] = question.encode("utf-8", "surrogateescape")
        command = Command(("/bin/bash", f"{_FOLDER}/{_EACH}", f"{_FOLDER}/{script}", f"{_FOLDER}/question"))
        [result] = self._sandbox.run(Job(image, files, (command,), self._limits, workdir="/", digest=digest))[:1]
        if result.exit_status != 0:
            raise InfrastructureError(f"{image} did not answer {script}: exit status {result.exit_status}")
        return result.output.decode("utf-8", "replace").splitlines()


def _script(name: str) -> bytes:
    return (resource("docker") / name).read_bytes()


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_bytes())) if path.is_file() else {}
