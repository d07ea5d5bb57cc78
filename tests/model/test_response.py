"""Replies of every shape that servers and gateways were seen to send: an answer, or a failure that is tried again."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.interfaces import Answer
from harness.model.answers import read_edits
from harness.model.response import BadReply, read_end, read_json, read_record, read_response
from harness.reading.formats import Format

REPLIES = 2_000
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
TEXT = {"type": "text", "text": "patch"}


def reply(message: Any = None, finish: Any = "stop", usage: Any = USAGE, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "finish_reason": finish, "message": message, **choice}], "usage": usage}


def content(value: Any, **fields: Any) -> dict[str, Any]:
    return reply({"role": "assistant", "content": value, **fields})


@pytest.mark.parametrize(
    ("value", "text", "reasoning"),
    [
        (content("patch"), "patch", ""),
        (content(None), "", ""),
        (content("patch", reasoning="hm"), "patch", "hm"),
        (content("patch", reasoning_content="hm"), "patch", "hm"),
        (content("patch", reasoning=None, reasoning_content="hm"), "patch", "hm"),
        (content("patch", reasoning=[{"type": "text", "text": "hm"}]), "patch", "hm"),
        (content("patch", reasoning={"text": "hm"}), "patch", ""),  # an unknown shape of thinking
        (content("patch", reasoning=1, reasoning_content="hm"), "patch", "hm"),
        (content(None, refusal="I can't."), "I can't.", ""),
        (content([TEXT]), "patch", ""),
        (content([{"type": "text", "text": "pat"}, {"type": "text", "text": "ch"}]), "patch", ""),
        (content([{"type": "thinking", "thinking": "hm"}, TEXT]), "patch", "hm"),  # Anthropic
        (content([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, TEXT]), "patch", "hm"),  # Mistral
        (content([{"type": "reasoning", "text": "hm"}, {"type": "output_text", "text": "patch"}]), "patch", "hm"),
        (content(["pat", "ch"]), "patch", ""),
        (content([{"text": "patch"}]), "patch", ""),
        (content([TEXT, {"type": "image_url", "image_url": {"url": "x"}}, {"type": "file"}]), "patch", ""),
        (content([]), "", ""),
        (content("\ud800 patch"), "\ud800 patch", ""),
        (reply(text="patch"), "patch", ""),  # the completions route
        (reply(delta={"role": "assistant", "content": "patch"}), "patch", ""),  # the piece of a stream that was none
        ({"choices": [None, *content("patch")["choices"]]}, "patch", ""),
        ({"choices": [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]}, "a", ""),
    ],
)
def test_an_answer_is_read_whatever_its_shape(value, text, reasoning):
    answer = read_response(json.loads(json.dumps(value)), 100, 0.5)
    assert (answer.text, answer.reasoning) == (text, reasoning)


EDIT = {"command": "str_replace", "path": "a.py", "old_str": "x = 1\n", "new_str": "x = 2\n"}


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_calls": [{"id": "1", "type": "function", "function": {"name": "edit", "arguments": json.dumps(EDIT)}}]},
        {"tool_calls": [{"function": {"name": "edit", "arguments": EDIT}}]},  # Ollama
        {"tool_calls": {"name": "edit", "parameters": EDIT}},
        {"function_call": {"name": "edit", "arguments": json.dumps(EDIT)}},  # the interface before tools
        {"content": [{"type": "tool_use", "id": "1", "name": "edit", "input": EDIT}]},  # Anthropic
        {"content": "I mend it.", "tool_calls": [{"function": {"name": "edit", "arguments": json.dumps(EDIT)}}]},
    ],
)
def test_calls_of_tools_that_the_server_set_apart_are_the_answer(fields):
    """They were passed over, so that the answer of a model that edits by calls was empty."""
    answer = read_response(reply({"role": "assistant", "content": None, **fields}, "tool_calls"), 100, 0.5)
    assert answer.finish_reason == "stop"
    [edit] = read_edits(answer.text, asked=Format.STR_REPLACE).edits
    assert (edit.path, edit.search, edit.replace) == ("a.py", "x = 1\n", "x = 2\n")
    assert read_record(json.loads(json.dumps(answer.__dict__))) == answer


@pytest.mark.parametrize(
    "calls", [None, [], {}, 1, "edit", [None], [{}], [{"function": None}], [{"function": {"arguments": "{"}}]]
)
def test_what_is_no_call_leaves_the_answer_as_it_is(calls):
    assert read_response(content("patch", tool_calls=calls, function_call=calls), 100, 0.5).text == "patch"


@pytest.mark.parametrize(
    "value",
    [
        None, [], 1, "yes", {}, {"choices": None}, {"choices": []}, {"choices": {}}, {"choices": [None]},
        {"choices": ["yes"]}, reply(None), reply("yes"), reply(["yes"]), {"choices": [{}]}, reply(text=None),
        reply(text=1), content(1), content({"text": "yes"}), content([1]), content([None]), content([[TEXT]]),
        content([{"type": "text", "text": 1}]),
        reply({"content": "ye"}, "error"), reply({"content": "ye"}, "insufficient_system_resource"),
        reply({"content": "ye"}, "abort"), reply({"content": "ye"}, {"type": "abort", "message": "out of memory"}),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_a_failure(value):
    """An answer that the server gave up was read as one that the model had cut."""
    with pytest.raises(BadReply):
        read_response(value, 100, 0.5)


@pytest.mark.parametrize("body", [b"", b" \n", b"<html>busy</html>", b'{"choices": [', b"\xff\xfe\xff", b"[" * 100_000])
def test_an_empty_cut_or_foreign_body_is_a_failure(body):
    with pytest.raises(BadReply) as caught:
        read_json(body)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "7",
        {"prompt_tokens": None},
        {"prompt_tokens": "many"},
        {"prompt_tokens": -1},
        {"x": True},
        {"prompt_tokens": 10**400},
    ],
)
def test_tokens_that_are_not_said_are_none(usage):
    answer = read_response(reply({"content": "yes"}, usage=usage), 100, 0.5)
    assert (answer.prompt_tokens, answer.completion_tokens) == (0, 0)


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("stop", "stop"), ("eos_token", "stop"), ("end_turn", "stop"), ("STOP", "stop"), ({"type": "stop"}, "stop"),
        ("length", "length"), ("max_tokens", "length"), ("MAX_TOKENS", "length"), ({"type": "length"}, "length"),
        ("model_length", "length"), ("SAFETY", "content_filter"), ("sensitive", "content_filter"), ("end", "stop"),
        ("guardrail_intervened", "content_filter"), ("error_limit", "length"),
        ("tool_calls", "stop"), ("tool_use", "stop"), ("a new word", "a new word"), (None, ""), (1, ""), ([], ""),
    ],
)  # fmt: skip
def test_the_ends_of_answers_have_one_word_each(said, end):
    assert read_end(said) == end


@pytest.mark.parametrize("usage", [{"prompt_tokens": 7.0, "completion_tokens": "3"}, {"prompt_tokens": "7"} | {"x": 1}])
def test_tokens_are_numbers_however_they_are_written(usage):
    answer = read_response(reply({"content": "yes"}, usage=usage), 100, 0.5)
    assert (answer.prompt_tokens, answer.completion_tokens) == (7, 3 if "completion_tokens" in usage else 0)


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"\xef\xbb\xbf" + body(content("patch")), "patch"),
        (body(content("patch")).replace(b"patch", b"pat\x01\nch"), "pat\x01\nch"),  # control characters as they are
        (body(content("patch")).replace(b"patch", b"patch\xe2\x82"), "patch\ufffd"),  # ends within a character
        (body(content("no"))[:-1] + b', "choices": ' + body(content("patch")["choices"]) + b"}", "patch"),
        (body(content("patch") | {"created": float("nan")}), "patch"),
        (json.dumps(content("patch")).encode("utf-16"), "patch"),
    ],
)
def test_an_answer_is_read_however_its_bytes_are_written(sent, text):
    assert read_response(read_json(sent), 100, 0.5).text == text


def stream(*events: Any, end: str = "data: [DONE]\n\n") -> bytes:
    lines = [event if isinstance(event, str) else f"data: {json.dumps(event)}" for event in events]
    return ("".join(f"{line}\n\n" for line in lines) + end).encode()


def piece(finish: Any = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


CALLS = [{"index": 0, "function": {"name": "edit", "arguments": json.dumps(EDIT)[:20]}}]
REST = [{"index": 0, "function": {"arguments": json.dumps(EDIT)[20:]}}]


@pytest.mark.parametrize(
    ("sent", "text", "reasoning"),
    [
        (stream(piece(role="assistant"), piece(content="pat"), piece(content="ch"), piece("stop")), "patch", ""),
        (stream(": alive", piece(reasoning_content="h"), piece(reasoning_content="m"), piece("stop", content="patch")),
         "patch", "hm"),
        (stream(piece(content=[{"type": "thinking", "thinking": "hm"}]), piece("stop", content="yes")), "yes", "hm"),
        (stream({"choices": [{"text": "pat"}]}, {"choices": [{"text": "ch", "finish_reason": "stop"}]}), "patch", ""),
        (stream(piece("stop", content="patch"), {"choices": [], "usage": USAGE}, end=""), "patch", ""),
        (stream({"choices": [{"index": 1, "delta": {"content": "b"}}]}, piece("stop", content="a")), "a", ""),
        (stream(piece("stop", content="patch")).replace(b"\n", b"\r\n").replace(b"data: ", b"data:"), "patch", ""),
        (b"event: message\n" + stream(piece("stop", content="a\u2028b")), "a\u2028b", ""),
    ],
)  # fmt: skip
def test_an_answer_that_was_streamed_unasked_is_put_together(sent, text, reasoning):
    answer = read_response(read_json(sent), 100, 0.5)
    assert (answer.text, answer.reasoning, answer.finish_reason) == (text, reasoning, "stop")


def test_a_call_that_was_streamed_is_put_together():
    value = read_json(stream(piece(tool_calls=CALLS), piece(tool_calls=REST), piece("tool_calls")))
    [edit] = read_edits(read_response(value, 100, 0.5).text, asked=Format.STR_REPLACE).edits
    assert (edit.path, edit.search, edit.replace) == ("a.py", "x = 1\n", "x = 2\n")


def test_tokens_of_a_stream_are_those_it_ends_with():
    answer = read_response(read_json(stream(piece("stop", content="patch"), {"choices": [], "usage": USAGE})), 100, 0.5)
    assert (answer.prompt_tokens, answer.completion_tokens) == (7, 3)


def test_an_error_in_a_stream_is_the_reply():
    assert read_json(stream(piece(content="pa"), {"error": {"message": "no"}})) == {"error": {"message": "no"}}


@pytest.mark.parametrize("sent", [stream(piece(content="pa"), end=""), stream(end='data: {"choices": ['), b"data:"])
def test_a_stream_that_is_cut_is_a_failure(sent):
    with pytest.raises(BadReply, match="stream that is cut"):
        read_json(sent)


@pytest.mark.parametrize(("word", "cut"), [("a new word", True), (None, True), ("stop", False), ("length", True)])
def test_an_unknown_end_at_the_length_limit_is_a_cut(word, cut):
    assert read_response(reply({"content": "yes"}, word), max_tokens=3, seconds=0.5).cut is cut


@pytest.mark.parametrize(
    ("record", "answer"),
    [
        ({"text": [TEXT], "finish_reason": "stop", "seconds": 1}, Answer("patch", "stop", 0, 0, 1.0)),
        ({"text": "yes", "prompt_tokens": None, "reasoning": None}, Answer("yes", "", 0, 0, 0.0)),
        ({"text": {"x": 1}}, None),
        ({"text": "yes", "reasoning": {"x": 1}}, Answer("yes", "", 0, 0, 0.0)),
        (None, None),
        ("yes", None),
    ],
)
def test_a_record_that_should_not_have_been_kept_is_read_or_none(record, answer):
    assert read_record(record) == answer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["choices", "message", "content", "text", "type", "usage", "finish_reason", "index", "error"]),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_a_value_is_an_answer_that_reads_again_or_a_bad_reply(value):
    answer = read_or_refused(value)
    if answer is not None:
        assert read_record(json.loads(json.dumps(answer.__dict__))) == answer


def read_or_refused(value: Any) -> Answer | None:
    try:
        return read_response(value, 100, 0.5)
    except BadReply:
        return None


def test_of_two_thousand_damaged_replies_each_is_an_answer_or_a_failure_and_every_answer_reads_again(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    from parts.malformed_replies import measure_replies

    outcomes, problems = measure_replies(REPLIES)
    assert problems == []
    assert outcomes.total() == REPLIES
    assert all(outcomes[kind] > REPLIES // 100 for kind in ("answer", "BadReply", "ContextOverflow", "InputError"))
