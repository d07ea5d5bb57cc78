"""Finished runs held against each other: what is read, what is refused, and how a gate ends."""

import json
from xml.etree import ElementTree

import pytest
import yaml
from finished_runs import SETTINGS, among, write_ablation_run, write_run
from typer.testing import CliRunner

from harness.cli import app
from harness.compare.compare_command import compare_results, gate_results
from harness.compare.finished import read_arm
from harness.compare.run_comparison import compare_runs
from harness.compare.scores import paired, repository_of
from harness.core.verdict import Outcome
from harness.errors import InputError
from harness.statistics.compare import compare

REQUIREMENT = "resolve_rate >= -5pp @ 95%"
HALF = range(0, 60, 2)


@pytest.fixture
def base(tmp_path):
    return write_run(tmp_path / "base", {"one": among(*HALF)})


def gate(candidate, baseline, *requirements, **options):
    arguments = ["gate", str(candidate), "--against", str(baseline)]
    for text in requirements or (REQUIREMENT,):
        arguments += ["--require", text]
    for name, value in options.items():
        arguments += [f"--{name}", str(value)]
    return CliRunner().invoke(app, arguments)


def test_what_flipped_is_named_with_both_endings(base, tmp_path):
    ended = {0: Outcome.TIMEOUT, 1: Outcome.RESOLVED, 3: Outcome.EMPTY_PATCH, 4: Outcome.INFRASTRUCTURE}
    other = write_run(tmp_path / "new", {"two": lambda n: ended.get(n, among(*HALF)(n))})
    found = compare_runs(read_arm(str(base)), read_arm(str(other)))
    flips = [(f.instance_id, f.kind, f.first, f.second) for f in found.flips if f.condition == "gt-file"]
    assert flips == [
        ("owner__a-0", "broken", "resolved", "timeout"),
        ("owner__b-1", "fixed", "unresolved", "resolved"),
        ("owner__a-4", "not graded", "resolved", "infrastructure"),
        ("owner__b-3", "other reason", "unresolved", "empty-patch"),
    ]
    overall = found.overall.comparison
    assert (overall.seen.instances, overall.seen.ungraded, overall.estimate) == (59, 1, 0.0)
    assert [scope.name for scope in found.conditions] == ["gt-location", "gt-file"]
    assert [scope.name for scope in found.repositories] == ["owner/a", "owner/b"]
    text = compare_results([str(base), str(other)])
    place = other / "checkpoints" / "two" / "gt-file" / "instances" / "owner__a-0" / "patch.diff"
    assert f"timeout [patch](<{place}>) |" in text
    assert "1 outcomes have no grade" in text


def test_one_condition_without_a_grade_moves_an_average_by_its_own_part(tmp_path):
    def ending(checkpoint, condition, number):
        if (checkpoint["name"], condition, number) == ("two", "model", 0):
            return Outcome.INFRASTRUCTURE
        return Outcome.RESOLVED if number < 20 else Outcome.UNRESOLVED

    run = write_ablation_run(tmp_path / "run", [{"name": name, "path": "/w"} for name in ("one", "two")], ending)
    outcomes = paired(read_arm(f"{run}:one"), read_arm(f"{run}:two"), "resolve_rate")
    found = compare(outcomes, "table")
    assert (found.seen.instances, found.seen.ungraded, found.estimate) == (59, 1, 0.0)
    assert found.bounds_ungraded == pytest.approx((-1 / 180, 0.0))
    assert compare(outcomes).bounds_ungraded.low > compare(outcomes).bounds.low - 1 / 60


def test_seeds_are_a_group_and_a_folder_of_several_checkpoints_leaves_a_choice(base, tmp_path):
    endings = {f"fit.seed{seed}": among(*range(20 + seed)) for seed in range(3)}
    many = write_run(tmp_path / "many", {**endings, "else": among()})
    with pytest.raises(InputError, match="holds several checkpoints; write FOLDER:CHECKPOINT with one of else, fit"):
        read_arm(str(many))
    with pytest.raises(InputError, match="an empty name: no such folder"):
        read_arm("")
    with pytest.raises(InputError, match="no checkpoint 'fot'"):
        read_arm(f"{many}:fot")
    arm = read_arm(f"{many}:fit.seed*")
    assert arm.checkpoints == ("fit.seed0", "fit.seed1", "fit.seed2")
    assert compare_runs(arm, arm).overall.comparison.method == "min-f"
    assert compare_runs(read_arm(f"{many}:else"), read_arm(str(base))).overall.comparison.method == "tango"


