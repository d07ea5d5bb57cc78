"""The gate on finished results: a fixed comparison held against a margin. Values in, values out."""

from dataclasses import dataclass

from harness.statistics.compare import Claim, Comparison, compare
from harness.statistics.order import FEWEST
from harness.statistics.outcomes import PairedOutcomes
from harness.statistics.power import detectable, samples_needed
from harness.statistics.requirement import Decision, Requirement


@dataclass(frozen=True)
class Judged:
    """A requirement with what finished results say of it."""

    requirement: Requirement
    comparison: Comparison  # the candidate is its second arm; its confidence is the requirement's
    decision: Decision
    why: str
    decidable: float | None  # the least margin that four of five such runs of equal arms decide; None above 1
    samples: int | None  # of each arm on every instance, to decide this margin so; None if unknown, or never


def fixed_gate(requirement: Requirement, outcomes: PairedOutcomes, claim: Claim = "checkpoint") -> Judged:
    """Hold the second arm against the first; the outcomes are scores of the requirement's metric.

    What was not graded counts against either decision. Raises InputError if nothing was graded under both arms.
    """
    found = compare(outcomes, claim, requirement.confidence)
    decision, why = _decide(requirement, found)
    gap, needed = abs(requirement.margin), None
    if found.variances and gap and claim == "checkpoint":
        needed = samples_needed(*found.variances, found.seen.instances, gap, requirement.confidence)
    least = detectable(found.error, found.freedom, requirement.confidence) if claim == "checkpoint" else None
    return Judged(requirement, found, decision, why, least if least is not None and least <= 1 else None, needed)


def _decide(requirement: Requirement, found: Comparison) -> tuple[Decision, str]:
    graded = found.seen.instances
    if graded < FEWEST:
        return Decision.NOT_DECIDED, f"{graded} graded instances decide nothing; it takes {FEWEST}"
    decision = requirement.decide(found.bounds_ungraded)
    if decision is not Decision.NOT_DECIDED:
        return decision, "both bounds are on one side of the margin"
    if requirement.decide(found.bounds) is not Decision.NOT_DECIDED:
        return (
            decision,
            f"{found.seen.ungraded} outcomes without a grade could turn it; run again what the machine failed on",
        )
    return decision, "the margin lies between the bounds"
