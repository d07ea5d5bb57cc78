"""Images without an engine: the unpacked files of each, converted once from an engine's and kept by their digest."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from harness.common.docker_client import shortened, translated
from harness.common.files import write_whole
from harness.core.image_name import ImageName
from harness.errors import InfrastructureError

if TYPE_CHECKING:
    from docker import DockerClient

FACTS = "image.json"
PROGRAM = "apptainer"  # the command that unpacks them


@dataclass(frozen=True)
class FolderImage:
    """An image whose files lie unpacked in a folder."""

    id: str  # content id, the one that it has in an engine: "sha256:..."
    root: Path
    environment: tuple[str, ...]  # "NAME=value", as the image sets it
    platform: str


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

    def convert(self, client: "DockerClient", names: Sequence[str]) -> int:
        """Bring images of an engine here, those that are not; how many were converted.

        Raises InfrastructureError if the engine lacks one or one can't be unpacked.
        """
        made = 0
        for name in names:
            with translated(f"looking for image {name}"):
                image = client.images.get(name)
            digest = str(image.id)
            if self.find(digest) is None:
                self._unpack(client, digest)
                facts = {
                    "environment": image.attrs["Config"].get("Env") or [],
                    "platform": f"{image.attrs['Os']}/{image.attrs['Architecture']}",
                }
                # last: an image without it counts as none
                write_whole(self._place(digest) / FACTS, json.dumps(facts))
                made += 1
            write_whole(self._pointer(name), digest)
        return made

    def _unpack(self, client: "DockerClient", digest: str) -> None:
        place = self._place(digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(place, ignore_errors=True)  # of a conversion that was killed
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            archive = Path(folder) / "image.tar"
            with translated(f"saving image {digest}"), archive.open("wb") as file:
                for chunk in client.images.get(digest).save():
                    file.write(chunk)
            command = [PROGRAM, "build", "--sandbox", str(Path(folder) / "root"), f"docker-archive:{archive}"]
            done = subprocess.run(command, capture_output=True, text=True, env=_environment(folder), check=False)
            if done.returncode:
                raise InfrastructureError(f"image {digest} can't be unpacked: {shortened(done.stderr)}")
            if self._owner:
                owned = ["chown", "-R", "-h", self._owner, str(Path(folder) / "root")]
                subprocess.run(owned, capture_output=True, check=True)
            place.mkdir()
            (Path(folder) / "root").rename(place / "root")

    def _place(self, digest: str) -> Path:
        return self.folder / "images" / digest.replace(":", "-")

    def _pointer(self, name: str) -> Path:
        parsed = ImageName.parse(name)
        return self.folder / "names" / quote(f"{parsed.registry}/{parsed.path}", safe="")


def _environment(folder: str) -> dict[str, str]:
    return os.environ | {"APPTAINER_TMPDIR": folder, "APPTAINER_CACHEDIR": f"{folder}/cache"}
