"""Choosing one candidate by majority vote over their normalised patches."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.candidate import Candidate, Reason


@dataclass(frozen=True)
class Selection:
    """The outcome of one vote."""

    candidate: Candidate | None  # None where no candidate has a patch
    votes: int  # candidates whose patch is the chosen one but for comments, docstrings and formatting
    voters: int  # candidates with a patch
    reasons: dict[Reason, int]  # why the others have none -> how many of them

    @property
    def patch(self) -> str:
        """The chosen patch; empty where there is none."""
        return self.candidate.patch if self.candidate else ""


def select(candidates: Sequence[Candidate]) -> Selection:
    """The earliest candidate of the largest group of equal patches; of groups equally large, the one that came first.

    Candidates without a patch have no vote and never win.
    """
    voters = sorted((candidate for candidate in candidates if candidate.patch), key=lambda c: c.index)
    votes = Counter(candidate.vote for candidate in voters)
    reasons = Counter(candidate.reason for candidate in candidates if candidate.reason)
    # max keeps the first of equals
    chosen = max(voters, key=lambda candidate: votes[candidate.vote], default=None)
    return Selection(chosen, votes[chosen.vote] if chosen else 0, len(voters), dict(sorted(reasons.items())))
