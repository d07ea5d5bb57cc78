"""The report of a whole evaluation under the official harness' own keys, with ours beside them.

As there, an instance counts as completed when its tests ran and were graded, and as an error when it was submitted
but not completed. What the machine failed on stays in both denominators; the rate without it stands apart, and so
do the rates without instances that a quarantine or a calibration speaks against. Every rate has its bounds beside it:
what stayed ungraded all failed, and all resolved.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.core.control import ControlState
from harness.core.verdict import Outcome, Verdict
from harness.core.whole_suite import SuiteState
from harness.grading.exclusions import Exclusions, Soundness
from harness.statistics.share import ungraded_bounds, wilson

SCHEMA_VERSION = 2  # of the official report, swebench 5.x
NOT_EVALUATED = "not-evaluated"  # submitted, but without a verdict
UNGRADED = {Outcome.INFRASTRUCTURE, NOT_EVALUATED}  # says nothing of the patch

# The official harness writes an instance's report, and so completes it, also if the log shows no test results
# or the tests were killed for their memory; a timeout or a patch that does not apply leaves none.
UNRESOLVED = {Outcome.UNRESOLVED, Outcome.NO_RESULTS, Outcome.OUT_OF_MEMORY}
AMBIGUOUS = {Outcome.NO_RESULTS, Outcome.OUT_OF_MEMORY, Outcome.TIMEOUT}  # of the patch's making, or the machine's


def official_report(
    instance_ids: Sequence[str],
    predictions: Mapping[str, str | None],
    verdicts: Mapping[str, Verdict],
    soundness: Soundness,
) -> dict[str, Any]:
    """JSON-serialisable report over all instances of the data set, under the official report's keys.

    ``predictions`` and ``verdicts`` go by instance id. The key ``harness`` holds what the official report does not
    tell apart: how each evaluation ended, the resolve rate with and without infrastructure failures and with and
    without the instances that ``soundness`` speaks against, each with its own numerator and denominator, the flags of
    verdicts that need a reader's eye, and what the benchmark's defective test ids did.
    """
    ended = {instance_id: _outcome(instance_id, predictions, verdicts) for instance_id in instance_ids}
    ids = _official_ids(ended)
    ids["submitted_ids"] = set(predictions)
    counted = ("submitted", "completed", "resolved", "unresolved", "infra_failure", "ambiguous_failure", "empty_patch")
    marked = ids["infra_failure_ids"] | ids["ambiguous_failure_ids"]
    return {
        "total_instances": len(instance_ids),
        **{f"{name}_instances": len(ids[f"{name}_ids"]) for name in (*counted, "error")},
        **{name: sorted(members) for name, members in ids.items()},
        "failure_reasons": {instance_id: str(ended[instance_id]) for instance_id in sorted(marked)},
        "schema_version": SCHEMA_VERSION,
        "harness": {
            **_own_part(list(ended.values())),
            **_exclusions_part(ended, soundness.exclusions(list(verdicts.values()))),
            "defective_test_ids": _defects_part(list(verdicts.values()), soundness),
            "flagged": _flagged(instance_ids, verdicts),
            "control": _control_part(verdicts),
            "whole_suite": _suite_part(verdicts, ended),
        },
    }


def _outcome(instance_id: str, predictions: Mapping[str, str | None], verdicts: Mapping[str, Verdict]) -> Outcome | str:
    if instance_id not in predictions:
        return Outcome.NOT_SUBMITTED
    if instance_id in verdicts:
        return verdicts[instance_id].outcome
    return NOT_EVALUATED if predictions[instance_id] else Outcome.EMPTY_PATCH


def _official_ids(ended: Mapping[str, Outcome | str]) -> dict[str, set[str]]:
    def among(kinds: Iterable[Outcome | str]) -> set[str]:
        return {instance_id for instance_id, outcome in ended.items() if outcome in kinds}

    completed = among(UNRESOLVED | {Outcome.RESOLVED})
    incomplete, empty = among({Outcome.NOT_SUBMITTED}), among({Outcome.EMPTY_PATCH})
    return {
        "completed_ids": completed,
        "incomplete_ids": incomplete,
        "empty_patch_ids": empty,
        "resolved_ids": among({Outcome.RESOLVED}),
        "unresolved_ids": among(UNRESOLVED),
        "infra_failure_ids": among({Outcome.INFRASTRUCTURE}),
        "ambiguous_failure_ids": among(AMBIGUOUS),
        "error_ids": set(ended) - completed - incomplete - empty,
    }


def _flagged(instance_ids: Iterable[str], verdicts: Mapping[str, Verdict]) -> dict[str, list[str]]:
    """By instance, what a reader should look at before believing the outcome."""
    return {i: list(verdicts[i].flags) for i in sorted(instance_ids) if i in verdicts and verdicts[i].flags}


def _control_part(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """How the counter-evaluations ended, the instances of those that did not pass, and what they took."""
    controls = {i: verdicts[i].control for i in sorted(verdicts)}
    found = {i: control for i, control in controls.items() if control is not None}
    return {
        "states": {state.value: sum(c.state is state for c in found.values()) for state in ControlState},
        **{
            f"{state.value.replace('-', '_')}_ids": [i for i, control in found.items() if control.state is state]
            for state in ControlState
            if state is not ControlState.PASSED
        },
        "seconds": round(sum(control.seconds for control in found.values()), 3),
    }


def _suite_part(verdicts: Mapping[str, Verdict], ended: Mapping[str, Outcome | str]) -> dict[str, Any] | None:
    """What of the resolved breaks nothing else, and what breaks which tests; None if no whole suite was asked for."""
    suites = {i: verdicts[i].whole_suite for i in sorted(verdicts)}
    found = {i: suite for i, suite in suites.items() if suite is not None}
    if not found:
        return None
    clean = [i for i in found if verdicts[i].breaks_nothing]
    breaks = {i: suite.breaks for i, suite in found.items() if suite.breaks}
    stricter = {i: Outcome.UNRESOLVED if i in breaks else NOT_EVALUATED for i in found if i not in clean}
    return {
        "states": {state.value: sum(suite.state is state for suite in found.values()) for state in SuiteState},
        "resolved_and_breaks_nothing_ids": clean,
        "breaks": breaks,
        "unsteady": {i: list(suite.unsteady) for i, suite in found.items() if suite.unsteady},
        "not_compared": {i: suite.detail for i, suite in found.items() if suite.state is not SuiteState.COMPARED},
        "resolved_and_breaks_nothing": _rate(list({**ended, **stricter}.values())),
        "seconds": round(sum(suite.seconds for suite in found.values()), 3),
    }


def _own_part(outcomes: Sequence[Outcome | str]) -> dict[str, Any]:
    return {
        "outcomes": dict(Counter(map(str, outcomes)).most_common()),
        "resolve_rate": _rate(outcomes),
        "resolve_rate_without_infrastructure_failures": _rate(outcomes, outcomes.count(Outcome.INFRASTRUCTURE)),
    }


def _exclusions_part(ended: Mapping[str, Outcome | str], exclusions: Sequence[Exclusions]) -> dict[str, Any]:
    def without(excluded: Iterable[str]) -> dict[str, Any]:
        left = [outcome for instance_id, outcome in ended.items() if instance_id not in set(excluded)]
        return _rate(left)

    everything = [instance_id for found in exclusions for instance_id in found.reasons]
    return {
        "exclusions": [
            {
                "source": found.source,
                "excluded": dict(found.reasons),
                "unknown_ids": sorted(found.unknown),
                "resolve_rate_without": without(found.reasons),
            }
            for found in exclusions
        ],
        "resolve_rate_without_exclusions": without(everything),
    }


def _defects_part(verdicts: Sequence[Verdict], soundness: Soundness) -> dict[str, Any]:
    failed = {verdict.instance_id: soundness.quarantine.failed_by_defective_ids(verdict) for verdict in verdicts}
    return {
        "cut_matched": sum(len(verdict.cut_ids_matched) for verdict in verdicts),
        "cut_ambiguous": sum(len(verdict.cut_ids_ambiguous) for verdict in verdicts),
        "unresolved_by_them_alone": {instance_id: list(ids) for instance_id, ids in failed.items() if ids},
    }


def _rate(outcomes: Sequence[Outcome | str], left_out: int = 0) -> dict[str, Any]:
    """The rate over all but ``left_out`` ungraded outcomes, and its bounds, which count these, too."""
    resolved, ungraded = outcomes.count(Outcome.RESOLVED), sum(outcome in UNGRADED for outcome in outcomes)
    instances = len(outcomes) - left_out
    return {
        "resolved": resolved,
        "instances": instances,
        "rate": resolved / instances if instances else None,
        "wilson_95": list(wilson(resolved, instances)) if instances else None,
        "ungraded": ungraded,
        "bounds": list(ungraded_bounds(resolved, ungraded, len(outcomes))) if outcomes else None,
    }