def test_several_are_held_against_the_first_in_both_forms(base, tmp_path):
    runs = [base, *(write_run(tmp_path / name, {name: among(*numbers)}) for name, numbers in (
        ("two", range(1, 60, 2)), ("three", [*HALF, 1])))]  # fmt: skip
    done = CliRunner().invoke(app, ["compare", *map(str, runs)])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"# 2 against {base}")
    row = next(line for line in done.stdout.splitlines() if line.startswith("| owner__b-1 | gt-file | unresolved"))
    assert row == "| owner__b-1 | gt-file | unresolved | resolved | resolved |"
    told = json.loads(CliRunner().invoke(app, ["compare", "--json", *map(str, runs)]).stdout)
    assert [one["overall"]["estimate"] for one in told["comparisons"]] == [0.0, pytest.approx(1 / 60)]
    flips = told["comparisons"][1]["flips"]
    assert {(flip["instance_id"], flip["change"]) for flip in flips} == {("owner__b-1", "fixed")}
    assert flips[0]["second"]["patch"].endswith("checkpoints/three/gt-location/instances/owner__b-1/patch.diff")
    done = CliRunner().invoke(app, ["compare", str(base)])
    assert isinstance(done.exception, InputError)


def test_a_group_is_named_as_the_table_names_it(tmp_path):
    checkpoints = [{"name": f"x{seed}", "path": "/w", "strategy": "best-fit", "seed": seed} for seed in range(3)]
    folder = write_ablation_run(tmp_path / "run", checkpoints, lambda *_: Outcome.RESOLVED, count=4)
    assert read_arm(f"{folder}:best-fit").checkpoints == ("x0", "x1", "x2")
    with pytest.raises(InputError, match=r"no checkpoint 'best' in .* one of x0, x1, x2"):
        read_arm(f"{folder}:best")


def test_the_four_endings_of_a_gate(base, tmp_path):
    better = write_run(tmp_path / "better", {"two": lambda n: Outcome.RESOLVED})
    worse = write_run(tmp_path / "worse", {"two": among()})
    equal = write_run(tmp_path / "equal", {"two": among(*range(2, 60, 2), 1)})
    shorter = write_run(tmp_path / "shorter", {"two": among()}, count=59)
    for candidate, status, word in ((better, 0, "holds"), (worse, 1, "broken"), (equal, 3, "not decided")):
        done = gate(candidate, base)
        assert (done.exit_code, done.stdout.splitlines()[0]) == (status, f"# Gate: {word}")
        assert gate_results(str(candidate), str(base), [REQUIREMENT]).exit_status == status
    with pytest.raises(InputError, match="1 instances were run under one of the two only"):
        gate_results(str(shorter), str(base), [REQUIREMENT])
    assert gate(equal, base, claim="table").exit_code == 0


def test_one_broken_requirement_breaks_and_one_undecided_is_no_pass(base, tmp_path):
    other = write_run(tmp_path / "new", {"two": lambda n: Outcome.RESOLVED if n % 3 else Outcome.EMPTY_PATCH})
    holds, empty = "resolve_rate[gt-file] >= -5pp @ 90%", "empty_rate <= 5pp @ 95%"
    assert gate(other, base, holds).exit_code == 0
    assert gate(other, base, holds, empty).exit_code == 1
    assert gate(other, base, holds, "empty_rate <= 35pp @ 95%").exit_code == 3
    assert gate(other, base, "similarity >= 0pp @ 95%").exit_code == 1


