"""Answers that are looked up: in a run's own journal, and in lines written by hand."""

import json

import pytest
from fake_openai import FakeOpenAI, completion

from harness.common.hashing import content_key
from harness.common.journal import Journal
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Answer, ContextOverflow, Sampling
from harness.errors import InputError
from harness.miniature.checkpoints import write_random_checkpoint
from harness.model.checkpoint import checkpoint_revision
from harness.model.client import open_model
from harness.model.prompts import Prompt
from harness.model.recorded import RecordedModel, Recording, question

SERVING = ServingConfig(args=("--enforce-eager",))
SAMPLING = Sampling(temperature=0.5, max_tokens=10, seed=3)
LINE = {"instance_id": "a__b-1", "stage": "repair", "sample": 0, "text": "first"}


def written(tmp_path, *lines, name="answers.jsonl"):
    path = tmp_path / name
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def recorded(file, **options) -> RecordedModel:
    return RecordedModel(CheckpointConfig(name="told", answers=file, **options), SERVING)


async def journaled(tmp_path, name="journal.jsonl", text="yes", **options):
    """The journal of a run that asked a fake endpoint two samples of one prompt."""
    journal = Journal(tmp_path / name)
    reply = completion(text, prompt=7, tokens=1, reasoning="hmm")
    async with FakeOpenAI(reply).running() as fake:
        config = CheckpointConfig(name="tiny", endpoint=fake.base_url, **options)
        async with open_model(config, ServingConfig(), 4, tmp_path, journal) as model:
            answers = [await model.answer("why?", SAMPLING, index) for index in (0, 1)]
    journal.close()
    return journal.path, answers


async def test_a_journal_answers_what_it_was_asked(tmp_path):
    path, answers = await journaled(tmp_path)
    model = recorded(path)
    found = [await model.answer("why?", SAMPLING, index) for index in (0, 1)]
    assert (found, [answer.known for answer in found]) == (answers, [True, True])
    assert [answer.key for answer in found] == [answer.key for answer in answers]
    assert answers[0].reasoning == "hmm"
    assert model.missing == []


@pytest.mark.parametrize(
    ("prompt", "sampling", "index"),
    [
        ("why not?", SAMPLING, 0),
        ("why?", SAMPLING, 2),
        ("why?", SAMPLING.model_copy(update={"temperature": 0.0}), 0),
        ("why?", SAMPLING.model_copy(update={"seed": 4}), 0),
    ],
)
async def test_any_other_question_has_no_answer_and_is_named(tmp_path, caplog, prompt, sampling, index):
    path, _ = await journaled(tmp_path)
    model = recorded(path)
    answer = await model.about("a__b-1").answer(Prompt(prompt, "repair"), sampling, index)
    assert (answer.text, answer.finish_reason, answer.known) == ("", "not-recorded", True)
    assert f"instance a__b-1, stage repair, sample {index}" in caplog.text
    assert len(model.missing) == 1


async def test_many_missing_answers_are_not_all_told(tmp_path, caplog):
    model = recorded(written(tmp_path, LINE)).about("a__b-2")
    for index in range(20):
        await model.answer(Prompt("x", "repair"), SAMPLING, index)
    assert len(caplog.records) == 6
    assert len(model.missing) == 20


async def test_of_several_revisions_one_has_to_be_named(tmp_path):
    first, _ = await journaled(tmp_path, "a.jsonl", "one", revision="r1")
    second, _ = await journaled(tmp_path, "b.jsonl", "two", revision="r2")
    both = tmp_path / "both.jsonl"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(InputError, match="holds answers of tiny@r1, tiny@r2; name one"):
        recorded(both)
    with pytest.raises(InputError, match="no answers of revision r1, but of tiny@r1"):
        recorded(both, revision="r1")
    assert (await recorded(both, revision="tiny@r2").answer("why?", SAMPLING, 0)).text == "two"


async def test_written_answers_are_found_by_instance_stage_and_sample(tmp_path):
    lines = [LINE, LINE | {"sample": 1, "text": "second", "reasoning": "hm", "finish_reason": "length"}]
    model = recorded(written(tmp_path, *lines, LINE | {"stage": "localize_files", "text": "a.py"}))
    here = model.about("a__b-1")
    assert (await here.answer(Prompt("any", "repair"), SAMPLING, 0)).text == "first"
    assert await here.answer(Prompt("other", "repair"), SAMPLING, 1) == Answer("second", "length", 0, 0, 0.0, "hm")
    assert (await here.answer(Prompt("any", "localize_files"), SAMPLING, 0)).text == "a.py"
    for other, prompt in ((model, Prompt("any", "repair")), (model.about("a__b-2"), Prompt("any", "repair"))):
        assert (await other.answer(prompt, SAMPLING, 0)).finish_reason == "not-recorded"
    assert len(model.missing) == 2


