"""The gate on real runs: each of its four endings, from the command line and from Python.

Real images and containers; the answers are recorded, each what a model could have said. A gate takes fifty instances:
each of the built ones stands there under several ids, whose equal patches are tested once.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from answering_stub import edit_answer

import harness
from harness.build.build_instances import build_instances
from harness.errors import InputError
from harness.miniature.generate import generate

pytestmark = pytest.mark.docker

BUILT, TWINS = 4, 13
COUNT = BUILT * TWINS
REQUIREMENT = "resolve_rate >= -5pp @ 95%"
ANSWERED = {  # checkpoint -> which instances it mends
    "good": range(COUNT),
    "bad": range(0),
    "odd": range(1, COUNT, 2),
    "even": range(0, COUNT, 2),
}


@pytest.fixture(scope="module")
def runs(docker_client, tmp_path_factory) -> Path:
    """Run files, and the results of two: four checkpoints on all instances, and one of them on two."""
    folder = tmp_path_factory.mktemp("gate")
    made = generate(folder, seed=0, count=BUILT)
    build_instances(str(made.rows), recipes=made.recipes, rows=folder / "built.jsonl")
    built = [json.loads(line) for line in (folder / "built.jsonl").read_text().splitlines()]
    twins = [{**row, "instance_id": f"{row['instance_id']}{twin:02}"} for twin in range(TWINS) for row in built]
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in twins))
    for name, mended in ANSWERED.items():
        lines = (
            {"instance_id": row["instance_id"], "stage": "repair", "sample": 0, "text": edit_answer(row, n in mended)}
            for n, row in enumerate(twins)
        )
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write(folder, "all", list(ANSWERED))
    write(folder, "few", ["good"], dataset={"path": str(rows), "limit": 2})
    for name in ("good", "bad", "even"):
        write(folder, f"new-{name}", [name])
    for name in ("all", "few"):
        done = command(folder, "run", f"{name}.yaml")
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def write(folder: Path, name: str, checkpoints: list[str], **changes: object) -> None:
    document = {
        "dataset": {"path": str(folder / "rows.jsonl")},
        "checkpoints": [{"name": one, "answers": str(folder / f"{one}.jsonl")} for one in checkpoints],
        "conditions": ["gt-file"],
        "prompts": "compact",
        "sampling": {"samples": 1},
        "evaluation": {"timeout": 60, "memory": 512, "workers": 2, "control": False},
        "output": str(folder / f"results-{name}"),
        **changes,
    }
    (folder / f"{name}.yaml").write_text(json.dumps(document))


def command(folder: Path, *args: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "harness.cli", *args]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)


ENDINGS = [
    ("results-all:good", "results-all:bad", 0, "holds"),
    ("results-all:bad", "results-all:good", 1, "broken"),
    ("results-few:good", "results-all:good", 2, "other instances"),
    ("results-all:even", "results-all:odd", 3, "not decided"),
]


@pytest.mark.parametrize(("candidate", "against", "status", "said"), ENDINGS)
def test_each_ending_of_finished_results_on_the_command_line(runs, candidate, against, status, said) -> None:
    done = command(runs, "gate", candidate, "--against", against, "--require", REQUIREMENT, "--junit", "gate.xml")
    assert done.returncode == status, done.stdout + done.stderr
    assert said in (done.stdout + done.stderr).lower()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("candidate", "against", "status", "said"), ENDINGS)
def test_each_ending_of_finished_results_from_python(runs, candidate, against, status, said) -> None:
    names = (str(runs / candidate), str(runs / against), [REQUIREMENT])
    if status == 2:
        with pytest.raises(InputError, match=said):
            harness.gate(*names)
    else:
        assert harness.gate(*names).exit_status == status


RUN = [("new-good", "bad", 0), ("new-bad", "good", 1), ("new-even", "odd", 3)]


@pytest.mark.parametrize(("run_file", "against", "status"), RUN)
def test_each_ending_of_a_run_file_that_the_gate_runs_itself(runs, run_file, against, status) -> None:
    baseline = f"results-all:{against}"
    done = command(runs, "gate", f"{run_file}.yaml", "--against", baseline, "--require", REQUIREMENT, "--seed", "1")
    assert done.returncode == status, done.stdout + done.stderr
    assert f"of {COUNT} instances run" in done.stdout
    again = harness.gate(runs / f"{run_file}.yaml", runs / baseline, [REQUIREMENT], seed=1)
    assert again.exit_status == status


def test_a_run_file_of_other_settings_can_not_be_compared(runs) -> None:
    overrides = ["sampling.samples=2", f"output={runs / 'other'}"]
    args = ("gate", "new-good.yaml", "--against", "results-all:bad", "--require", REQUIREMENT)
    done = command(runs, *args, *overrides)
    assert done.returncode == 2
    assert "sampling.samples is 1, then 2" in done.stderr.replace("\n", " ")
    with pytest.raises(InputError, match=r"sampling\.samples is 1, then 2"):
        harness.gate(runs / "new-good.yaml", runs / "results-all:bad", [REQUIREMENT], overrides=overrides)
