"""Choosing one candidate: first by what validation found, then by majority vote over the normalised patches."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.core.candidate import Candidate, Reason


class Pool(StrEnum):
    """What the candidates that were voted on had passed; each falls back to the next if it would be empty."""

    BOTH = "both"  # fewest regression failures, and reproduction tests turned
    REPRODUCTION = "reproduction"  # reproduction tests turned, if no regression tests were run
    REGRESSION = "regression"  # fewest regression failures
    ALL = "all"  # every candidate that has a patch


@dataclass(frozen=True)
class Check:
    """What validation found of one candidate."""

    failures: int | None = None  # regression tests that no longer pass; None if none were run
    turned: frozenset[int] = frozenset()  # reproduction tests, by index, that say the issue is gone
    untried: int = 0  # of the runs above, those in which the machine failed


@dataclass(frozen=True)
class Selection:
    """The outcome of one vote."""

    candidate: Candidate | None  # None if no candidate has a patch
    votes: int  # candidates in the pool whose patch is the chosen one but for comments, docstrings and formatting
    voters: int  # candidates in the pool
    reasons: dict[Reason, int]  # why the others have none -> how many of them
    pool: Pool = Pool.ALL

    @property
    def patch(self) -> str:
        """The chosen patch; empty if there is none."""
        return self.candidate.patch if self.candidate else ""


def select(candidates: Sequence[Candidate], checks: Mapping[int, Check] | None = None) -> Selection:
    """The earliest candidate of the largest group of equal patches; of groups equally large, the one that came first.

    The vote is among those that did best in validation (``checks``, by candidate index); see `narrow`. Candidates
    without a patch have no vote and never win.
    """
    able = sorted((candidate for candidate in candidates if candidate.patch), key=lambda c: c.index)
    pool, voters = narrow(able, checks or {})
    votes = Counter(candidate.vote for candidate in voters)
    reasons = Counter(candidate.reason for candidate in candidates if candidate.reason)
    # max keeps the first of equals
    chosen = max(voters, key=lambda candidate: votes[candidate.vote], default=None)
    return Selection(chosen, votes[chosen.vote] if chosen else 0, len(voters), dict(sorted(reasons.items())), pool)


def narrow(candidates: Sequence[Candidate], checks: Mapping[int, Check]) -> tuple[Pool, list[Candidate]]:
    """The candidates worth a vote, in the order given, and what they passed.

    First those with the fewest regression failures stay, beside any that the machine could not try. Of these, groups
    that turn exactly the same reproduction tests score (tests turned)^2 x patches in the group (SWE-RL's Agentless
    Mini), and the best group with any test turned stays; of equal groups, the one that came first. With a single
    test that is: those that turn it.
    """
    found = {candidate.index: checks.get(candidate.index, Check()) for candidate in candidates}
    known = [check.failures for check in found.values() if check.failures is not None]
    kept = [c for c in candidates if not known or found[c.index].failures in (None, min(known))]
    groups: dict[frozenset[int], list[Candidate]] = {}
    for candidate in kept:
        groups.setdefault(found[candidate.index].turned, []).append(candidate)
    best = max(groups, key=lambda turned: len(turned) ** 2 * len(groups[turned]), default=frozenset())
    if best:
        return (Pool.BOTH if known else Pool.REPRODUCTION), groups[best]
    return (Pool.REGRESSION if known else Pool.ALL), kept
