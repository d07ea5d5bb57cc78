"""Images in a folder that machines share: saved from an engine, loaded into the engines of others.

An image is its configuration, whose hash is the image's content id and which names the layers by the hashes of what
they hold. The folder has each configuration and each layer once, under its hash, and the names that images have.
"""

import hashlib
import json
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from urllib.parse import quote

from harness.common.docker_client import translated
from harness.common.files import put_in_place, write_whole
from harness.core.image_name import ImageName
from harness.errors import InfrastructureError

if TYPE_CHECKING:
    from docker import DockerClient

PIECE = 1 << 20  # bytes that are read and sent at a time


@dataclass(frozen=True)
class SavedImage:
    """An image in the folder."""

    digest: str  # content id, the one that it has in an engine: "sha256:..."
    layers: tuple[str, ...]  # digests, the lowest first; one may come twice


class SavedImages:
    """The images below one folder. Safe for threads, processes and machines: what has its name is whole."""

    def __init__(self, folder: Path) -> None:
        """The folder need not be there before the first image is saved."""
        self.folder = folder

    def find(self, name: ImageName) -> SavedImage | None:
        """The image of that name; None if there is none. Raises InfrastructureError if the folder can't be read."""
        with translated(f"looking for image {name} in {self.folder}"):
            pointer = self._pointer(name)
            return self._image(pointer.read_text("ascii")) if pointer.is_file() else None

    def _image(self, digest: str) -> SavedImage | None:
        configuration = self._place(digest)
        if not configuration.is_file():
            return None
        return SavedImage(digest, _layers_of(configuration.read_bytes()))

    def sizes(self, image: SavedImage) -> Mapping[str, int]:
        """Bytes of each of its layers. Raises InfrastructureError if one is not there."""
        with translated(f"looking at image {image.digest} in {self.folder}"):
            return {layer: self._place(layer).stat().st_size for layer in image.layers}

    def save(self, client: "DockerClient", names: Sequence[ImageName]) -> int:
        """Bring images of an engine here, those that are not; how many were brought.

        Raises InfrastructureError if the engine lacks one, or does not give it as it is.
        """
        made = 0
        for name in names:
            with translated(f"saving image {name} in {self.folder}"):
                digest = str(client.images.get(str(name)).id)
                if self._image(digest) is None:
                    self._write(client.images.get(digest).save(chunk_size=PIECE), digest)
                    made += 1
                write_whole(self._pointer(name), digest)
        return made

    def _write(self, archive: Iterable[bytes], digest: str) -> None:
        self._place(digest).parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            found = _unpacked(archive, Path(folder))
            if digest not in found:
                raise InfrastructureError(f"image {digest}: the engine's archive does not hold its configuration")
            parts = [*_layers_of(found[digest].read_bytes()), digest]  # last what names the others
            if missing := [part for part in parts if part not in found]:
                raise InfrastructureError(f"image {digest}: the engine's archive does not hold {missing[0]} as it is")
            for part in dict.fromkeys(parts):
                if not self._place(part).is_file():
                    put_in_place(found[part], self._place(part))

    def load(self, client: "DockerClient", image: SavedImage, name: ImageName) -> None:
        """Bring an image to an engine, under that name.

        Raises InfrastructureError if a file is broken, which the engine finds by the digests.
        """
        with translated(f"loading image {name} from {self.folder}"):
            client.images.load(cast("bytes", self._archive(image, name)))
            loaded = str(client.images.get(str(name)).id)
        if loaded != image.digest:
            raise InfrastructureError(f"image {name} from {self.folder} is {loaded}, not {image.digest}")

    def _archive(self, image: SavedImage, name: ImageName) -> Iterator[bytes]:
        """What ``docker load`` reads."""
        manifest = {
            "Config": _member(image.digest),
            "RepoTags": [f"{name.familiar}:{name.version}"],
            "Layers": [_member(layer) for layer in image.layers],
        }
        text = json.dumps([manifest]).encode()
        yield from (_header("manifest.json", len(text)), text, _padding(len(text)))
        for part in dict.fromkeys([image.digest, *image.layers]):
            size = self._place(part).stat().st_size
            yield _header(_member(part), size)
            with self._place(part).open("rb") as file:
                yield from _pieces(file)
            yield _padding(size)
        yield bytes(2 * tarfile.BLOCKSIZE)

    def _place(self, digest: str) -> Path:
        return self.folder / "parts" / digest.replace(":", "-")

    def _pointer(self, name: ImageName) -> Path:
        return self.folder / "names" / quote(f"{name.registry}/{name.path}", safe="")


def _layers_of(configuration: bytes) -> tuple[str, ...]:
    return tuple(json.loads(configuration)["rootfs"].get("diff_ids") or ())


def _unpacked(archive: Iterable[bytes], folder: Path) -> dict[str, Path]:
    """The files in an archive, by the hashes of what they hold."""
    found: dict[str, Path] = {}
    with tarfile.open(fileobj=cast("IO[bytes]", _Stream(archive)), mode="r|") as members:
        for number, member in enumerate(members):
            if not member.isfile():
                continue
            path, read = folder / str(number), hashlib.sha256()
            with path.open("wb") as file:
                for piece in _pieces(cast("IO[bytes]", members.extractfile(member))):
                    read.update(piece)
                    file.write(piece)
            found[f"sha256:{read.hexdigest()}"] = path
    return found


class _Stream:
    """Chunks as a file that is read once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def read(self, size: int) -> bytes:
        """So many bytes, fewer at the end alone."""
        while len(self._rest) < size and (chunk := next(self._chunks, b"")):
            self._rest += chunk
        given, self._rest = self._rest[:size], self._rest[size:]
        return given


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _member(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf()


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)
