"""What another harness left of one model: its patches, and what there is of their tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.report.stage_scores import StageScores

# The lists of a report's test ids -> what a verdict calls them.
LISTS = {
    ("FAIL_TO_PASS", "success"): "fail_to_pass_success",
    ("FAIL_TO_PASS", "failure"): "fail_to_pass_failure",
    ("PASS_TO_PASS", "success"): "pass_to_pass_success",
    ("PASS_TO_PASS", "failure"): "pass_to_pass_failure",
}


@dataclass(frozen=True)
class Evidence:
    """What is left of one instance's tests."""

    log: Path | None = None  # what the tests printed
    output: str | None = None  # the same, if it stands in a file of another kind
    runner_log: Path | None = None  # what the harness said of its own work
    patch: str | None = None  # that was tested, if it was kept
    resolved: bool | None = None  # by the report there; None if there is none
    tests: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)  # the report's ids, by `LISTS`


@dataclass(frozen=True)
class Steps:
    """What is known of how a patch came about."""

    trail: Mapping[str, Any]  # as in ``trail.jsonl``
    scores: StageScores


@dataclass(frozen=True)
class ForeignRun:
    """One model's results, as another harness left them."""

    name: str
    source: str  # as the user named it
    layout: str  # whose files these are
    patches: Mapping[str, str]  # by instance id; empty: none came out
    evidence: Mapping[str, Evidence]  # by instance id
    lost: frozenset[str] = frozenset()  # submitted, but the patch is not there
    steps: Mapping[str, Steps] = field(default_factory=dict)  # by instance id

    def called(self, name: str) -> "ForeignRun":
        """The same under another name."""
        return replace(self, name=name)
