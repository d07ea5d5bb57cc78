"""What a run would do, said without doing it."""

import json

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.common.line_files import stored_lines
from harness.common.run_folder import journal_path
from harness.errors import InputError
from harness.images.disk import GIB
from harness.pipeline.plan import Images, disk_gib, plan, questions
from harness.pipeline.plan_changes import changes
from harness.pipeline.plan_text import plan_text

# without a daemon, the Docker library leaves the socket open with which it looked for one
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
INSTANCES, ATTEMPTS = 2, 6


def checkpoint(name="c", **fields):
    return {"name": name, "server_args": [], **fields}


def one(before, now):
    [change] = changes(before, now)
    return change.key, change.bears_on, change.checkpoint


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"sampling": {"samples": 4}}, {"sampling": {"samples": 8}}, ("sampling.samples", "answers", "")),
        ({"sampling": {"concurrency": 4}}, {"sampling": {"concurrency": 8}}, ("sampling.concurrency", "nothing", "")),
        ({"evaluation": {"timeout": 4}}, {"evaluation": {"timeout": 8}}, ("evaluation.timeout", "evaluations", "")),
        ({"evaluation": {"workers": 4}}, {"evaluation": {"workers": 8}}, ("evaluation.workers", "nothing", "")),
        ({"serving": {"port": 4}}, {"serving": {"port": 8}}, ("serving.port", "nothing", "")),
        ({"serving": {}}, {"serving": {"batch_invariant": True}}, ("serving.batch_invariant", "answers", "")),
    ],
)
def test_a_changed_key_says_what_it_bears_on(before, now, expected):
    assert one(before, now) == expected


def test_arguments_that_can_change_no_answer_bear_on_nothing():
    def arguments(*args):
        return {"checkpoints": [checkpoint("a/b.1", server_args=list(args))], "serving": {"args": ["--seed=1"]}}

    few, more = arguments("--gpu-memory-utilization=0.5"), arguments("--gpu-memory-utilization=0.9")
    assert one(few, more) == ("checkpoints.a/b.1.server_args", "nothing", "a/b.1")
    other = arguments("--dtype=float32")
    assert one(few, other) == ("checkpoints.a/b.1.server_args", "answers", "a/b.1")


def test_an_unchanged_run_file_has_no_changes_and_another_output_is_none():
    assert changes({"output": "a", "prompts": "x"}, {"output": "b", "prompts": "x"}) == []


def test_a_key_that_an_earlier_version_did_not_have_is_no_change_while_it_is_off():
    assert changes({"serving": {}}, {"serving": {"batch_invariant": False, "gpus": None, "args": []}}) == []


@pytest.mark.parametrize(
    ("images", "gib"),
    [
        (Images(None, None), None),
        (Images(3, 0, (), 5.0 * GIB), 0.0),
        (Images(0, 2, ("a", "b")), None),
        (Images(3, 2, ("a", "b"), 0.75 * GIB), 1.5),
    ],
)
def test_the_disk_for_what_is_missing_is_reckoned_by_the_images_that_are_here(images, gib):
    assert disk_gib(images) == gib


def test_a_finished_run_has_nothing_to_do(again):
    found = plan(again.configured(again.folder))
    [only] = found.checkpoints
    assert (only.attempts, only.finished, only.answers_to_ask) == (ATTEMPTS, ATTEMPTS, 0)
    assert only.answers_known > ATTEMPTS
    assert (found.instances, found.evaluations_known, found.evaluations_to_run) == (INSTANCES, ATTEMPTS + INSTANCES, 0)
    assert found.changes == ()
    assert found.expense.prompt_tokens == found.expense.test_seconds == 0


def test_a_new_run_has_all_to_do_and_knows_no_times(again, tmp_path):
    config = again.configured(tmp_path / "new")
    found = plan(config)
    [only] = found.checkpoints
    assert (only.finished, only.answers_known) == (0, 0)
    assert only.answers_to_ask == INSTANCES * sum(questions(config, c) for c in config.conditions) == 2 * (4 + 3 + 3)
    assert found.evaluations_to_run == ATTEMPTS + INSTANCES
    assert found.expense.model_seconds is None
    assert not (tmp_path / "new").exists()


def test_without_an_engine_the_rest_of_the_plan_holds(again, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{again.folder}/none")
    found = plan(again.configured(again.folder))
    assert (found.images, found.instances) == (Images(None, None), INSTANCES)


def test_what_lost_an_answer_is_to_be_asked(again):
    journal = journal_path(again.folder, "answers")
    with journal.open("rb") as file:
        lines = list(stored_lines(journal, file))
    gone = next(line for line in lines if json.loads(line.data).get("condition") == "gt-file")
    data = journal.read_bytes()
    journal.write_bytes(data[: gone.offset] + data[gone.offset + gone.length :])
    [only] = plan(again.configured(again.folder)).checkpoints
    assert 0 < only.attempts - only.finished < ATTEMPTS
    assert only.answers_to_ask > 0


def test_a_changed_key_is_named_with_what_it_asks_anew(again):
    config = again.configured(again.folder, sampling={"samples": 3, "context_lines": 2})
    found = plan(config)
    assert [(c.key, c.before, c.now) for c in found.changes] == [("sampling.context_lines", 10, 2)]
    assert found.checkpoints[0].finished == 0
    assert "changed: sampling.context_lines: 10 -> 2: asked anew, with all that follows\n" in plan_text(found)
    tested = plan(again.configured(again.folder, evaluation={"workers": 2, "timeout": 60}))
    assert tested.evaluations_known == 0
    assert "tested anew, answers stay" in plan_text(tested)


def test_the_plan_writes_nothing(again):
    def state():
        return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in again.folder.rglob("*")}

    before = state()
    plan(again.configured(again.folder))
    assert state() == before


def test_the_command_prints_text_or_json_and_refuses_bad_input(again, tmp_path):
    run_file = tmp_path / "run.json"
    run_file.write_text(again.configured(again.folder).model_dump_json(exclude_defaults=True))
    done = CliRunner().invoke(app, ["plan", str(run_file), "--json"], catch_exceptions=False)
    document = json.loads(done.stdout)
    assert (document["version"], document["instances"]) == (1, INSTANCES)
    said = CliRunner().invoke(app, ["plan", str(run_file)], catch_exceptions=False).stdout
    assert f"c: {ATTEMPTS} of {ATTEMPTS} attempts finished" in said
    with pytest.raises(InputError, match="no such run file"):
        CliRunner().invoke(app, ["plan", str(tmp_path / "none.yaml")], catch_exceptions=False)
