from harness.core.candidate import Candidate, Reason
from harness.validate.select import Check, Pool, narrow, select


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


def turned(*tests: int, failures: int | None = None) -> Check:
    return Check(failures, frozenset(tests))


VOTES = [candidate(0, "a"), candidate(1, "a"), candidate(2, "b"), candidate(3, "c"), candidate(4, "c")]


def test_fewest_regression_failures_stay_and_the_reproduction_test_decides_among_them():
    checks = {0: turned(7, failures=2), 1: turned(7, failures=2), 2: turned(7, failures=1), 3: turned(failures=1)}
    selection = select(VOTES[:4], checks)
    assert (selection.patch, selection.pool) == ("patch 2", Pool.BOTH)
    assert (selection.votes, selection.voters) == (1, 1)


def test_no_candidate_turns_the_reproduction_test_so_regression_alone_decides():
    checks = {index: turned(failures=int(index < 2)) for index in range(5)}
    selection = select(VOTES, checks)
    assert (selection.patch, selection.pool, selection.votes, selection.voters) == ("patch 3", Pool.REGRESSION, 2, 3)


def test_without_any_regression_test_the_reproduction_test_decides():
    selection = select(VOTES, {2: turned(0), 3: turned(), 4: turned()})
    assert (selection.patch, selection.pool) == ("patch 2", Pool.REPRODUCTION)


def test_nothing_known_leaves_the_vote_among_all():
    selection = select(VOTES, {index: turned() for index in range(5)})
    assert (selection.patch, selection.pool, selection.voters) == ("patch 0", Pool.ALL, 5)
    assert select(VOTES) == selection


def test_consensus_is_tests_squared_times_patches():
    two_tests = {0: turned(1, 2), 1: turned(1, 2), 2: turned(1), 3: turned(1), 4: turned(1)}  # 4 x 2 against 1 x 3
    assert select(VOTES, two_tests).patch == "patch 0"
    fewer = {0: turned(1, 2, 3), 1: turned(), 2: turned(1, 2), 3: turned(1, 2), 4: turned(1, 2)}  # 9 x 1 against 4 x 3
    assert select(VOTES, fewer).patch == "patch 3"


def test_a_candidate_that_the_machine_could_not_try_is_not_held_against_it():
    checks = {0: Check(None, untried=1), 1: turned(failures=0), 2: turned(failures=3)}
    pool, kept = narrow(VOTES[:3], checks)
    assert (pool, [c.index for c in kept]) == (Pool.REGRESSION, [0, 1])
