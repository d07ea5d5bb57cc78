"""Validation of candidates whose outcome is known, over a scripted machine."""

from dataclasses import replace

import pytest
from benches import NOT_APPLIED, ScriptedBench, printed
from doubles import ScriptedModel

from harness.config.schema import RegressionConfig, ReproductionConfig, ValidationConfig
from harness.core.candidate import Candidate, Reason
from harness.errors import InputError
from harness.grading.specification import END_MARKER, START_MARKER
from harness.model.prompts import Prompts
from harness.repo.memory_snapshot import MemorySnapshot
from harness.validate.check import Plan, plan_validation, require_validation, validate
from harness.validate.select import Pool, select

CONFIG = ValidationConfig(
    regression=RegressionConfig(enabled=True), reproduction=ReproductionConfig(samples=2, greedy=False)
)
SNAPSHOT = MemorySnapshot({"a.py": b"x = 1\n", "tests/test_a.py": b""})
SCRIPT = "print('Issue reproduced', 'Issue resolved')\n"
CANDIDATES = [
    Candidate(index=0, patch="wrong", vote="w"),
    Candidate(index=1, patch="wrong", vote="w"),
    Candidate(index=2, patch="breaks", vote="b"),
    Candidate(index=3, reason=Reason.NO_MATCH),
    Candidate(index=4, patch="right", vote="r"),
    Candidate(index=5, patch="right with a remark", vote="r"),
    Candidate(index=6, patch="does not apply", vote="n"),
]
PASSED, FAILED = "PASSED tests/test_a.py::old", "FAILED tests/test_a.py::old"
RUNS = {  # patch -> what regression tests and the reproduction test print
    "": (PASSED, "Issue reproduced"),
    "wrong": (PASSED, "Issue reproduced"),
    "breaks": (FAILED, "Issue resolved"),
    "right": (PASSED, "Issue resolved"),
}


def answer(script, patch):
    if patch == "does not apply":
        return NOT_APPLIED
    tests, program = RUNS[patch]
    return printed(program) if script.files else printed(tests, status=int(tests == FAILED))


class TwoStages(ScriptedModel):
    """Scripts where the prompt asks for one, and no test to strike out."""

    async def answer(self, prompt, sampling, index):
        self._answers = [f"```python\n{SCRIPT}```"] * 2 if "python" in prompt else ["none"]
        return await super().answer(prompt, sampling, index)


@pytest.fixture
def scripted(instance) -> ScriptedBench:
    return ScriptedBench(instance, answer)


async def test_the_right_candidate_is_found_among_wrong_ones_that_are_more_frequent(scripted):
    model = TwoStages([])
    plan = await plan_validation(model, Prompts("compact"), CONFIG, scripted.bench, SNAPSHOT, ())
    validation = await validate(plan, CONFIG, scripted.bench, CANDIDATES)
    failures = {index: check.failures for index, check in validation.checks.items()}
    assert failures == {0: 0, 1: 0, 2: 1, 4: 0, 5: 0, 6: 1}
    assert {index for index, check in validation.checks.items() if check.turned} == {2, 4, 5}
    assert validation.chosen == (0,)
    selection = select(CANDIDATES, validation.checks)
    assert (selection.candidate.index, selection.pool) == (4, Pool.BOTH)
    assert len(plan.costs()) == 3
    tried = [patch for _, patch in scripted.runs]
    assert tried.count("wrong") == 2, "once for the regression tests, once for the script; equal patches not again"
    assert "right with a remark" not in tried


async def test_the_trail_is_json_for_a_reader(scripted):
    import json

    plan = await plan_validation(TwoStages([]), Prompts("compact"), CONFIG, scripted.bench, SNAPSHOT, ())
    trail = json.loads(json.dumps((await validate(plan, CONFIG, scripted.bench, CANDIDATES)).trail()))
    assert trail["regression"]["tests"] == ["tests/test_a.py::old"]
    assert trail["checks"]["2"] == {"failures": 1, "turned": [0], "untried": 0}
    assert [test["source"] for test in trail["reproduction"]] == [SCRIPT, SCRIPT]


async def test_a_failing_machine_leaves_the_vote_to_all_and_is_counted(instance):
    broken = ScriptedBench(instance, lambda *_: None)
    plan = await plan_validation(TwoStages([]), Prompts("compact"), CONFIG, broken.bench, SNAPSHOT, ())
    validation = await validate(plan, CONFIG, broken.bench, CANDIDATES)
    assert validation.trail()["regression"]["reason"] == "infrastructure"
    assert [test.reason for test in validation.reproductions] == ["infrastructure", "infrastructure"]
    assert select(CANDIDATES, validation.checks).pool is Pool.ALL


async def test_switched_off_nothing_is_asked_or_run_and_no_prompt_is_needed(scripted, tmp_path):
    config = ValidationConfig()
    model = TwoStages([])
    (tmp_path / "repair.jinja").write_text("{{ issue }}")
    plan = await plan_validation(model, Prompts(str(tmp_path)), config, scripted.bench, SNAPSHOT, ())
    await validate(plan, config, scripted.bench, CANDIDATES)
    assert (plan, model.prompts, scripted.runs) == (Plan(None, []), [], [])


async def test_without_a_patch_nothing_is_run(scripted):
    plan = await plan_validation(TwoStages([]), Prompts("compact"), CONFIG, scripted.bench, SNAPSHOT, ())
    del scripted.runs[:]
    assert (await validate(plan, CONFIG, scripted.bench, [CANDIDATES[3]])).checks == {}
    assert scripted.runs == []


def test_what_validation_needs_is_told_before_anything_runs(instance, scripted):
    testbed = scripted.bench.testbed
    require_validation(CONFIG, {instance.instance_id: testbed})
    script = f"{instance.test_patch}\n: '{START_MARKER}'\n: '{END_MARKER}'"
    plain = replace(testbed, specification=replace(testbed.specification, script=script))
    with pytest.raises(InputError, match=f"{instance.instance_id}: the hidden tests can't be told apart"):
        require_validation(CONFIG, {instance.instance_id: plain})
    require_validation(ValidationConfig(), {instance.instance_id: plain})
