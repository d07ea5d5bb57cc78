"""Validation in real containers: candidates of a miniature instance whose outcome is known beforehand."""

import asyncio
import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from answering_stub import reproduction
from doubles import ScriptedModel

from harness.common.paths import cache_folder
from harness.common.run_folder import RunFolder
from harness.config.load import load_run_file
from harness.config.schema import EvaluationConfig, RegressionConfig, ReproductionConfig, ValidationConfig
from harness.core.candidate import Candidate
from harness.core.instance import Instance
from harness.core.interfaces import Snapshot
from harness.core.location import Location
from harness.dataset.instances import load_instances
from harness.grading.scripts import CommandRun, Script
from harness.grading.session import Session, evaluation_session
from harness.model.prompts import Prompts
from harness.pipeline.executors import open_executor
from harness.pipeline.run import run_pipeline
from harness.repo.diff import Replacement, change_patch, parse_patch, split_lines
from harness.repo.snapshot import open_repository
from harness.validate.check import Validation, plan_validation, validate
from harness.validate.runner import Bench
from harness.validate.select import Pool, select
from harness.validate.suite import program_script

pytestmark = pytest.mark.docker

CONFIG = ValidationConfig(
    regression=RegressionConfig(enabled=True, files=1),
    reproduction=ReproductionConfig(samples=4, greedy=False, tests=2),
)
EVALUATION = EvaluationConfig(timeout=60, memory=512, workers=2)
CLUELESS = "print('Issue resolved')  # and never Issue reproduced\n"


def candidates(instance: Instance, snapshot: Snapshot) -> list[Candidate]:
    """Two that change nothing that matters, the right one, one that mends the issue and breaks the rest, and one
    that does not apply."""
    [gold] = parse_patch(instance.patch)
    lines = split_lines(snapshot.read(gold.path))
    [(first, removed)] = gold.hunks[0].changed()
    mended = tuple(f"{line[1:]}\n".encode() for line in gold.hunks[0].lines if line.startswith("+"))
    fix = Replacement(first - 1, first - 1 + removed, mended)
    reported = set(re.findall(r"assert (\w+)\(", instance.test_patch.split("+def test", 1)[1]))
    others = set(re.findall(r"^def (\w+)", snapshot.read(gold.path).decode(), re.MULTILINE)) - reported
    broken = Replacement(len(lines), len(lines), tuple(f"{name} = None\n".encode() for name in sorted(others)))
    idle = Replacement(len(lines), len(lines), (b"UNUSED = 1\n",))
    patches = [
        change_patch(gold.path, lines, [idle]),
        change_patch(gold.path, lines, [idle]),
        change_patch(gold.path, lines, [fix]),
        change_patch(gold.path, lines, [fix, broken]),
        change_patch("gone.py", [b"1\n"], [Replacement(0, 1, (b"2\n",))]),
    ]
    return [Candidate(index=index, patch=patch, vote=patch) for index, patch in enumerate(patches)]


class Writer(ScriptedModel):
    """Strikes out no test; writes two good scripts, one that never shows the issue, and one that is none."""

    def __init__(self, instance: Instance) -> None:
        super().__init__([])
        good = f"```python\n{reproduction(instance.model_dump())}```"
        self._scripts = [good, f"```python\n{CLUELESS}```", good, "I can't say."]

    async def answer(self, prompt, sampling, index):
        self._answers = self._scripts if "python" in prompt else ["none"]
        return await super().answer(prompt, sampling, index)


async def try_out(session: Session, instance: Instance, snapshot: Snapshot) -> Validation:
    async def run(script: Script, patch: str) -> CommandRun:
        return await asyncio.wrap_future(session.submit_script(instance, script, patch))

    bench = Bench(session.testbeds[instance.instance_id], run)
    locations = [Location(parse_patch(instance.patch)[0].path)]
    plan = await plan_validation(Writer(instance), Prompts("compact"), CONFIG, bench, snapshot, locations)
    return await validate(plan, CONFIG, bench, candidates(instance, snapshot))


