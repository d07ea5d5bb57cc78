import io
import tarfile

import pytest
from docker.errors import NotFound

from harness.evaluate.shield import OWNER, TIME, WatchedFile, read_files, shield

ROOT = "/testbed"


class FakeContainer:
    """A container's files as its engine gives and takes them."""

    def __init__(self, **files: tarfile.TarInfo) -> None:
        self.files = {path.replace("__", "/"): info for path, info in files.items()}
        self.put: dict[str, tarfile.TarInfo] = {}

    def get_archive(self, path):
        if path not in self.files:
            raise NotFound(path)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.addfile(self.files[path], io.BytesIO(b"x" * self.files[path].size))
        return [buffer.getvalue()], {}

    def put_archive(self, at, data):
        assert at == "/"
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            self.put = {f"/{member.name}": member for member in archive}


def info(mode: int = 0o644, size: int = 2, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo("name")
    member.mode, member.size, member.type = mode, size, kind
    return member


def test_files_and_the_folders_around_them_get_another_owner() -> None:
    files = {"/testbed__a__b__t.py": info(), "/testbed__run": info(0o755), "/testbed__empty": info(size=0)}
    container = FakeContainer(**files)
    paths = ["/testbed/a/b/t.py", "/testbed/run", "/testbed/empty", "/testbed/gone"]
    assert shield(container, paths, ROOT) == set(paths[:3])
    modes = {path: member.mode for path, member in container.put.items()}
    assert modes == {
        "/testbed/a": 0o1775,
        "/testbed/a/b": 0o1775,
        "/testbed/a/b/t.py": 0o664,
        "/testbed/run": 0o775,
        "/testbed/empty": 0o664,
    }
    assert {(m.uid, m.gid, m.mtime) for m in container.put.values()} == {(OWNER, 0, TIME)}
    assert list(container.put)[:2] == ["/testbed/a", "/testbed/a/b"], "a folder comes before what is in it"


def test_nothing_to_shield_asks_nothing_of_the_engine() -> None:
    link = info(size=0, kind=tarfile.SYMTYPE)
    link.linkname = "t.py"
    container = FakeContainer(**{"/testbed__link": link})
    assert shield(container, ["/testbed/link", "/testbed/gone"], ROOT) == set()
    assert container.put == {}
    assert read_files(container, ["/testbed/link"])["/testbed/link"].content == b"t.py"


@pytest.mark.parametrize(("owner", "time", "untouched"), [(OWNER, TIME, True), (0, TIME, False), (OWNER, 1e9, False)])
def test_writing_shows_in_the_owner_or_the_time(owner, time, untouched) -> None:
    member = info()
    member.uid, member.mtime = owner, time
    assert WatchedFile(member, b"").untouched is untouched
