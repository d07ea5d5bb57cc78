"""Which module names an image answers to or imports by itself, outside the repository: asked once for each image."""

import json
import threading
from collections.abc import Collection
from pathlib import Path

from harness.common.files import write_json
from harness.common.hashing import content_key
from harness.common.resources import resource
from harness.core.interfaces import Command, Job, Limits, Sandbox

_FOLDER = "/harness"
_SCRIPTS = ("names.sh", "names.py")


class ImageNames:
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
        scripts = {f"{_FOLDER}/{name}": (resource("docker") / name).read_bytes() for name in _SCRIPTS}
        path = self._folder / f"{content_key(digest=digest, scripts=[s.decode() for s in scripts.values()])}.json"
        with self._lock:
            known = _read(path)
        unknown = sorted(set(names) - known.keys())
        if unknown:
            files = {**scripts, f"{_FOLDER}/wanted": "".join(f"{name}\n" for name in unknown).encode()}
            command = Command(("/bin/bash", f"{_FOLDER}/names.sh"))
            [result] = self._sandbox.run(Job(image, files, (command,), self._limits, workdir="/", digest=digest))[:1]
            said = set(result.output.decode("utf-8", "replace").splitlines())
            found = {name: name in said for name in unknown}
            known |= found
            with self._lock:
                write_json(path, _read(path) | found)
        return frozenset(name for name in names if known[name])


def _read(path: Path) -> dict[str, bool]:
    return dict(json.loads(path.read_bytes())) if path.is_file() else {}
