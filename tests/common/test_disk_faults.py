"""Disks that are full or read-only, in the project's own writers and through the command line."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from disks import fill, read_only, small_disk

from harness.common.disk_faults import explained, is_for_the_user, is_full, naming
from harness.common.event_log import EventLog
from harness.common.files import finished_file, write_whole
from harness.common.journal import Journal
from harness.common.run_folder import RunFolder
from harness.common.run_state import State


def harness(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


def check_line(done: subprocess.CompletedProcess[str], status: int, *expected: str) -> None:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("harness: ")
    for text in expected:
        assert text in last


def test_a_journal_on_a_full_disk_is_whole_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        filler = fill(disk, room=8192)
        path, kept = disk / "journal.jsonl", []

        def put_all(journal: Journal) -> None:
            for number in range(1000):
                journal.put(str(number), {"text": "x" * 300})
                kept.append(str(number))

        with Journal(path) as journal, pytest.raises(OSError, match=r"journal\.jsonl") as caught:
            put_all(journal)
        assert caught.value.errno == errno.ENOSPC
        assert 10 < len(kept) < 100
        filler.unlink()
        with Journal(path) as journal:
            assert [record["key"] for record in journal.records()] == kept
            journal.put("more", {})
        assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == [*kept, "more"]


def test_an_array_that_does_not_fit_names_its_file_and_leaves_the_old_one(tmp_path: Path) -> None:
    """numpy's own error has no number and no name."""
    with small_disk(tmp_path / "disk", "64k") as disk:
        path = disk / "array.npy"
        write_whole(path, "old")
        with pytest.raises(OSError, match=r"No space left on device: .*array\.npy"), finished_file(path) as file:
            np.save(file, np.zeros(1 << 20))
        assert path.read_text() == "old"
        assert [file.name for file in disk.iterdir()] == ["array.npy"]


def test_the_words_name_file_reason_and_advice(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/a/b")
    full.add_note("nothing is lost")
    assert explained(full) == "/a/b: the disk is full; free some space on it; nothing is lost"
    assert not is_for_the_user(full)
    forbidden = OSError(errno.EROFS, "Read-only file system", "/a/b")
    assert explained(forbidden) == "/a/b: its file system is read-only; make it writable, or name another place"
    assert is_for_the_user(forbidden)
    assert explained(OSError(errno.EPIPE, "Broken pipe")) == "[Errno 32] Broken pipe"
    assert not is_full(tmp_path)
    assert not is_full(tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match="other"), naming(tmp_path / "file"):
        (tmp_path / "other").read_text()


def test_a_run_folder_says_what_is_kept(tmp_path: Path) -> None:
    def fail(folder: RunFolder) -> None:
        with folder:
            raise OSError(errno.ENOSPC, "No space left on device", "x")

    with pytest.raises(OSError, match="left on") as caught:
        fail(RunFolder(tmp_path / "out"))
    assert caught.value.__notes__ == [f"nothing of this run is left in {tmp_path / 'out'}"]
    with Journal(tmp_path / "out" / "journal" / "evaluations.jsonl") as journal:
        journal.put("a", {})
    with pytest.raises(OSError, match="left on") as caught:
        fail(RunFolder(tmp_path / "out"))
    assert "(1 in evaluations.jsonl): the same command goes on from it" in caught.value.__notes__[0]


def test_the_log_of_events_hides_no_error(tmp_path: Path) -> None:
    """On a full disk its own error, without a file's name, took the place of the one that says what is kept."""
    with small_disk(tmp_path / "disk", "64k") as disk:
        fill(disk)
        log = EventLog(disk / "events.jsonl")
        log.end(State(), ValueError("the one that counts"))
        assert "the one that counts" not in (disk / "events.jsonl").read_text(), "the disk was not full"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    rows = np.random.default_rng(0).integers(0, 60000, (2000, 200)).tolist()
    path.write_text("".join(json.dumps({"input_ids": ids}) + "\n" for ids in rows))
    return path


def pack(corpus: Path, *options: object) -> subprocess.CompletedProcess[str]:
    given = ("--context", 512, "--separator", 0, "--strategy", "concat-then-split")
    return harness("pack", corpus, *given, *options)


def test_packing_onto_a_full_disk_keeps_whole_shards_and_goes_on(corpus: Path, tmp_path: Path) -> None:
    options = ("--shard-tokens", 32768)
    assert pack(corpus, "--output", tmp_path / "undisturbed", *options).returncode == 0
    with small_disk(tmp_path / "disk", "4m") as disk:
        filler = fill(disk, room=2000 << 10)
        output = disk / "out"
        done = pack(corpus, "--output", output, *options)
        check_line(done, 1, f"{output} was not written: ", ": the disk is full; free some space on it")
        assert f"what is finished stays in {output}.partial: run again to go on" in done.stderr
        assert [*(disk / "out.partial").rglob("shard-*.parquet")]
        assert not [*disk.rglob("*.tmp")]
        filler.unlink()
        assert pack(corpus, "--output", output, *options).returncode == 0
        shards = {path.name: path.read_bytes() for path in output.rglob("shard-*")}
        assert shards == {path.name: path.read_bytes() for path in (tmp_path / "undisturbed").rglob("shard-*")}


def test_packing_where_nothing_can_be_written(corpus: Path, tmp_path: Path) -> None:
    with read_only(tmp_path / "locked") as locked:
        check_line(pack(corpus, "--output", locked / "out"), 2, f"writing in {locked} is not allowed")
    with small_disk(tmp_path / "disk", "64k") as disk:
        fill(disk)
        done = pack(corpus, "--metrics", disk / "m.json", "--output", tmp_path / "out")
        check_line(done, 1, f"{disk / 'm.json'}: the disk is full", f"{tmp_path / 'out'} is whole, and holds metrics")
        assert not (disk / "m.json").exists()


def test_a_data_set_read_through_a_full_or_read_only_cache(tmp_path: Path, row) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(row()) + "\n")
    command = ("evaluate", "--dataset", rows, "--predictions", "gold", "--output", tmp_path / "out")
    with small_disk(tmp_path / "cache", "8k") as cache:
        fill(cache)
        done = harness(*command, HF_HOME=str(cache))
        check_line(done, 1, f"{cache}", "the disk is full", f"{rows} is read through this cache; HF_HOME names another")
    with read_only(tmp_path / "locked") as locked:
        done = harness(*command, HF_HOME=str(locked))
        check_line(done, 2, f"{locked}", "read-only", f"{rows} is read through this cache")
    rows.unlink()
    check_line(harness(*command), 2, "rows.jsonl: no such data set file")
    assert not (tmp_path / "out").exists()
