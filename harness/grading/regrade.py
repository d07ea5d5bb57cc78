"""Grading again what the journal and its logs hold: no container, no Docker daemon."""

from collections.abc import Mapping
from pathlib import Path

from harness.common.journal import Journal
from harness.core.instance import Instance
from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.evaluator import patch_key, untested
from harness.grading.job import read_log
from harness.grading.judge import TEST_FILE, Weigh
from harness.grading.log_flags import is_evidence
from harness.grading.log_grading import log_text
from harness.grading.specification import Specification

Stored = Mapping[tuple[str, str], Verdict]  # instance id and `patch_key` -> the latest verdict


def stored_verdicts(journal: Journal) -> Stored:
    """The latest verdict of every patch and repeat in a journal of evaluations."""
    return {
        (record["verdict"]["instance_id"], record["patch"]): Verdict.model_validate(record["verdict"])
        for record in journal.records()
        if "patch" in record and "verdict" in record
    }


def regraded(
    instance: Instance,
    specification: Specification,
    patch: str | None,
    repeat: int,
    stored: Stored,
    logs: Path,
    weigh: Weigh,
) -> Verdict:
    """The verdict that today's rules reach on the stored evaluation of a patch (None: the base state).

    What ended before its tests did keeps its verdict. Where nothing is stored the outcome is INFRASTRUCTURE.
    """
    without_container = untested(instance, patch) if patch is not None else None
    if without_container:
        return without_container
    verdict = stored.get((instance.instance_id, patch_key(patch, repeat)))
    if verdict is None:
        return _missing(instance, "this patch was not evaluated in this folder; evaluate it without --regrade")
    if verdict.phase is not Phase.GRADE:
        return verdict
    path = logs / f"{verdict.key}.log"
    region = read_log(path.read_bytes(), verdict.nonce) if path.is_file() else None
    if region is None:
        return _missing(instance, f"{path} is gone or damaged; evaluate this patch without --regrade")
    return _graded(instance, specification, verdict, log_text(region), weigh)


def _graded(instance: Instance, specification: Specification, verdict: Verdict, log: str, weigh: Weigh) -> Verdict:
    changed = [flag.removeprefix(TEST_FILE) for flag in verdict.flags if flag.startswith(TEST_FILE)]
    found, evidence = weigh(instance, specification, log, verdict.exit_status, changed)
    kept = [flag for flag in verdict.flags if not is_evidence(flag)]
    return verdict.model_copy(update={**vars(found), "flags": (*kept, *evidence)})


def _missing(instance: Instance, reason: str) -> Verdict:
    return Verdict(instance_id=instance.instance_id, outcome=Outcome.INFRASTRUCTURE, phase=Phase.PREPARE, detail=reason)
