"""Images without an engine: the unpacked files of each, unpacked once and kept by their digest."""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from harness.common.docker_client import shortened
from harness.common.files import write_whole
from harness.core.image_name import ImageName
from harness.errors import InfrastructureError

FACTS = "image.json"
PROGRAM = "apptainer"  # the command that unpacks them


@dataclass(frozen=True)
class FolderImage:
    """An image whose files lie unpacked in a folder."""

    id: str  # content id, the one that it has in an engine: "sha256:..."
    root: Path
    environment: tuple[str, ...]  # "NAME=value", as the image sets it
    platform: str


@dataclass(frozen=True)
class Origin:
    """An image where it can be unpacked from."""

    id: str
    environment: tuple[str, ...]
    platform: str
    size: int  # bytes to download, at most
    place: Callable[[Path], str]  # what Apptainer builds from; it may put a file into the folder that it is given
    options: tuple[str, ...] = ()  # of Apptainer, to reach it
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)  # its environment, likewise


class ImageFolders:
    """The images below one folder, which machines may share. Safe for threads and processes."""

    def __init__(self, folder: Path, owner: str = "") -> None:
        """``owner`` ("user:group") gets what is unpacked; this process's user keeps it if not given."""
        self.folder = folder
        self._owner = owner

    def find(self, name: str) -> FolderImage | None:
        """The image of that name or content id; None if there is none."""
        pointer = self._pointer(name)
        digest = name if name.startswith("sha256:") else pointer.read_text("ascii") if pointer.is_file() else ""
        facts = self._place(digest) / FACTS
        if not digest or not facts.is_file():
            return None
        known = json.loads(facts.read_text("utf-8"))
        return FolderImage(digest, facts.parent / "root", tuple(known["environment"]), known["platform"])

    def unpack(self, name: str, origin: Origin) -> bool:
        """Have the image here under that name; whether it had to be unpacked.

        Raises InfrastructureError if it can't be.
        """
        place = self._place(origin.id)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.with_suffix(".lock").open("a") as turn:  # several names may mean one image
                fcntl.flock(turn, fcntl.LOCK_EX)
                missing = self.find(origin.id) is None
                if missing:
                    self._unpack(origin)
                    facts = {"environment": origin.environment, "platform": origin.platform}
                    # last: an image without it counts as none
                    write_whole(place / FACTS, json.dumps(facts))
            write_whole(self._pointer(name), origin.id)
        except OSError as error:
            raise InfrastructureError(f"image {origin.id} can't be unpacked into {self.folder}: {error}") from error
        return missing

    def _unpack(self, origin: Origin) -> None:
        place = self._place(origin.id)
        shutil.rmtree(place, ignore_errors=True)  # of a conversion that was killed
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            root = Path(folder) / "root"
            command = [PROGRAM, "build", *origin.options, "--sandbox", str(root), origin.place(Path(folder))]
            environment = os.environ | {"APPTAINER_TMPDIR": folder, "APPTAINER_CACHEDIR": f"{folder}/cache"}
            done = subprocess.run(
                command, capture_output=True, text=True, env={**environment, **origin.settings}, check=False
            )
            if done.returncode:
                raise InfrastructureError(f"image {origin.id} can't be unpacked: {shortened(done.stderr)}")
            if self._owner:
                subprocess.run(["chown", "-R", "-h", self._owner, str(root)], capture_output=True, check=True)
            place.mkdir()
            root.rename(place / "root")

    def _place(self, digest: str) -> Path:
        return self.folder / "images" / digest.replace(":", "-")

    def _pointer(self, name: str) -> Path:
        parsed = ImageName.parse(name)
        return self.folder / "names" / quote(f"{parsed.registry}/{parsed.path}", safe="")
