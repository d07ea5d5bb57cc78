"""The gate that runs its candidate: how far it goes, what it refuses, and that the order of results changes nothing."""

import asyncio
import json
import random
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

sys.path.append(str(Path(__file__).parents[1] / "compare"))
from finished_runs import among, result, write_run
from pages import ROOT, wrong_command

from harness.cli import app
from harness.config.schema import RunConfig
from harness.core.verdict import Outcome
from harness.dataset.instances import dataset_key
from harness.errors import InfrastructureError, InputError
from harness.pipeline import gate_run as module
from harness.pipeline.gate_run import Question, gate_run
from harness.statistics.requirement import parse_requirement

REQUIREMENT = "resolve_rate >= -5pp @ 95%"
COUNT = 200


@pytest.fixture
def make(tmp_path, row, monkeypatch):
    """A run file whose candidate ends as a function says; what a run does between is taken from that function."""
    rows = tmp_path / "rows.jsonl"
    names = [result("x", None, number, Outcome.RESOLVED).attempt.instance_id for number in range(COUNT)]
    rows.write_text("".join(json.dumps(row(instance_id=name)) + "\n" for name in names))
    recorded = tmp_path / "told.jsonl"
    recorded.write_text(json.dumps({"instance_id": names[0], "stage": "repair", "text": ""}) + "\n")
    config = RunConfig.model_validate(
        {
            "dataset": {"path": str(rows)},
            "checkpoints": [{"name": "new", "answers": str(recorded)}],
            "conditions": ["gt-location", "gt-file"],
            "output": str(tmp_path / "out"),
        }
    )
    instances = module.load_instances(str(rows))
    settings = {**config.model_dump(mode="json")}
    settings = {key: value for key, value in settings.items() if key not in ("checkpoints", "output")}
    base = write_run(tmp_path / "base", {"old": among(*range(0, COUNT, 2))}, COUNT, settings, dataset_key(instances))
    begun = []

    def run_with(ending, late=0):
        def run_pipeline(_, pace):
            numbers = {name: number for number, name in enumerate(names)}

            async def all_of_it():
                waiting = []
                for place, instance in enumerate(pace.order(instances)):
                    if not (late and waiting) and not await asyncio.wait_for(pace.may_begin(place), 5):
                        break
                    begun.append(instance.instance_id)
                    number = numbers[instance.instance_id]
                    for condition in config.conditions:
                        waiting.append(result("new", condition, number, ending(number)))
                    if len(waiting) > late:
                        random.Random(place).shuffle(waiting)
                        while waiting:
                            pace.ended(waiting.pop())
                for one in waiting:
                    pace.ended(one)

            asyncio.run(all_of_it())

        monkeypatch.setattr(module, "run_pipeline", run_pipeline)

    def gate(ending, *texts, **more):
        run_with(ending)
        output = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        return gate_run(
            config.model_copy(update={"output": output}), Question(str(base), texts or (REQUIREMENT,)), **more
        )

    gate.config, gate.base, gate.begun, gate.run_with = config, base, begun, run_with
    return gate


def test_it_stops_as_soon_as_it_is_decided_and_says_how_far_it_went(make):
    found = make(among(), seed=1)
    assert found.exit_status == 1
    assert len(make.begun) < 100
    assert found.order == f"seed 1; {len(make.begun)} of {COUNT} instances run"
    [judged] = found.judged
    assert (judged.comparison.seen.total, judged.comparison.seen.second_rate) == (COUNT, 0.0)
    assert judged.comparison.bounds.high < -0.05
    assert judged.why == f"decided after {len(make.begun)} of {COUNT} instances"


def test_the_four_endings_from_python(make, tmp_path):
    assert make(lambda n: Outcome.RESOLVED, seed=1).exit_status == 0
    assert make(among(), seed=1).exit_status == 1
    open_ = make(among(*range(1, COUNT, 2)), seed=1)
    assert (open_.exit_status, len(make.begun) > COUNT) == (3, True)
    assert "all 200 instances leave it open" in open_.judged[0].why
    elsewhere = make.config.model_copy(update={"sampling": make.config.sampling.model_copy(update={"samples": 9})})
    with pytest.raises(InputError, match=r"sampling\.samples is 4, then 9"):
        gate_run(elsewhere, Question(str(make.base), (REQUIREMENT,)))


