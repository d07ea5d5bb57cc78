"""Errors as servers and gateways word them: each is read for its own words, and told apart by what can help."""

import json
from pathlib import Path

import pytest

from harness.core.interfaces import ContextOverflow
from harness.errors import InfrastructureError, InputError
from harness.model.patience import Passing
from harness.model.refusal import error_in, explain, lacks_template

URL = "http://host:8000/v1"
# what each server sends for a prompt that is too long, with the words of it that a user has to see
TOO_LONG = json.loads(Path(__file__).with_name("too_long.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("sent", TOO_LONG, ids=[sent["server"] for sent in TOO_LONG])
def test_too_long_is_recognised_in_the_words_of_each_server(sent):
    error = explain(URL, sent["status"], json.dumps(sent["body"]).encode())
    assert isinstance(error, ContextOverflow)
    assert sent["words"] in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, {"error": {"message": "Incorrect API key provided"}}, InputError, "refuses the key: Incorrect API key"),
        (401, {"error": "Unauthorized"}, InputError, "api_key_env"),  # vLLM
        (401, "", InputError, "refuses the key: without a word"),
        (200, {"error": {"message": "Invalid API key", "code": "invalid_api_key"}}, InputError, "refuses the key"),
        (403, {"detail": "Forbidden"}, InputError, "refuses the key: Forbidden"),
        (400, [{"error": {"code": 400, "message": "API key not valid. Please pass one."}}], InputError, "key"),
        (404, {"object": "error", "message": "The model `x` does not exist.", "code": 404}, InputError, "`x` does not"),
        (400, {"detail": [{"loc": ["body"], "msg": "field required"}]}, InfrastructureError, "400: field required"),
        (422, {"error": "Template error: unknown", "error_type": "template_error"}, InfrastructureError, "Template"),
        (429, {"error": {"message": "Too many tokens per minute"}}, Passing, "answered 429: Too many"),
        (502, "<html><title>502 Bad Gateway</title><hr>nginx</html>", Passing, "502 Bad"),
        (529, {"error": {"type": "overloaded_error", "message": "Overloaded"}}, Passing, "Over"),
        (500, {"a": {"b": 1}}, Passing, "answered 500: without a word"),
        (500, "x" * 10_000, Passing, "xxx"),
        (500, {"error": {"message": "[\ud800 is half a character"}}, Passing, "[? is half"),
    ],
)  # fmt: skip
def test_every_other_error_says_what_the_server_says(status, body, kind, words):
    error = explain(URL, status, (body if isinstance(body, str) else json.dumps(body)).encode())
    assert type(error) is kind
    assert words in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 500


def test_a_path_without_v1_is_named():
    assert "ends in /v1: http://host:8000/v1" in str(explain("http://host:8000", 404, b'{"detail": "Not Found"}'))
    assert "ends in /v1" not in str(explain(URL, 404, b'{"detail": "Not Found"}'))


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ({"error": {"message": "no", "code": 429}}, 429),
        ({"error": {"message": "no", "code": "400"}}, 400),
        ({"error": "no"}, 200),
        ({"error": {"message": "no", "code": "rate_limit"}}, 200),
        ({"object": "error", "message": "no", "code": 400}, 400),
        ([{"error": {"message": "no", "code": 503}}], 503),
        ({"choices": [{"error": {"message": "no", "code": 502}, "finish_reason": "error"}]}, 502),
        ({"detail": "no"}, 200),  # FastAPI
        ({"code": 1113, "msg": "no", "success": False}, 200),
        ({"success": False, "errors": [{"code": 7003, "message": "no"}], "result": None}, 200),  # Cloudflare
        ({"code": 429, "message": "no", "choices": None, "object": "error"}, 429),
    ],
)
def test_an_error_that_was_sent_as_a_success_is_found(value, status):
    found = error_in(value)
    assert found is not None
    assert found[0] == status
    assert "no" in str(explain(URL, *found))


@pytest.mark.parametrize(
    "value",
    [
        None, [], "x", {}, {"error": None, "choices": [{"message": {"content": "x"}}]},
        {"message": "success", "choices": [{"message": {"content": "x"}}]}, {"message": "success", "data": []},
    ],
)  # fmt: skip
def test_a_reply_without_an_error_has_none(value):
    assert error_in(value) is None


@pytest.mark.parametrize(
    ("status", "message", "lacks"),
    [
        (400, "As of transformers v4.44, default chat template is no longer allowed, so you must provide one.", True),
        (422, "Template error: template not found", True),
        (404, "This is not a chat model and thus not supported in the v1/chat/completions endpoint.", True),
        (400, "This is not a chat model and thus not supported in the v1/chat/completions endpoint.", True),
        (400, "temperature is not supported", False),
        (401, "chat template", False),
    ],
)
def test_a_model_without_a_chat_template_is_told_apart(status, message, lacks):
    assert lacks_template(status, json.dumps({"error": {"message": message}}).encode()) is lacks