def test_what_the_machine_failed_on_is_no_pass(base, tmp_path):
    other = write_run(tmp_path / "new", {"two": lambda n: Outcome.INFRASTRUCTURE if n >= 52 else among(*HALF)(n)})
    done = gate(other, base, "resolve_rate >= -8pp @ 95%")
    assert done.exit_code == 3
    assert "could turn it" in done.stdout


def test_files_for_machines_say_the_same(base, tmp_path):
    worse = write_run(tmp_path / "worse", {"two": among()})
    junit, summary = tmp_path / "out" / "gate.xml", tmp_path / "out" / "gate.md"
    done = gate(worse, base, REQUIREMENT, "similarity >= -99pp @ 95%", junit=junit, summary=summary)
    assert summary.read_text() == done.stdout
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0")
    [first, second] = suite.findall("testcase")
    assert first.get("name") == REQUIREMENT
    assert first.find("failure").get("type") == "broken"
    assert list(second) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"dataset": "rows-2"}, "ran on other instances, or on other rows"),
        ({"conditions": ("gt-file",)}, "were run under other conditions"),
        ({"settings": {**SETTINGS, "sampling": {"samples": 8}}}, "sampling.samples is 4, then 8"),
        ({"settings": {**SETTINGS, "evaluation": {"timeout": 9.0}}}, "evaluation.timeout is 60.0, then 9.0"),
    ],
)
def test_runs_that_can_not_be_compared_are_refused(base, tmp_path, change, complaint):
    other = write_run(tmp_path / "new", {"two": among(*HALF)}, **change)
    with pytest.raises(InputError, match=complaint):
        gate_results(str(other), str(base), [REQUIREMENT])


def test_settings_of_the_machine_and_of_the_checkpoint_may_differ(base, tmp_path):
    settings = {**SETTINGS, "evaluation": {"workers": 9, "timeout": 60.0}, "dataset": {"path": "elsewhere.jsonl"}}
    other = write_run(tmp_path / "new", {"two": among(*HALF)}, settings=settings)
    assert gate(other, base, "resolve_rate >= -10pp @ 95%").exit_code == 0
    text = compare_results([str(base), str(other)])
    assert "| checkpoint.path | /weights/one | /weights/two |" in text
    assert "Settings that differ" not in text


def test_damaged_folders_are_one_line(base, tmp_path):
    part = base / "checkpoints" / "one" / "gt-file"
    lines = (part / "verdicts.jsonl").read_text().splitlines()
    for kept, complaint in (
        (lines[:-1], "has no patch, no verdict or no scores"),
        ([*lines, lines[0]], "owner__a-0 comes twice"),
        ([*lines[:-1], lines[-1][:20]], "can't be read"),
    ):
        (part / "verdicts.jsonl").write_text("\n".join(kept) + "\n")
        with pytest.raises(InputError, match=complaint) as error:
            read_arm(str(base))
        assert "\n" not in str(error.value)
    for name, complaint in ((tmp_path / "gone", "no such folder"), (tmp_path, "holds no results")):
        with pytest.raises(InputError, match=complaint):
            read_arm(str(name))
    (part / "verdicts.jsonl").write_text("\n".join(lines) + "\n")
    (base / "frozen.yaml").write_text(yaml.safe_dump([1]))
    with pytest.raises(InputError, match="not what a run froze"):
        read_arm(str(base))


def test_text_of_a_run_stays_on_its_line(base, tmp_path):
    other = write_run(tmp_path / "new", {"two": among(*HALF)})
    part = other / "checkpoints" / "two" / "gt-file" / "verdicts.jsonl"
    rows = [json.loads(line) for line in part.read_text().splitlines()]
    rows[0].update(outcome="timeout", detail="a | b\n\x1b[31m\u2028</script>")
    part.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [line] = [line for line in compare_results([str(base), str(other)]).splitlines() if "timeout" in line]
    assert r"timeout: a \| b [31m </script>" in line.replace("  ", " ")


def test_repositories_are_read_from_ids():
    assert repository_of("scikit-learn__scikit-learn-123") == "scikit-learn/scikit-learn"
    assert repository_of("a__b__c-1") == "a/b__c"
    assert repository_of("plain") == "plain"
