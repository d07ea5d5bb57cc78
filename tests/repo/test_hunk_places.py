"""Hunks are found by their content; git itself is the reference."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.location import Location
from harness.repair.gold import gold_blocks
from harness.repo.diff import Replacement, change_patch, parse_patch, replaced
from harness.repo.gold_locations import gold_locations
from harness.repo.hunk_places import place_hunks
from harness.repo.memory_snapshot import MemorySnapshot

NUMBERED = [b"x%d = %d\n" % (number, number) for number in range(1, 121)]
TWICE = [*NUMBERED[:60], *NUMBERED[20:60], *NUMBERED[60:]]  # lines 21 to 60 stand again at 61 to 100


def shifted(patch: str, by: int) -> str:
    """The patch with every header's lines counted so many further down."""

    def moved(found: re.Match[str]) -> str:
        return f"@@ -{int(found[1]) + by}{found[2]} +{int(found[3]) + by}{found[4]} @@"

    return re.sub(r"@@ -(\d+)(\S*) \+(\d+)(\S*) @@", moved, patch)


def placed(lines: list[bytes], patch: str) -> list[bytes]:
    """The file after the hunks, each put in where `place_hunks` found it."""
    [diff] = parse_patch(patch)
    changes = []
    for hunk in place_hunks(lines, diff.hunks):
        old = [line for line in hunk.lines if line[:1] in " -"]
        new = [line[1:].encode() + b"\n" for line in hunk.lines if line[:1] in " +"]
        start = hunk.old_start - 1 if old else hunk.old_start
        changes.append(Replacement(start, start + len(old), tuple(new)))
    return replaced(lines, sorted(changes, key=lambda change: change.start)).splitlines(keepends=True)


def by_git(folder: Path, lines: list[bytes], patch: str) -> list[bytes] | None:
    (folder / "v.py").write_bytes(b"".join(lines))
    ran = subprocess.run(["git", "apply", "-"], cwd=folder, input=patch.encode(), capture_output=True)
    return (folder / "v.py").read_bytes().splitlines(keepends=True) if ran.returncode == 0 else None


@pytest.mark.parametrize("by", [-9, -2, 0, 2, 7, 41])
@pytest.mark.parametrize("lines", [NUMBERED, TWICE])
def test_shifted_headers_place_hunks_as_git_does(tmp_path, lines, by):
    changes = (Replacement(29, 30, (b"y = 1\n",)), Replacement(49, 49, (b"z = 1\n",)), Replacement(79, 81, ()))
    patch = shifted(change_patch("v.py", lines, changes), by)
    assert placed(lines, patch) == by_git(tmp_path, lines, patch) is not None


def test_the_changed_lines_are_located_however_far_the_headers_are_off(instance):
    changes = (Replacement(39, 40, (b"y = 1\n",)), Replacement(99, 100, (b"z = 1\n",)))
    patch = change_patch("v.py", NUMBERED, changes)
    snapshot = MemorySnapshot({"v.py": b"".join(NUMBERED)})
    for by in (-30, 0, 2, 41):
        gold = instance.model_copy(update={"patch": shifted(patch, by)})
        assert gold_locations(gold, snapshot, 0) == (Location("v.py", ((40, 40), (100, 100))),)
        assert [block.search for block in gold_blocks(gold, snapshot)] == [("x40 = 40",), ("x100 = 100",)]


def test_a_hunk_that_git_refuses_stays_at_its_own_line():
    patch = change_patch("v.py", NUMBERED, (Replacement(39, 40, (b"y\n",)),))
    [hunk] = place_hunks(NUMBERED[:30], parse_patch(patch)[0].hunks)
    assert hunk.old_start == 37


LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"\n", b"c\n"]), min_size=1, max_size=25)


@settings(max_examples=60)
@given(lines=LINES, data=st.data(), by=st.integers(-6, 12))
def test_any_diff_is_placed_as_git_places_it(tmp_path_factory, lines, data, by):
    start = data.draw(st.integers(0, len(lines)))
    end = data.draw(st.integers(start, min(len(lines), start + 3)))
    change = Replacement(start, end, tuple(data.draw(st.lists(st.sampled_from([b"n\n", b"a\n"]), max_size=3))))
    if change.lines == tuple(lines[start:end]):
        return
    patch = change_patch("v.py", lines, (change,))
    if int(patch.split("@@ -")[1].split(",")[0].split(" ")[0]) + by < 1:
        by = 0
    patch = shifted(patch, by)
    meant = by_git(tmp_path_factory.mktemp("git"), lines, patch)
    if meant is not None:
        assert placed(lines, patch) == meant


@pytest.mark.skipif("HARNESS_SWEBENCH_ROWS" not in os.environ, reason="HARNESS_SWEBENCH_ROWS names no rows file")
def test_every_real_gold_patch_is_placed_in_a_file_made_of_its_hunks():
    """Its old sides stand far apart and out of place, so that only their content says where they are."""
    for row in Path(os.environ["HARNESS_SWEBENCH_ROWS"]).read_text(encoding="utf-8").splitlines():
        for diff in parse_patch(json.loads(row)["patch"]):
            lines, wanted = [], []
            for number, hunk in enumerate(diff.hunks):
                if hunk.old_start > 1 and hunk.lines[-1].startswith(" "):
                    lines += [b"filler %d %d\n" % (number, line) for line in range(40)]
                    wanted.append((hunk, len(lines) + 1))
                    lines += [line[1:].encode() + b"\n" for line in hunk.lines if line[:1] in " -"]
            lines.append(b"end\n")
            hunks = [hunk for hunk, _ in wanted]
            found = [hunk.old_start for hunk in place_hunks(lines, hunks)]
            if len({hunk.lines for hunk in hunks}) == len(hunks):
                assert found == [line for _, line in wanted]
