"""What an attempt sums up, and the columns of its trail."""

import json

from harness.config.schema import CheckpointConfig
from harness.core.candidate import Candidate, Reason
from harness.core.interfaces import Answer, Cost
from harness.core.verdict import Outcome, Phase, Verdict
from harness.localize.lines import LineLocalization, LineSample
from harness.localize.named_files import FileLocalization, LocalizationReason
from harness.localize.stages import Localization
from harness.pipeline.attempt import Proposal, Trial
from harness.pipeline.work import Asked, Work
from harness.repo.memory_snapshot import MemorySnapshot
from harness.validate.check import Plan, Validation
from harness.validate.regression import Regression
from harness.validate.reproduction import ReproductionTest
from harness.validate.select import select

COLUMNS = {"prompt_tokens", "completion_tokens", "seconds"}


def test_costs_are_summed_over_every_stage_and_stay_in_their_columns(instance):
    """The columns of files, candidates and tests had no group; who reads old trails reads these names."""
    files = FileLocalization((), LocalizationReason.NO_NAMES, "none", cost=Cost(1, 10, 0.5))
    lines = LineLocalization((LineSample((), cost=Cost(2, 20, 0.5), notes=("read-before-cut",)),))
    plan = Plan(Regression(cost=Cost(4, 40, 0.5)), [ReproductionTest(index=0, cost=Cost(8, 80, 0.5))])
    candidate = Candidate(
        index=0,
        reason=Reason.NO_EDITS,
        detail="none",
        left_out=("a.py:1-2",),
        cost=Cost(16, 160, 0.5),
        notes=("read-before-cut",),
    )
    asking = Work()
    asking.note(Asked("repair", 0, "k"), Answer("text", "stop", 1, 2, 0.5))
    proposal = Proposal(
        CheckpointConfig(name="a", endpoint="http://localhost/v1"), {}, "model", instance, MemorySnapshot({}), (),
        Localization((), files, lines=lines), [candidate], plan, asking,
    )  # fmt: skip
    verdict = Verdict(instance_id=instance.instance_id, outcome=Outcome.EMPTY_PATCH, phase=Phase.PATCH)
    validation = Validation(plan, plan.reproductions)
    result = proposal.result(Trial(validation, select([candidate], {}), verdict, None))
    attempt = result.attempt
    assert (attempt.prompt_tokens, attempt.completion_tokens, attempt.model_seconds) == (31, 310, 2.5)
    assert attempt.cut_prompt
    assert attempt.read_before_cut == {"lines": 1, "repair": 1}
    trail = json.loads(json.dumps(result.trail))
    assert trail["answers"] == [{"stage": "repair", "index": 0, "key": "k"}]
    for record, tokens in (
        (trail["localization"]["files"], 1),
        (trail["validation"]["regression"], 4),
        (trail["validation"]["reproduction"][0], 8),
        (trail["candidates"][0], 16),
    ):
        assert record.keys() >= COLUMNS
        assert "cost" not in record
        assert record["prompt_tokens"] == tokens
    assert trail["localization"]["lines"]["samples"][0]["cost"].keys() == COLUMNS
