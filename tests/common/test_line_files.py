import gzip
import json
import subprocess
from pathlib import Path

import pytest

from harness.common.journal import Journal
from harness.common.line_files import HEADER, pack, read_whole, stored_lines
from harness.common.run_folder import RunFolder, journal_path
from harness.compare.frames import json_lines
from harness.errors import InputError
from harness.page.line_index import LineIndex

RECORDS = {f"k{number}": {"text": f"{number} ü\udcff " * 50} for number in range(5)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A compressed journal of five records."""
    with Journal(tmp_path / "answers.jsonl.gz") as journal:
        for key, record in RECORDS.items():
            journal.put(key, record)
    return tmp_path / "answers.jsonl.gz"


def kept(path: Path) -> dict[str, dict]:
    with Journal(path) as journal:
        return {record["key"]: {"text": record["text"]} for record in journal.records()}


def lines_in(path: Path) -> list[tuple[int, int]]:
    with path.open("rb") as file:
        return [(line.offset, line.length) for line in stored_lines(path, file)]


def test_other_programs_read_it_as_the_same_lines_and_it_is_smaller(path):
    lines = subprocess.run(["zcat", path], capture_output=True, check=True).stdout
    assert lines == gzip.decompress(path.read_bytes()) == read_whole(path)
    assert [json.loads(line)["key"] for line in lines.splitlines()] == list(RECORDS)
    assert path.stat().st_size < len(lines) / 3
    assert kept(path) == RECORDS


def test_every_reader_sees_what_the_journal_holds(path):
    assert [record["key"] for record in json_lines(path, torn=True)] == list(RECORDS)
    index = LineIndex(path)
    assert [name for name, _ in index.update()] == list(RECORDS)
    with Journal(path) as journal:
        journal.put("k5", {"text": "new"})
        assert [name for name, _ in index.update()] == ["k5"]
    assert index.read("k5") == {"key": "k5", "text": "new"}
    assert index.read("k3") == {"key": "k3", **RECORDS["k3"]}


def test_a_last_line_torn_at_any_byte_is_cut_off_and_the_file_goes_on(path):
    whole, (begun, length) = path.read_bytes(), lines_in(path)[-1]
    for end in [*range(begun + 1, begun + HEADER + 2), begun + length // 2, begun + length - 5]:
        for filled in (b"", b"\0" * 40):  # a disk that lost power may leave zeros
            path.write_bytes(whole[:end] + filled)
            assert [name for name, _ in LineIndex(path).update()] == list(RECORDS)[:4]
            assert list(kept(path)) == list(RECORDS)[:4]
            assert path.stat().st_size == begun
    with Journal(path) as journal:
        journal.put("k4", RECORDS["k4"])
    assert path.read_bytes() == whole


@pytest.mark.parametrize("place", [0, 3, 12, 17, HEADER + 3, -6, -1], ids=lambda place: f"byte {place}")
def test_damage_in_the_middle_is_named_with_a_command_that_leaves_it_out(path, place):
    data, (begun, length) = bytearray(path.read_bytes()), lines_in(path)[2]
    data[begun + place % length] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"the line at byte {begun} is damaged") as caught:
        Journal(path)
    assert [name for name, _ in LineIndex(path).update()] == ["k0", "k1"]
    command = str(caught.value).partition("in its folder, ")[2]
    subprocess.run(command, shell=True, cwd=path.parent, check=True)
    assert list(kept(path)) == ["k0", "k1", "k3", "k4"]


def test_damage_to_the_beginning_of_the_last_line_is_no_other_programs_file(path):
    data, (begun, _) = bytearray(path.read_bytes()), lines_in(path)[-1]
    data[begun] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(InputError, match=f"the line at byte {begun} is damaged") as caught:
        Journal(path)
    subprocess.run(str(caught.value).partition("in its folder, ")[2], shell=True, cwd=path.parent, check=True)
    assert list(kept(path)) == list(RECORDS)[:4]


def test_damage_that_comes_while_it_is_open_is_named_when_it_is_read(path):
    with Journal(path) as journal:
        begun, length = lines_in(path)[1]
        data = bytearray(path.read_bytes())
        data[begun + length // 2] ^= 0x55
        path.write_bytes(data)
        with pytest.raises(InputError, match=f"the line at byte {begun} is damaged"):
            journal.get("k1")
        assert journal.get("k2") == {"key": "k2", **RECORDS["k2"]}


@pytest.mark.parametrize("content", [gzip.compress(b'{"key": "a"}\n'), b'{"key": "a"}\n'], ids=["gzip", "plain"])
def test_what_another_program_wrote_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "answers.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not written by this program .* gunzip it to answers\.jsonl and run again"):
        Journal(path)
    assert path.read_bytes() == content


def test_a_plain_line_is_itself():
    assert pack(Path("a.jsonl"), b"{}\n") == b"{}\n"


def test_a_journal_that_was_begun_plain_goes_on_so(tmp_path):
    plain = tmp_path / "journal" / "answers.jsonl"
    with Journal(plain) as journal:
        journal.put("a", {"text": "x"})
    with RunFolder(tmp_path) as folder, folder.journal("answers") as journal:
        assert journal.path == plain
        assert journal.get("a") == {"key": "a", "text": "x"}
        journal.put("b", {"text": "y"})
    with RunFolder(tmp_path / "new") as folder, folder.journal("answers") as journal:
        journal.put("a", {"text": "x"})
        assert journal.path == journal_path(tmp_path / "new", "answers")
    assert [path.name for path in (tmp_path / "new" / "journal").iterdir()] == ["answers.jsonl.gz"]
    assert len(plain.read_text().splitlines()) == 2
