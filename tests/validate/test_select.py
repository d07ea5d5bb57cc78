from harness.candidate import Candidate, Reason
from harness.validate.select import select


def candidate(index: int, vote: str = "", reason: Reason | None = None) -> Candidate:
    return Candidate(index=index, patch=f"patch {index}" if vote else "", vote=vote, reason=reason)


def test_the_largest_group_wins_with_its_earliest_candidate():
    selection = select([candidate(0, "a"), candidate(1, "b"), candidate(2, "b"), candidate(3, "a"), candidate(4, "b")])
    assert selection.patch == "patch 1"
    assert (selection.votes, selection.voters) == (3, 5)


def test_the_earliest_group_wins_a_tie_whatever_the_order_given():
    candidates = [candidate(0, "a"), candidate(1, "b"), candidate(2, "b"), candidate(3, "a")]
    assert select(candidates).patch == select(candidates[::-1]).patch == "patch 0"


def test_candidates_without_a_patch_never_win():
    empty = [candidate(i, reason=Reason.NO_EDITS) for i in range(3)]
    selection = select([*empty, candidate(3, reason=Reason.TRUNCATED), candidate(4, "a")])
    assert (selection.patch, selection.votes, selection.voters) == ("patch 4", 1, 1)
    assert selection.reasons == {Reason.NO_EDITS: 3, Reason.TRUNCATED: 1}


def test_nothing_is_chosen_from_nothing():
    assert (select([]).candidate, select([]).patch) == (None, "")
    selection = select([candidate(0, reason=Reason.NO_MATCH)])
    assert (selection.candidate, selection.votes) == (None, 0)