async def test_the_right_candidate_is_told_from_the_others(miniature_rows, tmp_path) -> None:
    instance = load_instances(str(miniature_rows))[0]
    with (
        open_repository(cache_folder()) as repository,
        RunFolder(tmp_path / "run") as folder,
        open_executor(EVALUATION, tmp_path / "run") as executor,
        evaluation_session([instance], EVALUATION, folder, executor) as session,
    ):
        snapshot = repository.snapshot(instance)
        validation = await try_out(session, instance, snapshot)
        regression = validation.plan.regression
        assert set(regression.tests) == set(instance.pass_to_pass), regression
        assert not set(regression.tests) & set(instance.fail_to_pass)
        assert [test.reason for test in validation.reproductions] == [None, "not-reproduced", None, "no-script"]
        assert validation.chosen == (0,)
        every = len(regression.tests)
        checks = {index: (check.failures, sorted(check.turned)) for index, check in validation.checks.items()}
        assert checks[0] == checks[1] == (0, [])
        assert checks[2] == (0, [0])
        assert (checks[3][0] > 0, checks[3][1]) == (True, [0])
        assert checks[4] == (every, [])
        assert not any(check.untried for check in validation.checks.values())
        selection = select(candidates(instance, snapshot), validation.checks)
        assert (selection.candidate.index, selection.pool) == (2, Pool.BOTH)
        assert select(candidates(instance, snapshot)).candidate.index == 0, "the vote alone would have taken another"
        assert session.submit(instance, selection.patch).result().resolved
        runs = len(list(folder.command_logs.iterdir()))
        # base: tests, two scripts; four distinct patches: tests and one script each
        assert runs == 3 + 2 * 4
        assert await try_out(session, instance, snapshot) == validation
        assert len(list(folder.command_logs.iterdir())) == runs, "nothing is run again"


def test_nothing_of_the_hidden_tests_comes_into_a_container(miniature_rows, tmp_path) -> None:
    """All that a script of the model's could read there: the tests of the base state, and the script itself."""
    instance = load_instances(str(miniature_rows))[0]
    hidden = re.findall(r"^\+def (\w+)", instance.test_patch, re.MULTILINE)
    with (
        RunFolder(tmp_path / "run") as folder,
        open_executor(EVALUATION, tmp_path / "run") as executor,
        evaluation_session([instance], EVALUATION, folder, executor) as session,
    ):
        testbed = session.testbeds[instance.instance_id]
        assert hidden[0] in testbed.specification.script
        script = program_script(testbed, "cat /testbed/tests/*.py /harness/*; git status -s", {})
        output = session.submit_script(instance, script, "").result().output
    assert "def test_" in output
    assert not [name for name in hidden if name in output]


@pytest.fixture
def stub(miniature_rows: Path, tmp_path: Path) -> Iterator[str]:
    """URL of the stand-in model."""
    counted = tmp_path / "counted"
    counted.touch()
    script = Path(__file__).with_name("answering_stub.py")
    command = [sys.executable, str(script), str(miniature_rows), str(counted)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        process.kill()


@pytest.mark.parametrize("preset", ["agentless-1.5", "agentless-mini", "qwen3-coder-next"])
def test_a_preset_runs_through_the_whole_pipeline_and_scores_its_stages(miniature_rows, stub, tmp_path, preset) -> None:
    path = tmp_path / "run.yaml"
    document = {
        "preset": preset,
        "dataset": {"path": str(miniature_rows)},
        "checkpoints": [{"name": "stub", "endpoint": stub}],
        "conditions": ["model"],
        "prompts": "compact",
        "sampling": {"samples": 4, "repair": {"max_tokens": 256}},
        "evaluation": EVALUATION.model_dump(include={"timeout", "memory", "workers"}),
        "evaluate_candidates": True,
        "output": str(tmp_path / "out"),
    }
    validated = preset != "qwen3-coder-next"
    if validated:
        document["validation"] = {"reproduction": {"samples": 2, "sampling": {"max_tokens": 256}}}
    path.write_text(json.dumps(document))
    [row] = run_pipeline(load_run_file(path))
    assert (row.instances, row.resolved) == (3, 2)
    with (tmp_path / "out" / "stages.csv").open() as table:
        scores = {line["score"]: float(line["value"]) for line in csv.DictReader(table)}
    # the stand-in localizes the gold file; half of its candidates mend two of three instances, the others are empty
    assert scores["file_recall@1"] == scores["file_precision@1"] == scores["element_recall@1"] == 1.0
    assert scores["pass@1"] == pytest.approx(2 / 3 / 2)
    assert scores["oracle"] == scores["selected"] == scores["pass@4"] == pytest.approx(2 / 3)
    pools = {name: value for name, value in scores.items() if name.startswith("voted_on_")}
    turned = {"voted_on_both": pytest.approx(2 / 3), "voted_on_regression": pytest.approx(1 / 3)}
    assert pools == (turned if validated else {"voted_on_all": 1.0})
    assert "Scores of the stages:" in (tmp_path / "out" / "table.md").read_text()
    trail = (tmp_path / "out" / "checkpoints" / "stub" / "model" / "trail.jsonl").read_text().splitlines()
    assert all(bool(json.loads(line)["validation"]["regression"]) is validated for line in trail)
