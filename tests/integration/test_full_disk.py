"""Evaluations whose disk is full or whose folder goes away: one line that helps, nothing finished lost."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from disks import fill, read_only, small_disk

from harness.common.run_folder import journal_path
from harness.compare.frames import json_lines

pytestmark = pytest.mark.docker


def command(rows: Path, output: Path, *more: object) -> list[str]:
    given = (
        "evaluate",
        "--dataset",
        rows,
        "--predictions",
        "gold",
        "--output",
        output,
        "--workers",
        1,
        "--repeats",
        1,
        *more,
    )
    return [sys.executable, "-m", "harness.cli", *map(str, given)]


def evaluate(rows: Path, output: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(rows, output, *more), capture_output=True, text=True, check=False)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def finished(output: Path) -> list[str]:
    return [record["key"] for record in json_lines(journal_path(output, "evaluations"))]


def resolved(output: Path) -> int:
    return json.loads((output / "checkpoints" / "gold" / "report.json").read_text())["resolved_instances"]


@pytest.mark.parametrize("room", [4 << 10, 28 << 10])
def test_an_evaluation_whose_disk_fills_goes_on_from_what_is_finished(miniature_rows, tmp_path, room: int) -> None:
    """Too full for the first log, and for a later file."""
    with small_disk(tmp_path / "disk", "1m") as disk:
        output = disk / "out"
        filler = fill(disk, room)
        done = evaluate(miniature_rows, output)
        kept = finished(output)
        line = last_line(done)
        assert done.returncode == 1, line
        assert f"harness: {output}" in line
        assert "the disk is full; free some space on it" in line
        assert f"finished work is kept in {output / 'journal'} (" in line
        assert f"{len(kept)} in evaluations.jsonl.gz): the same command goes on" in line
        filler.unlink()
        done = evaluate(miniature_rows, output)
        assert done.returncode == 0, done.stderr
        assert finished(output)[: len(kept)] == kept
        assert len(finished(output)) == len(set(finished(output))) == 3
        assert resolved(output) == 3


def test_a_folder_that_is_removed_under_an_evaluation_is_named(miniature_rows, tmp_path) -> None:
    """The journal's open file would take records that nobody finds again."""
    output = tmp_path / "out"
    given = command(miniature_rows, output)
    with subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 90
        while not (output / "logs" / "evaluations").is_dir():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        while output.exists():
            shutil.rmtree(output, ignore_errors=True)  # the evaluation writes into it meanwhile
        _, printed = process.communicate(timeout=120)
    assert process.returncode == 2, printed
    assert "Traceback" not in printed
    assert "it is not there, or its folder was removed" in printed
    assert f"nothing of this run is left in {output}" in printed
    first = json.loads(miniature_rows.read_text().split("\n")[0])["instance_id"]
    done = evaluate(miniature_rows, output, "--instances", first)
    assert done.returncode == 0, done.stderr


def test_folders_that_nobody_can_write_to_are_refused_before_any_work(miniature_rows, tmp_path) -> None:
    assert evaluate(miniature_rows, tmp_path / "out").returncode == 0
    with read_only(tmp_path / "out") as output:
        for more in ((), ("--regrade",)):
            done = evaluate(miniature_rows, output, *more)
            assert done.returncode == 2
            assert f"harness: {output}: can't be the output folder" in last_line(done)
    with read_only(tmp_path / "locked") as locked:
        build = [sys.executable, "-m", "harness.cli", "images", "build", "--dataset", str(miniature_rows)]
        build += ["--recipes", str(miniature_rows.with_name("recipes.json")), "--rows", str(locked / "rows.jsonl")]
        done = subprocess.run(build, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert last_line(done).startswith(f"harness: {locked}: can't be the folder of the file of rows")


def test_a_full_disk_for_the_rows_of_built_images(miniature_rows, tmp_path) -> None:
    build = [sys.executable, "-m", "harness.cli", "images", "build", "--dataset", str(miniature_rows)]
    build += ["--recipes", str(miniature_rows.with_name("recipes.json")), "--rows"]
    with small_disk(tmp_path / "disk", "64k") as disk:
        fill(disk)
        done = subprocess.run([*build, str(disk / "rows.jsonl")], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert f"{disk / 'rows.jsonl'}: the disk is full; free some space on it; the images are kept" in last_line(done)
