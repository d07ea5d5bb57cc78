"""A comparison and a gate as data of a page. Every number is that of `harness.compare`; none is made here."""

from collections.abc import Sequence
from typing import Any

from harness.common.inert import one_line
from harness.compare.comparison_texts import CLAIMS
from harness.compare.finished import Arm
from harness.compare.run_changes import Change
from harness.compare.run_comparison import Scope, compare_runs
from harness.compare.run_gate import RunGate, gate_runs
from harness.errors import InputError
from harness.statistics.compare import Comparison
from harness.statistics.gate import Judged
from harness.statistics.requirement import Requirement


def comparison_data(first: Arm, second: Arm, requirements: Sequence[Requirement]) -> dict[str, Any]:
    """The second checkpoint against the first, and whether it meets the requirements.

    What can't be compared has a ``problem`` instead.
    """
    try:
        found, gate = compare_runs(first, second), gate_runs(first, second, requirements)
    except InputError as error:
        return {"problem": one_line(error)}
    return {
        "flipped": len(first.checkpoints) == len(second.checkpoints) == 1,
        "overall": _scope(found.overall),
        "conditions": [_scope(scope) for scope in found.conditions],
        "repositories": [_scope(scope) for scope in found.repositories],
        "notes": _notes(found.overall.comparison),
        "flips": [
            [flip.instance_id, flip.condition or "", flip.kind, one_line(flip.first)[:300], one_line(flip.second)[:300]]
            for flip in found.flips
        ],
        "settings": _changes(found.settings),
        "others": _changes(found.others),
        "gate": _gate(gate),
    }


def _scope(scope: Scope) -> dict[str, Any]:
    found, counts = scope.comparison, scope.comparison.seen.counts
    return {
        "name": scope.name,
        "instances": found.seen.instances,
        "total": found.seen.total,
        "rates": [found.seen.first_rate, found.seen.second_rate],
        "only": [counts.only_first, counts.only_second] if counts else None,
        "estimate": found.estimate,
        "interval": list(found.interval),
        "bounds": list(found.bounds_ungraded),
        "p": found.p,
        "holm": scope.adjusted,
        "distinguishable": found.distinguishable,
    }


def _notes(found: Comparison) -> dict[str, Any]:
    clusters = found.repositories
    return {
        "method": found.why,
        "claim": CLAIMS[found.claim],
        "ungraded": found.seen.ungraded,
        "detectable": found.detectable,
        "repositories": [clusters.clusters, *clusters.interval, clusters.p] if clusters else None,
    }


def _gate(found: RunGate) -> dict[str, Any]:
    return {"decision": found.decision.value, "judged": [_judged(one) for one in found.judged]}


def _judged(one: Judged) -> dict[str, Any]:
    return {
        "text": one.requirement.text,
        "decision": one.decision.value,
        "why": one.why,
        "estimate": one.comparison.estimate,
        "bounds": list(one.comparison.bounds_ungraded),
        "decidable": one.decidable,
    }


def _changes(changes: Sequence[Change]) -> list[list[str]]:
    return [[one_line(text)[:300] for text in change] for change in changes]
