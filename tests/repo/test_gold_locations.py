import json
import os
from pathlib import Path

import pytest

from harness.core.instance import Instance
from harness.core.location import Location
from harness.errors import InputError
from harness.repo.diff import Replacement, change_patch, creation_patch
from harness.repo.gold_locations import gold_files, gold_locations
from harness.repo.memory_snapshot import MemorySnapshot

LINES = [b"%d\n" % number for number in range(1, 101)]
SNAPSHOT = MemorySnapshot({"a.py": b"".join(LINES), "b.py": b"x\n", "gone.py": b"1\n2\n3\n"})
DELETION = "--- a/gone.py\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-1\n-2\n-3\n"


@pytest.fixture
def gold(instance):
    return lambda *parts: instance.model_copy(update={"patch": "".join(parts)})


def change(*replacements: Replacement) -> str:
    return change_patch("a.py", LINES, replacements)


def test_whole_files_that_the_patch_edits_or_deletes(gold):
    patch = change(Replacement(4, 5, ())), creation_patch("new.py", b"x\n"), DELETION
    assert gold_files(gold(*patch), SNAPSHOT) == (Location("a.py"), Location("gone.py"))


def test_the_lines_around_each_change(gold):
    patch = change(Replacement(4, 6, (b"x\n",)), Replacement(49, 50, (b"y\n",)), Replacement(55, 56, ()))
    assert gold_locations(gold(patch), SNAPSHOT, 3) == (Location("a.py", ((2, 9), (47, 59))),)
    assert gold_locations(gold(patch), SNAPSHOT, 0) == (Location("a.py", ((5, 6), (50, 50), (56, 56))),)
    assert gold_locations(gold(patch), SNAPSHOT, 1000) == (Location("a.py", ((1, 100),)),)


@pytest.mark.parametrize(("index", "shown"), [(10, (10, 11)), (0, (1, 1)), (100, (100, 100))])
def test_an_insertion_shows_the_lines_beside_it(gold, index, shown):
    patch = change(Replacement(index, index, (b"new\n",)))
    assert gold_locations(gold(patch), SNAPSHOT, 0) == (Location("a.py", (shown,)),)


def test_a_deleted_file_is_shown(gold):
    assert gold_locations(gold(DELETION), SNAPSHOT, 5) == (Location("gone.py", ((1, 3),)),)


def test_a_patch_of_new_files_only_has_no_locations(gold):
    patch = creation_patch("new.py", b"x\n")
    assert gold_files(gold(patch), SNAPSHOT) == gold_locations(gold(patch), SNAPSHOT, 3) == ()


def test_a_renamed_file_is_meant_as_a_whole(gold):
    patch = "diff --git a/b.py b/c.py\nsimilarity index 100%\nrename from b.py\nrename to c.py\n"
    assert gold_files(gold(patch), SNAPSHOT) == gold_locations(gold(patch), SNAPSHOT, 3) == (Location("b.py"),)


def test_a_patch_that_is_none_is_the_users_error(gold):
    with pytest.raises(InputError, match="owner__name-1: the gold patch is not a unified diff"):
        gold_files(gold("--- a/x\n+++ b/x\n@@ -1,5 +1,5 @@\n-a\n"), SNAPSHOT)


@pytest.mark.skipif("HARNESS_SWEBENCH_ROWS" not in os.environ, reason="HARNESS_SWEBENCH_ROWS names no rows file")
def test_every_real_gold_patch_has_locations():
    lines = Path(os.environ["HARNESS_SWEBENCH_ROWS"]).read_text(encoding="utf-8").splitlines()
    for instance in (Instance.model_validate(json.loads(line)) for line in lines):
        paths = [line[6:] for line in instance.patch.splitlines() if line.startswith("--- a/")]
        snapshot = MemorySnapshot(dict.fromkeys(paths, b"line\n" * 20_000))
        assert [place.path for place in gold_files(instance, snapshot)] == paths
        assert all(place.intervals for place in gold_locations(instance, snapshot, 10))
