"""Files that appear whole or not at all."""

import ast
import errno
import os
import threading
from pathlib import Path

import pytest

from harness.common.files import UNFINISHED, finished_file, put_in_place, write_json, write_jsonl, write_whole

ROOT = Path(__file__).parents[2]


def test_a_file_is_synced_before_it_has_its_name_and_its_folder_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "below" / "file.json", []

    def fsync(descriptor: int) -> None:
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().suffix, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    for write in (lambda: write_json(path, {"a": 1}), lambda: write_jsonl(path, [{"a": 1}])):
        write()
        assert synced == [(UNFINISHED, False), ("", True)]
        path.unlink()
        del synced[:]


def test_an_error_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "old\udcff")

    def fail() -> None:
        with finished_file(path) as file:
            file.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old\xff"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("number", "refused"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_a_file_system_that_syncs_no_folder_will_do_but_not_one_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, refused: bool
) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    (tmp_path / "part").write_text("text")
    if refused:
        with pytest.raises(OSError, match=os.strerror(number)):
            put_in_place(tmp_path / "part", tmp_path / "file")
    else:
        put_in_place(tmp_path / "part", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "text"


def test_threads_that_write_one_file_do_not_meet(tmp_path: Path) -> None:
    path, texts = tmp_path / "file", [str(number) * 50_000 for number in range(8)]
    threads = [threading.Thread(target=write_whole, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def test_no_other_module_puts_files_in_place() -> None:
    found = set()
    for path in (*(ROOT / "harness").rglob("*.py"), *(ROOT / "lab").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            of_values = getattr(node.func.value, "id", "") == "dataclasses"
            renames = node.func.attr == "replace" and len(node.args) == 1 and not of_values  # of texts it has two
            if node.func.attr == "fsync" or renames:
                found.add(path.relative_to(ROOT).as_posix())
    # the journal appends; training imports nothing of the harness
    assert found == {"harness/common/files.py", "harness/common/journal.py", "lab/training/train.py"}
