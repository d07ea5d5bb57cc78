"""Further shapes of replies and errors that servers and gateways were seen to send, each with what it means."""

import json

import pytest

from harness.core.interfaces import ContextOverflow
from harness.errors import InfrastructureError, InputError
from harness.model.patience import Passing
from harness.model.refusal import explain
from harness.model.response import BadReply, read_reply

URL = "http://host:8000/v1"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3}


def reply(message: object, finish: object = "stop", **fields: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": USAGE, **fields}


PATCH = reply({"role": "assistant", "content": "patch"})
PACKED = json.dumps(PATCH).encode()
TOKENS = json.dumps({"usage": USAGE, "choices": [{"delta": {"content": "ch"}, "finish_reason": "stop"}]})


@pytest.mark.parametrize(
    "sent",
    [
        b"\n      \n\n" + PACKED,  # OpenRouter, while it waits
        b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" + PACKED,
        reply({"content": "patch"}, {"type": "stop", "matched": 151645}),  # SGLang
        {**PATCH, "usage": {"input_tokens": 7, "output_tokens": 3}},  # Anthropic's names
        {**PATCH, "error": {"message": "", "type": "", "param": "", "code": None}},  # one-api
        {"code": 0, "message": "ok", "data": PATCH},
        {"success": True, "message": "ok", "result": PATCH},
        [PATCH],
        b'data: {"choices":[{"message":{"content":"pa"}}]}\n\ndata: ' + PACKED + b"\n\n",  # DashScope: all so far
        b'{"choices":[{"delta":{"content":"pat"}}]}\n' + TOKENS.encode() + b"\n",
        {"choices": [{"message": {"content": "patch"}, "finishReason": "STOP"}], "usage": USAGE},
        PACKED + b"\ndata: [DONE]\n\n",
        PACKED + b"\n\n[DONE]",
        {"statusCode": 200, "body": PACKED.decode()},  # AWS API Gateway
        {"choices": [{"text": "patch", "message": {"content": None}, "finish_reason": "stop"}], "usage": USAGE},
        {"choices": [{"message": {"content": "patch"}, "native_finish_reason": "STOP"}], "usage": USAGE},
        reply({"content": [{"type": "reasoning", "summary": []}, {"type": "text", "text": "patch"}]}),
        reply({"content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "patch"}]}),
    ],
)
def test_an_answer_is_read_whatever_a_gateway_puts_around_it(sent):
    answer = read_reply(URL, sent if isinstance(sent, bytes) else json.dumps(sent).encode(), 100, 0.5)
    assert (answer.text, answer.finish_reason) == ("patch", "stop")
    assert (answer.prompt_tokens, answer.completion_tokens) == (7, 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking": "hm"},
        {"thinking_blocks": [{"type": "thinking", "thinking": "hm", "signature": "x"}]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "h"}, {"type": "reasoning.text", "text": "m"}, None]},
    ],
)
def test_thinking_that_is_set_apart_in_other_fields_is_known(fields):
    answer = read_reply(URL, json.dumps(reply({"content": "", **fields})).encode(), 100, 0.5)
    assert (answer.text, answer.reasoning) == ("", "hm")


@pytest.mark.parametrize(
    ("choice", "end"),
    [
        ({"finish_reason": "content_filter: PROHIBITED_CONTENT"}, "content_filter"),
        ({"finish_reason": "content_filter", "message": None}, "content_filter"),
        ({"finish_reason": "MALFORMED_FUNCTION_CALL"}, "stop"),
        ({"finish_reason": "length", "message": {"role": "assistant"}}, "length"),
    ],
)
def test_an_answer_of_nothing_is_the_models_own(choice, end):
    """Gemini leaves the message out then; it was asked again until the time was up, and counted as the machine's."""
    answer = read_reply(URL, json.dumps({"choices": [{"index": 0, **choice}], "usage": USAGE}).encode(), 100, 0.5)
    assert (answer.text, answer.finish_reason) == ("", end)


