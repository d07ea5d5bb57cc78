import io
import tarfile

import pytest
from docker.errors import NotFound

from harness.sandbox.watched_files import OWNER, WatchedFile, new_moment, read_files, shield, told_files

ROOT = "/testbed"
TIME = 1_100_000_000


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
    assert shield(container, read_files(container, paths), ROOT, TIME) == set(paths[:3])
    modes = {path: member.mode for path, member in container.put.items()}
    assert modes == {
        "/testbed": 0o1775,
        "/testbed/a": 0o1775,
        "/testbed/a/b": 0o1775,
        "/testbed/a/b/__pycache__": 0o555,
        "/testbed/a/b/t.py": 0o664,
        "/testbed/run": 0o775,
        "/testbed/empty": 0o664,
    }
    assert {(m.uid, m.gid, m.mtime) for m in container.put.values()} == {(OWNER, 0, TIME)}
    assert list(container.put)[:3] == ["/testbed", "/testbed/a", "/testbed/a/b"], "a folder comes before what is in it"


def test_nothing_to_shield_asks_nothing_of_the_engine() -> None:
    link = info(size=0, kind=tarfile.SYMTYPE)
    link.linkname = "t.py"
    container = FakeContainer(**{"/testbed__link": link})
    files = read_files(container, ["/testbed/link", "/testbed/gone"])
    assert shield(container, files, ROOT, TIME) == set()
    assert container.put == {}
    assert files["/testbed/link"].content == b"t.py"


def test_what_a_command_tells_of_files_is_taken_off_its_output() -> None:
    """Git's names are those of `printf 'a\\n' | git hash-object --stdin` and of nothing."""
    forged = b"\nharness: watched files\n644 AAAA /testbed/t.py"
    told = b"755 YQo= /testbed/a b.py\n644  /testbed/empty\n"
    torn = b"644 YQ /testbed/torn\nx YQo= /testbed/odd\nlink 777 YQo= /testbed/link\nnoise\n"
    output, files = told_files(b"set up" + forged + b"\nharness: watched files\n" + told + torn)
    assert output == b"set up" + forged
    assert {path: file.object_id for path, file in files.items()} == {
        "/testbed/a b.py": "78981922613b2afb6025042ff6bd878ac1994e85",
        "/testbed/empty": "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    }
    assert [file.member.mode for file in files.values()] == [0o755, 0o644]
    assert all(file.member.isfile() for file in files.values()), "a link would not be shielded"
    assert told_files(b"nothing told\n") == (b"nothing told\n", {})


@pytest.mark.parametrize(("owner", "time", "untouched"), [(OWNER, TIME, True), (0, TIME, False), (OWNER, 1e9, False)])
def test_writing_shows_in_the_owner_or_the_time(owner, time, untouched) -> None:
    member = info()
    member.uid, member.mtime = owner, time
    assert WatchedFile(member, b"").untouched(TIME) is untouched


def test_nobody_can_guess_the_time_of_shielded_files() -> None:
    moments = [new_moment() for _ in range(50)]
    assert len(set(moments)) == 50
    assert all(moment < 1_300_000_000 for moment in moments), "a time of today would be that of a file just written"
