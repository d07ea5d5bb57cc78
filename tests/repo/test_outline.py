"""Elements kept by content, skeletons, and the store that they are kept in."""

import subprocess
import sys

import pytest

from harness.errors import InfrastructureError
from harness.repo.blob_cache import BlobStore
from harness.repo.memory_snapshot import MemorySnapshot
from harness.repo.outline import Outlines, decode_elements, encode_elements, skeleton, text_lines
from harness.repo.symbols import parse_elements

SOURCE = b"""\
import os

A = [
    1,
    2,
    3,
    4,
]

@deco
class Shape:
    "Doc."

    def area(self,
             unit):

        x = 1
        return x

    size = 2


def main():
    pass
"""
SKELETON = """\
...
A = [
    1,
    2,
    3,
    ...
@deco
class Shape:
    ...
    def area(self,
             unit):
        ...
def main():
    ..."""


class Unreadable(MemorySnapshot):
    """Knows what its files are, and does not give them."""

    reading = False

    def read(self, path):
        assert self.reading
        return super().read(path)

    def blob(self, path):
        self.reading = True
        name = super().blob(path)
        self.reading = False
        return name


def test_headers_stay_and_bodies_go():
    assert skeleton(text_lines(SOURCE), parse_elements(SOURCE, "python")) == SKELETON


def test_a_skeleton_of_nothing():
    assert skeleton([], ()) == ""
    assert skeleton(["x", "", "y"], ()) == "..."


@pytest.mark.parametrize(
    ("data", "lines"), [(b"", []), (b"a\r\nb", ["a", "b"]), (b"\xff\n\n", ["\ufffd", ""]), (b"a\x0cb\n", ["a\x0cb"])]
)
def test_lines_are_those_that_git_counts(data, lines):
    assert text_lines(data) == lines


def test_a_file_is_parsed_once_for_all_snapshots_that_hold_it(tmp_path):
    with BlobStore(tmp_path / "a.sqlite3") as store:
        found = Outlines(store).elements(MemorySnapshot({"a.py": SOURCE}), "a.py")
    with BlobStore(tmp_path / "a.sqlite3") as store:
        assert Outlines(store).elements(Unreadable({"b.py": SOURCE}), "b.py") == found
        assert Outlines(store).elements(Unreadable({"a.txt": SOURCE}), "a.txt") == ()
    assert [element.name for element in found] == ["A", "Shape", "Shape.area", "main"]
    assert decode_elements(encode_elements(found)) == found


def test_a_file_that_is_no_store_is_named(tmp_path):
    (tmp_path / "a.sqlite3").write_bytes(b"something else" * 100)
    with pytest.raises(InfrastructureError, match=r"a\.sqlite3: .*; remove the file"):
        BlobStore(tmp_path / "a.sqlite3")


def test_many_keys_and_several_processes(tmp_path):
    path = tmp_path / "a.sqlite3"
    code = (
        "import sys; from pathlib import Path; from harness.repo.blob_cache import BlobStore\n"
        "with BlobStore(Path(sys.argv[1])) as store:\n"
        "    for n in range(200): store.put({f'{n}': b'x', f'{sys.argv[2]} {n}': b'y'})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in range(2)]
    assert [writer.wait() for writer in writers] == [0, 0]
    with BlobStore(path) as store:
        keys = [f"{n}" for n in range(1500)]
        assert store.get(keys) == {f"{n}": b"x" for n in range(200)}
        assert len(store.get([f"{who} {n}" for who in range(2) for n in range(200)])) == 400
