from difflib import SequenceMatcher
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.repo.diff import Replacement, change_patch
from harness.report.similarity import similarity

LINES = [b"line %d\n" % i for i in range(50)]


def patch(path: str, *replacements: Replacement) -> str:
    return change_patch(path, LINES, replacements)


ONE = patch("a.py", Replacement(3, 4, (b"changed\n",)))
OTHER = patch("a.py", Replacement(3, 4, (b"altered\n",)))
ELSEWHERE = patch("b.py", Replacement(3, 4, (b"changed\n",)))


def test_the_same_change_is_alike_whatever_its_headers():
    dressed = ONE.replace("--- a/", "index 1234567..89abcde 100644\n--- a/").replace("@@\n", "@@ def f():\n")
    assert similarity(ONE, dressed) == similarity(ONE, ONE) == 1.0


def test_line_numbers_do_not_count():
    assert similarity(ONE, ONE.replace("-1,7 +1,7", "-31,7 +33,7")) == 1.0


def test_the_ratio_is_difflibs_over_the_hunks():
    hunks = ["@@" + text[text.rindex("@@") + 2 :].rstrip("\n") for text in (ONE, OTHER)]
    assert similarity(ONE, OTHER) == SequenceMatcher(None, *hunks, autojunk=False).ratio()


def test_files_that_only_one_changes_count_as_nothing():
    assert similarity(ONE, ELSEWHERE) == 0.0
    assert similarity(ONE, ONE + ELSEWHERE) == similarity(ONE + ELSEWHERE, ONE) == 0.5


@pytest.mark.parametrize("nothing", ["", "\n", "no diff at all", "--- a/x\n+++ b/x\n@@ -1,9 +1 @@\n-a\n"])
def test_nothing_is_not_alike(nothing):
    assert similarity(nothing, ONE) == 0.0


def test_large_patches_take_moments():
    large = patch("a.py", *(Replacement(i, i + 1, (b"new text %d " % i * 20 + b"\n",)) for i in range(0, 50, 2)))
    start = perf_counter()
    assert 0 < similarity(large, large.replace("text", "word")) < 1
    assert perf_counter() - start < 2


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_quick_matcher_gives_what_difflib_gives(one, other):
    from cydifflib import SequenceMatcher as Quick

    slow = SequenceMatcher(None, one, other, autojunk=False)
    assert Quick(None, one, other, autojunk=False).ratio() == slow.ratio()
