import pytest

from harness.core.instance import Instance
from harness.core.location import Location
from harness.core.verdict import Outcome, Phase, Verdict
from harness.repo.memory_snapshot import MemorySnapshot
from harness.report.stage_scores import (
    Hits,
    StageScores,
    count_resolving,
    localization_hits,
    summarise_stages,
)
from harness.report.stage_tables import stages_csv, stages_markdown

SNAPSHOT = MemorySnapshot({"a.py": b"1\n2\n3\n4\n5\n", "b.py": b"1\n2\n", "c.py": b"1\n2\n3\n"})
GOLD = """\
--- a/a.py
+++ b/a.py
@@ -2,2 +2,2 @@
-2
-3
+two
+three
--- a/c.py
+++ b/c.py
@@ -1 +1,2 @@
 1
+new
--- /dev/null
+++ b/new.py
@@ -0,0 +1 @@
+x
"""


@pytest.fixture
def gold(row) -> Instance:
    return Instance.model_validate(row(patch=GOLD))


def test_files_and_lines_against_the_gold_patch(gold):
    hits = localization_hits(gold, SNAPSHOT, [Location("b.py"), Location("a.py", ((3, 4),)), Location("c.py")])
    assert hits["file", 1] == Hits(0, 2, 1)
    assert hits["file", 3] == hits["file", 5] == Hits(2, 2, 3)
    # gold lines: a.py 2 and 3, and c.py 1 and 2 on either side of the new one; named: b.py 2, a.py 2, c.py 3
    assert hits["line", 1] == Hits(0, 4, 2)
    assert hits["line", 3] == Hits(3, 4, 7)
    assert (hits["line", 3].recall, hits["line", 3].precision) == (0.75, 3 / 7)


def test_elements_are_the_innermost_around_the_lines(row):
    methods = "".join(f"    def {name}(self):\n        return 1\n\n" for name in "fg")
    source = f"import os\n\n\nclass A:\n    x = 1\n\n{methods}".encode()
    gold = "--- a/m.py\n+++ b/m.py\n@@ -8 +8 @@\n-        return 1\n+        return 3\n"
    instance, snapshot = Instance.model_validate(row(patch=gold)), MemorySnapshot({"m.py": source})
    hits = localization_hits(instance, snapshot, [Location("m.py", ((7, 11),))])
    assert hits["element", 1] == Hits(1, 1, 3), "f, g, and the class by the line between them"
    whole = localization_hits(instance, snapshot, [Location("m.py")])
    assert whole["element", 1].recall == 1.0
    assert localization_hits(instance, snapshot, [Location("m.py", ((10, 11),))])["element", 1].recall == 0.0


def test_nothing_localized_is_no_recall_and_no_precision(gold):
    hits = localization_hits(gold, SNAPSHOT, [])
    assert {(hit.recall, hit.precision) for hit in hits.values()} == {(0.0, 0.0)}


def test_several_sets_of_one_file_count_it_once(gold):
    hits = localization_hits(gold, SNAPSHOT, [Location("a.py", ((1, 2),)), Location("a.py", ((2, 3),))])
    assert hits["file", 1] == Hits(1, 2, 1)
    assert hits["line", 1] == Hits(2, 4, 3)


@pytest.mark.parametrize("patch", ["no diff\n@@ -1 +1 @@", "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x\n"])
def test_without_a_changed_file_there_is_nothing_to_hold_it_against(row, patch):
    assert localization_hits(Instance.model_validate(row(patch=patch)), SNAPSHOT, [Location("a.py")]) == {}


def verdict(outcome: Outcome) -> Verdict:
    return Verdict(instance_id="i", outcome=outcome, phase=Phase.GRADE)


def test_a_candidate_without_a_patch_counts_and_one_that_the_machine_failed_on_does_not():
    verdicts = {0: verdict(Outcome.RESOLVED), 2: verdict(Outcome.INFRASTRUCTURE), 3: verdict(Outcome.TIMEOUT)}
    assert count_resolving(5, verdicts) == (4, 1)


SCORES = [
    StageScores({("file", 1): Hits(1, 2, 1)}, {"files": 0}, 4, {"no-match": 1}, "both", True, graded=4, resolving=1),
    StageScores(
        {("file", 1): Hits(0, 1, 1)}, {"files": 1, "lines": 2}, 4, {"no-match": 1, "no-op": 1}, "all", False, 4, 2
    ),
    StageScores({}, {}, 4, {"truncated": 4}, "all", False, 3, 0),
]


def test_rows_are_means_over_the_instances_that_have_the_score():
    [row] = summarise_stages([("one", "model", scores) for scores in SCORES])
    assert row.recall == {("file", 1): 0.25}
    assert row.precision == {("file", 1): 0.5}
    assert row.unresolved == {"files": 1, "lines": 2}
    assert row.reasons == {"truncated": 4, "no-match": 2, "no-op": 1}
    assert row.pools == {"all": 2, "both": 1}
    assert row.graded_instances == 2, "the machine failed on a candidate of the third"
    assert row.pass_at == {1: pytest.approx((1 / 4 + 2 / 4) / 2), 2: pytest.approx((3 / 6 + 5 / 6) / 2), 4: 1.0}
    assert (row.selected_rate, row.oracle_rate) == (0.5, 1.0)


def test_result_tables():
    rows = summarise_stages([("one", "model", scores) for scores in SCORES])
    text = stages_markdown(rows)
    head = "| checkpoint | condition | recall / precision % | @1 | @3 | @5 | unresolved names |"
    assert head in text
    assert "| files 1, lines 2 |" in text
    assert max(line.count("|") for line in text.splitlines()) <= 9  # eight columns
    assert "patch 41.7, truncated 33.3, no-match 16.7, no-op 8.3" in text
    assert "| 2 of 3 | @1 37.5, @2 66.7, @4 100.0 | 50.0 | 100.0 |" in text
    assert "Chen et al. 2021" in text
    lines = stages_csv(rows).splitlines()
    assert lines[0] == "checkpoint,condition,score,value,instances"
    assert "one,model,oracle,1.0,2" in lines
    assert "one,model,unresolved_lines,2.0,3" in lines


def test_without_tested_candidates_no_pass_at_k_is_claimed():
    text = stages_markdown(summarise_stages([("one", "model", StageScores(candidates=4, pool="all"))]))
    assert "ass@k" not in text
    assert stages_markdown([]) == ""
    assert stages_csv([]).splitlines() == ["checkpoint,condition,score,value,instances"]
