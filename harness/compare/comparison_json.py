"""Comparisons and gates as JSON: values in, values out."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from harness.compare.ablation_data import finite
from harness.compare.finished import Arm
from harness.compare.run_changes import Change
from harness.compare.run_comparison import Flip, RunComparison, Scope
from harness.compare.run_gate import RunGate
from harness.statistics.many import holm

SCHEMA_VERSION = 1


def comparisons_document(found: Sequence[RunComparison]) -> dict[str, Any]:
    """Each arm against the first: shares as parts of 1, a difference is the later arm's less the first's."""
    adjusted = holm([1.0 if one.overall.comparison.p is None else one.overall.comparison.p for one in found])
    return {
        "schema": SCHEMA_VERSION,
        "first": found[0].first.name,
        "comparisons": [
            {
                "second": one.second.name,
                "p_all_arms": p,
                "overall": _scope(one.overall),
                "conditions": [_scope(scope) for scope in one.conditions],
                "repositories": [_scope(scope) for scope in one.repositories],
                "flips": [_flip(one, flip) for flip in one.flips],
                "settings": [_change(change) for change in one.settings],
                "others": [_change(change) for change in one.others],
            }
            for one, p in zip(found, adjusted, strict=True)
        ],
    }


def gate_document(found: RunGate) -> dict[str, Any]:
    """A gate with all that each decision rests on."""
    return {
        "schema": SCHEMA_VERSION,
        "candidate": found.candidate.name,
        "baseline": found.baseline.name,
        "decision": found.decision.value,
        "exit_status": found.exit_status,
        "requirements": [
            {
                "text": one.requirement.text,
                "decision": one.decision.value,
                "why": one.why,
                "decidable": one.decidable,
                "samples": one.samples,
                "comparison": finite(asdict(one.comparison)),
            }
            for one in found.judged
        ],
    }


def _scope(scope: Scope) -> dict[str, Any]:
    distinguishable = scope.comparison.distinguishable
    return {
        "of": scope.name,
        "p_holm": scope.adjusted,
        "distinguishable": distinguishable,
        **finite(asdict(scope.comparison)),
    }


def _flip(found: RunComparison, flip: Flip) -> dict[str, Any]:
    return {
        "instance_id": flip.instance_id,
        "condition": flip.condition,
        "change": flip.kind,
        "first": {"ended": flip.first, **_files(found.first, flip)},
        "second": {"ended": flip.second, **_files(found.second, flip)},
    }


def _files(arm: Arm, flip: Flip) -> dict[str, str]:
    place = arm.attempt_folder(flip.condition, flip.instance_id)
    files = {"patch": "patch.diff", "log": "test.log"}
    return {name: str(place / file) for name, file in files.items() if place and (place / file).is_file()}


def _change(change: Change) -> dict[str, str]:
    return {"of": change.place, "first": change.first, "second": change.second}
