"""A comparison and a gate as data of a page. Every number is that of `harness.compare`; none is made here."""

from collections.abc import Sequence
from typing import Any

from harness.compare.comparison_texts import CLAIMS
from harness.compare.finished import Arm
from harness.compare.run_changes import Change
from harness.compare.run_comparison import Scope, compare_runs
from harness.compare.run_gate import RunGate, gate_runs
from harness.report.inert import one_line
from harness.statistics.compare import Comparison
from harness.statistics.gate import Judged
from harness.statistics.requirement import Requirement


def comparison_data(first: Arm, second: Arm, requirements: Sequence[Requirement]) -> dict[str, Any]:
    """The second checkpoint against the first, and whether it meets the requirements.

    Raises InputError for what can't be compared.
    """
    found = compare_runs(first, second)
    gate = gate_runs(first, second, requirements)
    return {
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


def whole_arms(arms: Sequence[Arm]) -> list[Arm]:
    """Those that have every instance under every condition of the fullest: others of a run under way are not done."""
    sizes = {arm.name: (len(arm.parts), min(len(part) for [part] in arm.parts.values())) for arm in arms if arm.parts}
    fullest = max(sizes.values(), default=(0, 0))
    return [arm for arm in arms if sizes.get(arm.name) == fullest]
