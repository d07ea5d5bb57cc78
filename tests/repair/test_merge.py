"""Blocks that meet: edits are generated with their result known, dressed as blocks, and merged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.candidate import Grade
from harness.repair.match import Match, SourceFile
from harness.repair.merge import Overlap, merge_matches
from harness.repo.diff import replaced

Change = tuple[int, int, list[bytes]]  # first line from 0, after the last, what stands there then


def merged(lines: list[bytes], blocks: list[tuple[int, int, list[bytes]]]) -> list[bytes]:
    matches = [Match(start, end, tuple(new), Grade.EXACT) for start, end, new in blocks]
    return replaced(lines, merge_matches(SourceFile(b"".join(lines)), matches)).splitlines(keepends=True)


def text(*lines: str) -> list[bytes]:
    return [f"{line}\n".encode() for line in lines]


METHOD = text("class Oven:", "    def heat(self):", "        return 1", "", "    def cool(self):", "        return 0")


@pytest.mark.parametrize("kept", [METHOD[4:], text("    def cool(self):", "        return -1")])
def test_a_line_that_one_block_drops_and_another_repeats_is_refused(kept):
    """Merging what each block changes would lose the header of ``cool``; so did three real answers."""
    new = text("    def warm(self):", "        return 2", "")
    with pytest.raises(Overlap, match="drops line 5"):
        merged(METHOD, [(4, 5, new), (4, 6, kept)])


def test_a_changed_line_may_be_repeated_as_it_was():
    first, second = (1, 2, text("    def heat(self, to):")), (1, 3, text("    def heat(self):", "        return to"))
    assert merged(METHOD, [first, second])[1:3] == text("    def heat(self, to):", "        return to")


def test_a_line_changed_for_several_may_be_repeated_as_it_was():
    """As in the blocks of a real gold patch, which were refused."""
    lines = text("def a(b):", "    if b:", "        return 'c'", "    else:", "        return b")
    first = (2, 3, text("        return {'c'}", "    elif d:", "        return set(d)"))
    second = (2, 5, text("        return 'c'", "    else:", "        return set()"))
    wanted = text("        return {'c'}", "    elif d:", "        return set(d)", "    else:", "        return set()")
    assert merged(lines, [first, second])[2:] == wanted


def test_blocks_that_share_blank_lines_keep_their_order():
    """As the blocks of a real gold patch do; lines compared one by one put the second before the first."""
    lines = text("A = 1", "", "", "def g():", "    return A")
    first = (0, 3, text("A = 1", "", "", "B = A", "", ""))
    second = (1, 5, text("", "C = B", "", "", "def g():", "    return C"))
    for blocks in ([first, second], [second, first]):
        assert merged(lines, blocks) == text("A = 1", "", "", "B = A", "", "C = B", "", "", "def g():", "    return C")


def test_lines_put_in_at_one_place_have_no_order():
    lines = text("import a", "import z")
    with pytest.raises(Overlap, match="put lines in at line 2"):
        merged(lines, [(0, 1, text("import a", "import b")), (0, 1, text("import a", "import c"))])
    above, below = (0, 1, text("import a", "import b")), (1, 2, text("import c", "import z"))
    assert merged(lines, [below, above]) == text("import a", "import b", "import c", "import z")


def test_what_two_blocks_agree_on_counts_once_wherever_they_show_it():
    lines = text("a", "", "", "b")
    small, wide = (0, 3, text("a", "", "", "x", "")), (0, 4, text("a", "", "", "x", "", "b"))
    assert merged(lines, [small, wide]).count(b"x\n") == 1
    above, below = (0, 2, text("a", "", "x", "")), (2, 4, text("x", "", "", "b"))
    assert merged(lines, [above, below]).count(b"x\n") == 2  # blocks that share no line stand for themselves


UNIQUE = st.integers(1, 30).map(lambda count: [b"line %d\n" % number for number in range(count)])
REPEATED = st.lists(st.sampled_from(text("", "", "a", "b", "    return x")), min_size=1, max_size=20)


@st.composite
def known(draw: st.DrawFn, lines: st.SearchStrategy[list[bytes]]) -> tuple[list[bytes], list[Change], list[Change]]:
    """A file, changes of it that are apart, and a block around each with lines of context."""
    old = draw(lines)
    cuts = sorted(draw(st.lists(st.integers(0, len(old)), min_size=2, max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    pairs = [pair for number, pair in enumerate(pairs) if not number or pair[0] > pairs[number - 1][1]]
    changes = []
    for number, (start, end) in enumerate(pairs):
        added = draw(st.lists(st.sampled_from([b"new %d\n" % number, b"\n"]), max_size=3, min_size=start == end))
        changes.append((start, end, added))
    blocks = []
    for start, end, added in changes:
        first, last = max(0, start - draw(st.integers(0, 4))), min(len(old), end + draw(st.integers(0, 4)))
        blocks.append((first, last, old[first:start] + added + old[end:last]))
    return old, changes, draw(st.permutations([block for block in blocks if block[0] < block[1]]))


def expected(old: list[bytes], changes: list[Change]) -> list[bytes]:
    new = list(old)
    for start, end, added in reversed(changes):
        new[start:end] = added
    return new


@given(known(UNIQUE))
def test_changes_of_a_file_whose_lines_are_unique_come_out_as_meant_or_are_refused(case):
    old, changes, blocks = case
    if len(blocks) < len(changes):
        return
    try:
        assert merged(old, blocks) == expected(old, changes)
    except Overlap:
        shown = [sum(first < end and start < last for first, last, _ in blocks) for start, end, _ in changes]
        assert any(count > 1 for count in shown)  # refused only if a block repeats lines that another changes


@given(known(REPEATED))
def test_no_line_is_lost_or_doubled_among_equal_lines(case):
    old, changes, blocks = case
    if len(blocks) < len(changes):
        return
    try:
        new = merged(old, blocks)
    except Overlap:
        return
    meant = expected(old, changes)
    # a blank line that two blocks put into one run of them may be the same one
    assert sorted(filter(bytes.strip, new)) == sorted(filter(bytes.strip, meant))
    assert [line for line in new if line.startswith(b"new")] == [line for line in meant if line.startswith(b"new")]