def aborted(message: str, **fields: object) -> dict[str, object]:
    return reply({"content": "pa"}, {"type": "abort", "message": message, **fields})


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (aborted("Input length (5000) exceeds the maximum allowed length (4096).", status_code=400), ContextOverflow),
        (aborted("out of memory"), Passing),
        ({"error": {"message": "Provider returned error", "code": 502, "metadata": {"raw": "gone"}}}, Passing),
        ({"error": "n_keep: 13055 >= n_ctx: 4096"}, ContextOverflow),
        (b'event: error\ndata: {"error": {"message": "the context length of only 4096"}}\n\n', ContextOverflow),
        (b'data: {"object": "error", "message": "longer than the context length", "code": 400}\n\n', ContextOverflow),
        (b"data: [DONE]\n\n", BadReply),
        (b"   \n  .", BadReply),
        ({"type": "message", "content": [{"type": "text", "text": "patch"}], "stop_reason": "end_turn"}, BadReply),
    ],
)
def test_what_is_no_answer_is_told_apart(sent, kind):
    with pytest.raises(kind):
        read_reply(URL, sent if isinstance(sent, bytes) else json.dumps(sent).encode(), 100, 0.5)


@pytest.mark.parametrize(
    ("said", "end"),
    [
        ("FINISH_REASON_STOP", "stop"),
        ("FINISH_REASON_MAX_TOKENS", "length"),
        ("completed", "stop"),
        ("incomplete", "length"),
        ("truncated", "length"),
        ("max_length", "length"),
        ("context_length_exceeded", "length"),
        ("refusal", "content_filter"),
    ],
)
def test_further_words_for_the_ends_of_answers(said, end):
    """An answer that was cut counted as whole."""
    answer = read_reply(URL, json.dumps(reply({"content": "patch"}, said)).encode(), 100, 0.5)
    assert answer.finish_reason == end


@pytest.mark.parametrize("said", ["failed", "server_error", "disconnected", "FINISH_REASON_ERROR"])
def test_an_answer_that_the_server_gave_up_is_none(said):
    with pytest.raises(BadReply):
        read_reply(URL, json.dumps(reply({"content": "pa"}, said)).encode(), 100, 0.5)


THROTTLED = "An error occurred (ThrottlingException): Too many tokens, please wait before trying again."
QUOTA = "You exceeded your current quota, please check your plan and billing details."


@pytest.mark.parametrize(
    ("status", "sent", "kind"),
    [
        (400, {"detail": THROTTLED}, Passing),  # Bedrock: no prompt that is too long
        (500, {"detail": THROTTLED}, Passing),
        (400, {"detail": "The model returned the following errors: Input is too long for requested model."},
         ContextOverflow),
        (400, {"message": json.dumps({"message": "Input tokens (9000) exceeds the model's maximum input tokens 8192"})},
         ContextOverflow),
        (400, {"error": {"message": "Total tokens of image and text exceed max message tokens."}}, ContextOverflow),
        (400, {"errors": [{"message": "the number of input tokens 9000 cannot exceed the total tokens limit 8192"}]},
         ContextOverflow),
        (429, {"error": {"message": "This would exceed the limit of 40,000 input tokens per minute."}}, Passing),
        (400, {"message": "The maximum tokens you requested exceeds the model limit of 4096."}, InfrastructureError),
        (400, {"error": {"message": "Prompt tokens (9000) exceeds context size (8192)"}}, ContextOverflow),
        (400, {"error": "Cannot truncate prompt with n_keep (4156) >= n_ctx (4096)"}, ContextOverflow),
        (400, {"error": {"message": "Invalid model name passed in model=x. Call `/v1/models`"}}, InputError),
        (400, {"error": {"message": "Model Not Exist", "type": "invalid_request_error"}}, InputError),
        (400, {"object": "error", "message": "Invalid model: x", "type": "invalid_model"}, InputError),
        (400, {"error": {"message": "foo/bar is not a valid model ID", "code": 400}}, InputError),
        (404, {"error": {"code": "DeploymentNotFound", "message": "The deployment does not exist."}}, InputError),
        (424, {"error": "Request failed during generation: CUDA out of memory", "error_type": "generation"}, Passing),
        (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, Passing),
        (524, "error code: 524", Passing),
        (429, {"error": {"message": QUOTA, "code": "insufficient_quota"}}, InfrastructureError),  # no waiting helps
        (429, [{"error": {"code": 429, "message": QUOTA, "status": "RESOURCE_EXHAUSTED"}}], Passing),  # Gemini
        (402, {"error": {"message": "Insufficient credits.", "code": 402}}, InfrastructureError),
        (413, "<html><head><title>413 Request Entity Too Large</title></head></html>", InfrastructureError),
    ],
)  # fmt: skip
def test_an_error_comes_to_what_can_help(status, sent, kind):
    error = explain(URL, status, (sent if isinstance(sent, str) else json.dumps(sent)).encode())
    assert type(error) is kind


def test_a_throttled_server_is_busy():
    error = explain(URL, 400, json.dumps({"detail": THROTTLED}).encode())
    assert isinstance(error, Passing)
    assert error.busy
