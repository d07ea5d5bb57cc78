import asyncio
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.common.hashing import content_key
from harness.common.journal import Journal
from harness.errors import InputError


def test_what_is_put_is_there_after_reopening(tmp_path: Path) -> None:
    with Journal(tmp_path / "sub" / "j.jsonl") as journal:
        journal.put("a", {"value": "ü\udcff"})
    with Journal(tmp_path / "sub" / "j.jsonl") as again:
        assert again.get("a") == {"key": "a", "value": "ü\udcff"}
        assert again.get("b") is None
        assert len(again) == 1


def test_later_record_of_a_key_wins(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.jsonl") as journal:
        journal.put("a", {"value": 1})
        journal.put("a", {"value": 2})
    with Journal(tmp_path / "j.jsonl") as again:
        assert again.get("a") == {"key": "a", "value": 2}


def test_a_record_that_several_threads_add_is_written_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.jsonl") as journal, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: journal.add(f"k{number % 4}", {"value": number % 4}), range(64)))
    written = [json.loads(line) for line in (tmp_path / "j.jsonl").read_text().splitlines()]
    assert sorted((record["key"], record["value"]) for record in written) == [(f"k{n}", n) for n in range(4)]


def test_torn_last_line_is_dropped_and_the_file_stays_usable(tmp_path: Path, caplog) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"key": "a", "value": 1}\n{"key": "b", "va')
    with Journal(path) as journal:
        assert "torn last line" in caplog.text
        assert len(journal) == 1
        journal.put("c", {"value": 3})
    assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ["a", "c"]


def test_damage_before_the_last_line_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"key": "a"\n{"key": "b"}\n')
    with pytest.raises(InputError, match="line 1 is damaged"):
        Journal(path)


def test_records_reported_before_sigkill_survive_it(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from harness.common.journal import Journal
        journal = Journal(Path(sys.argv[1]))
        for n in range(10_000):
            journal.put(str(n), {"value": "x" * 1000})
            print(n, flush=True)
    """)
    path = tmp_path / "j.jsonl"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        reported = [int(process.stdout.readline()) for _ in range(20)]
        os.kill(process.pid, signal.SIGKILL)
        reported += map(int, process.stdout.read().split("\n")[:-1])
    with Journal(path) as journal:
        assert all(journal.get(str(n)) for n in reported)


def test_keys_depend_on_content_only() -> None:
    assert content_key(a=1, b="x") == content_key(b="x", a=1)
    assert content_key(a=1) != content_key(a="1")
    assert content_key(a=["x", "y"]) != content_key(a=["xy"])


def test_a_line_that_the_disk_has_no_room_for_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(path) as journal:
        journal.put("first", {"n": 1})
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, before[1]))
            with pytest.raises(OSError, match="No space left"):
                journal.put("second", {"text": "x" * 100})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        journal.put("third", {"n": 3})
    with Journal(path) as journal:
        assert [record["key"] for record in journal.records()] == ["first", "third"]


def test_lines_that_come_while_the_disk_is_busy_share_its_next_wait(tmp_path: Path, monkeypatch) -> None:
    syncs = []

    def slow(descriptor: int) -> None:
        syncs.append(descriptor)
        time.sleep(0.02)

    monkeypatch.setattr(os, "fsync", slow)
    with Journal(tmp_path / "j.jsonl") as journal, ThreadPoolExecutor(32) as threads:
        began = time.monotonic()
        list(threads.map(lambda n: journal.put(str(n), {"n": n}), range(640)))
        seconds = time.monotonic() - began
        assert all(journal.get(str(n)) == {"key": str(n), "n": n} for n in range(640))
    assert len(syncs) < 128
    assert 640 / seconds > 150  # one by one it is 50 a second


def test_what_waits_beside_a_line_that_has_no_room_is_refused_with_it_and_can_come_again(tmp_path, monkeypatch):
    full = [True]

    def sync(_: int) -> None:
        time.sleep(0.01)
        if full[0]:
            raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", sync)
    with Journal(tmp_path / "j.jsonl") as journal, ThreadPoolExecutor(8) as threads:
        tried = [threads.submit(journal.put, str(n), {}) for n in range(8)]
        assert all(isinstance(future.exception(), OSError) for future in tried)
        assert len(journal) == 0
        full[0] = False
        list(threads.map(lambda n: journal.put(str(n), {}), range(8)))
        assert len(journal) == 8


def test_records_are_read_where_they_lie_and_damage_inside_a_line_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    path.write_bytes(b'{"key": "a", "value": 1}\n{"key": "b", "value": ]}\n')
    with Journal(path) as journal:
        assert journal.get("a") == {"key": "a", "value": 1}
        with pytest.raises(InputError, match="line 2 is damaged"):
            journal.get("b")


def test_another_record_of_a_key_has_another_checksum_and_the_same_one_keeps_it(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.jsonl") as journal:
        journal.put("a", {"value": 1})
        first = journal.checksum("a")
    with Journal(tmp_path / "j.jsonl") as again:
        assert again.checksum("a") == first
        again.put("a", {"value": 2})
        assert again.checksum("a") != first
        assert again.checksum("b") is None


def test_a_record_that_is_there_is_not_even_made_into_a_line_again(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.jsonl") as journal:
        journal.put_all({"shared": {"n": 1}, "a": {}}, once=("shared",))
        journal.put_all({"shared": {"n": object()}, "b": {}}, once=("shared",))  # which JSON can't hold
        assert journal.get("shared") == {"key": "shared", "n": 1}
        assert "b" in journal


def test_a_record_that_many_threads_bring_beside_their_own_is_written_once(tmp_path: Path) -> None:
    """Each thread looked whether it was there, and then several wrote it."""
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal, ThreadPoolExecutor(32) as threads:
        list(threads.map(lambda n: journal.put_all({"shared": {}, str(n): {}}, once=("shared",)), range(64)))
    written = [json.loads(line)["key"] for line in path.read_text().splitlines()]
    assert sorted(written) == sorted(["shared", *map(str, range(64))])


async def test_who_gives_up_waiting_leaves_the_record_and_those_beside_it_alone(tmp_path: Path, monkeypatch) -> None:
    real, free = os.fsync, threading.Event()
    monkeypatch.setattr(os, "fsync", lambda number: (free.wait(), real(number)))
    with Journal(tmp_path / "j.jsonl") as journal:
        [first] = journal.begin({"a": {"value": 1}})
        [second] = journal.begin({"b": {"value": 2}})
        waiting = asyncio.wrap_future(first)
        waiting.cancel()
        free.set()
        await asyncio.wrap_future(second)
        assert waiting.cancelled()
        assert [record["key"] for record in journal.records()] == ["a", "b"]


def test_what_is_on_its_way_is_there_when_the_journal_is_closed(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.jsonl") as journal:
        written = [future for number in range(20) for future in journal.begin({str(number): {"value": number}})]
    assert all(future.done() for future in written)
    with Journal(tmp_path / "j.jsonl") as again:
        assert len(again) == 20