async def test_another_recording_is_another_revision(tmp_path):
    first, second = written(tmp_path, LINE, name="a"), written(tmp_path, LINE | {"text": "x"}, name="b")
    assert recorded(first).revision != recorded(second).revision
    assert recorded(first).revision == recorded(written(tmp_path, LINE, name="c")).revision


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"instance_id": "a"}', "line 2 is no recorded answer: .*stage"),
        ('{"instance_id": "", "stage": "repair", "text": ""}', "line 2 is no recorded answer: .*instance_id"),
        (json.dumps(LINE), "line 2: a second answer for instance a__b-1, stage repair, sample 0"),
        (json.dumps(LINE | {"colour": 1}), "line 2 is no recorded answer: .*colour"),
        ('{"kind": "answer", "key": "k", "revision": "r"}', "line 2 is no recorded answer: 'answer'"),
        ("[]", "line 2 is not an object"),
        ("{", "line 2 is not JSON"),
    ],
)
def test_a_line_that_is_no_answer_is_the_users_error(tmp_path, line, message):
    path = tmp_path / "answers.jsonl"
    path.write_text(f"{json.dumps(LINE)}\n{line}\n{json.dumps(LINE | {'sample': 9})}\n")
    with pytest.raises(InputError, match=message):
        Recording(path)


def test_a_torn_last_line_is_left_out(tmp_path, caplog):
    path = written(tmp_path, LINE)
    path.write_text(f"{path.read_text()}\n" + '{"instance_id": "a')
    assert len(Recording(path).written) == 1
    assert "torn last line of 18 bytes" in caplog.text


async def test_a_path_measures_prompts_as_the_checkpoint_would(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "checkpoint"
    write_random_checkpoint(folder, seed=1)
    args = ("--max-model-len=64",)
    model = recorded(written(tmp_path, LINE), path=folder, server_args=args)
    assert await model.context_length() == 64
    assert checkpoint_revision(folder, (*SERVING.args, *args)) in model.revision
    with pytest.raises(ContextOverflow):
        await model.answer("word " * 100, SAMPLING, 0)
    assert await recorded(written(tmp_path, LINE), server_args=("--max-model-len=4k",)).context_length() == 4000


def test_a_checkpoint_has_one_source(tmp_path):
    for sources in (
        {},
        {"endpoint": "http://x/v1", "answers": tmp_path},
        {"endpoint": "http://x/v1", "path": tmp_path},
    ):
        with pytest.raises(ValueError, match="give either a path or an endpoint, or recorded answers"):
            CheckpointConfig(name="x", **sources)


@pytest.mark.parametrize(
    ("sampling", "index", "key"),
    [
        (Sampling(temperature=0.5, top_p=0.9, max_tokens=10, seed=40), 2, "1329803ddb87629adc45bf8698420d49"),
        (Sampling(temperature=0.0), 0, "f387f3ab571b27f9c90b3cf0c43c02c1"),
    ],
)
def test_the_keys_of_answers_stay_what_they_were(sampling, index, key):
    """Another key would ask again for every answer of a run that was made before."""
    assert content_key(**question("tiny@1", "why?", sampling, index)) == key


async def test_a_run_that_kept_a_reply_which_is_no_answer_is_still_a_recording(tmp_path, caplog):
    """Earlier versions kept whatever a server sent; the record that was made later for the same key counts."""
    key = content_key(**question("r", "why?", SAMPLING, 0))
    good = {"text": "yes", "finish_reason": "stop", "prompt_tokens": 1, "completion_tokens": 1, "seconds": 0.1}
    lines = [
        {"kind": "answer", "key": key, "revision": "r", "answer": good | {"text": {"value": "x"}}},
        {"kind": "answer", "key": key, "revision": "r", "answer": good},
        {"kind": "answer", "key": "other", "revision": "r", "answer": good | {"finish_reason": [1], "text": [1]}},
    ]
    recording = Recording(written(tmp_path, *lines))
    assert recording.asked[key].text == "yes"
    assert "left out the record other" in caplog.text