def test_one_broken_requirement_ends_it_and_an_open_one_keeps_it_going(make):
    found = make(among(*range(1, COUNT, 2)), "empty_rate <= 5pp @ 95%", REQUIREMENT, seed=2)
    assert [one.decision.value for one in found.judged] == ["holds", "not-decided"]
    assert found.exit_status == 3
    found = make(lambda n: Outcome.EMPTY_PATCH, REQUIREMENT, "empty_rate <= 5pp @ 95%", seed=2)
    assert found.exit_status == 1


def test_what_the_machine_failed_on_is_no_pass(make):
    equal = among(*range(0, COUNT, 2))
    assert make(equal, "resolve_rate >= -15pp @ 95%", seed=3).exit_status == 0
    failing = make(lambda n: Outcome.INFRASTRUCTURE if n % 4 == 0 else equal(n), "resolve_rate >= -15pp @ 95%", seed=3)
    assert failing.exit_status == 3
    assert failing.judged[0].comparison.seen.ungraded > 0
    with pytest.raises(InfrastructureError, match="the machine failed on every instance that was begun"):
        make(lambda n: Outcome.INFRASTRUCTURE, seed=3)


def test_the_gate_is_fixed_before_its_first_look(make, tmp_path):
    make.run_with(among())
    question = Question(str(make.base), (REQUIREMENT,))
    first = gate_run(make.config, question, seed=7)
    again = gate_run(make.config, question)
    assert (again.order, again.exit_status) == (first.order, first.exit_status)
    for changed, seed, said in (
        (replace(question, requirements=("resolve_rate >= -6pp @ 95%",)), None, "requirements"),
        (replace(question, claim="table"), None, "claim"),
        (question, 8, "seed"),
    ):
        with pytest.raises(InputError, match=rf"the gate changed after it was begun \({said}\)"):
            gate_run(make.config, changed, seed)


def test_results_in_another_order_decide_the_same(make):
    question = Question(str(make.base), (REQUIREMENT,))
    found = []
    for late in (0, 30, 500):
        make.run_with(among(*range(0, 60)), late)
        config = make.config.model_copy(update={"output": make.config.output.with_name(f"late{late}")})
        gate = gate_run(config, question, seed=5)
        found.append((gate.exit_status, gate.judged[0].why, gate.judged[0].comparison.bounds))
    assert found[0] == found[1] == found[2]


def test_the_tables_claim_is_decided_by_its_own_gate(make):
    make.run_with(among())
    found = gate_run(make.config, Question(str(make.base), ("resolve_rate[gt-file] >= -5pp @ 95%",), "table"), seed=1)
    assert (found.exit_status, found.judged[0].comparison.claim) == (1, "table")


def test_the_command_has_its_statuses_and_a_machine_that_fails_is_not_decided(make, tmp_path, monkeypatch):
    run_file = tmp_path / "run.yaml"
    run_file.write_text(json.dumps(make.config.model_dump(mode="json", exclude_none=True)))
    arguments = ["gate", str(run_file), "--against", str(make.base), "--require", REQUIREMENT]
    make.run_with(among())
    junit, summary = tmp_path / "gate.xml", tmp_path / "gate.md"
    done = CliRunner().invoke(app, [*arguments, "--seed", "4", "--junit", str(junit), "--summary", str(summary)])
    assert (done.exit_code, done.stdout.splitlines()[0]) == (1, "# Gate: broken")
    assert "Random order: seed 4; " in summary.read_text()
    assert "<failure" in junit.read_text()
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert (told["exit_status"], told["decision"]) == (1, "broken")

    def fails(*_):
        raise InfrastructureError("no GPU left")

    monkeypatch.setattr(module, "run_pipeline", fails)
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.stdout) == (3, "")
    done = CliRunner().invoke(app, ["gate", str(make.base), *arguments[2:], "--seed", "1"])
    assert isinstance(done.exception, InputError)


def test_the_workflow_is_valid_and_its_command_is_one():
    workflow = yaml.load((ROOT / "examples" / "gate.yml").read_text(), Loader=yaml.BaseLoader)
    assert set(workflow) == {"name", "on", "permissions", "concurrency", "jobs"}
    [job] = workflow["jobs"].values()
    assert all(len({"uses", "run"} & set(step)) == 1 for step in job["steps"])
    command = job["steps"][1]["run"]
    assert wrong_command(command.replace("${{ github.event.pull_request.head.sha }}", "x")) == ""
    requirements = re.findall(r'--require "([^"]+)"', command)
    assert [parse_requirement(text).metric for text in requirements] == ["resolve_rate", "empty_rate"]
