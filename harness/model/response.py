"""What a server sent in reply to a question: checked piece by piece before any of it is kept.

Servers, gateways and hosted models differ in shape more than their common interface says. What is an answer is read,
whatever its shape; the rest is an InfrastructureError and may come right when it is asked again.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from harness.core.interfaces import Answer
from harness.model.called_tools import called_tools
from harness.model.patience import Passing
from harness.model.refusal import error_in, explain, words_of
from harness.model.streamed import is_stream, joined, without_comments

MOST_TOKENS = 10**18  # that a count may say; more is no count
TEXT_PARTS = ("text", "output_text", "refusal")  # kinds of the parts that are the answer itself
THINKING_PARTS = ("thinking", "reasoning", "reasoning_text")  # kinds of the parts that are set apart from it
# Words for the same ends: TGI, Mistral, Anthropic, Bedrock, Gemini, Cohere, z.AI and vLLM have their own.
ENDS = {
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "finished": "stop",
    "end": "stop",
    "tool_calls": "stop",  # the calls are the answer
    "tool_call": "stop",
    "function_call": "stop",
    "tool_use": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "max_length": "length",
    "token_limit_reached": "length",
    "context_length_exceeded": "length",
    "truncated": "length",
    "incomplete": "length",
    "model_context_window_exceeded": "length",
    "repetition": "length",  # vLLM ends an answer that repeats itself
    "error_limit": "length",
    "content_filtered": "content_filter",
    "refusal": "content_filter",
    "guardrail_intervened": "content_filter",
    "error_toxic": "content_filter",
    "safety": "content_filter",
    "recitation": "content_filter",
    "prohibited_content": "content_filter",
    "blocklist": "content_filter",
    "spii": "content_filter",
    "sensitive": "content_filter",
}
# The server gave up, or was stopped: what it wrote until then is no answer of the model's.
FAULTS = (
    *("error", "network_error", "insufficient_system_resource", "abort", "aborted", "cancelled", "timeout"),
    *("failed", "server_error", "internal_error", "disconnected", "connection_error", "interrupted"),
)
_DONE = re.compile(rb"(?<=\})\s*(?:data:[ \t]*)?\[DONE\]\s*\Z")  # of a stream, behind a reply that is none
MALFORMED = "malformed_function_call"  # Gemini: the model's own, with nothing else
KNOWN = {"stop", "length", "content_filter", *ENDS.values()}


class BadReply(Passing):
    """A reply that holds no answer although the server said that all went well."""


def read_reply(address: str, body: bytes, max_tokens: int, seconds: float) -> Answer:
    """The answer in the body of a reply from ``address``, as `read_response`. Raises what an error in it means."""
    value = _bare(read_json(body))
    if refusal := error_in(value):
        raise explain(address, *refusal)
    return read_response(value, max_tokens, seconds)


def _bare(value: Any) -> Any:
    """A reply without what a gateway puts around it: a list of one, or an object that has the reply as a member."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict) or "choices" in value:
        return value
    members = [value.get(name) for name in ("data", "result", "response", "body")]
    members = [_inner(one) if isinstance(one, str) and one[:1] == "{" else one for one in members]
    return next((one for one in members if isinstance(one, dict) and "choices" in one), value)


def _inner(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def read_json(body: bytes) -> Any:
    """The value in a reply. Raises BadReply for what is not JSON."""
    if not body.strip():
        raise BadReply("the reply is empty")
    try:
        return joined(body) if is_stream(body) else _load(without_comments(_DONE.sub(b"", body)))
    except (ValueError, RecursionError) as error:
        what = "is a stream that is cut" if is_stream(body) else "is not JSON"
        raise BadReply(f"the reply {what} ({_short(words_of(body))})") from error


def _load(body: bytes) -> Any:
    try:
        return json.loads(body, strict=False)
    except UnicodeDecodeError:  # an answer whose last token ends within a character
        return json.loads(body.decode("utf-8", "replace"), strict=False)


def read_response(value: Any, max_tokens: int, seconds: float) -> Answer:
    """The answer in a reply of either route; ``seconds`` is what it took. Raises BadReply if there is none."""
    choice = _first_choice(value)
    message = choice.get("message") or choice.get("delta")
    if not message and isinstance(choice.get("text"), str):
        message = {"content": choice["text"]}
    said = (choice.get(name) for name in ("finish_reason", "finishReason", "native_finish_reason"))
    end = read_end(next(filter(None, said), None))
    if message is None and end in ("content_filter", MALFORMED):  # Gemini
        message = {}
    if not isinstance(message, dict):
        raise BadReply("the reply's choice has no message")
    text, thinking = split_content(message.get("content"))
    text = "\n".join(filter(None, (text, called_tools(message))))
    if not text and isinstance(choice.get("text"), str):
        text = choice["text"]
    if not text and isinstance(message.get("refusal"), str):
        text = message["refusal"]
    usage = value.get("usage")
    prompt_tokens = read_count(usage, "prompt_tokens") or read_count(usage, "input_tokens")
    completion_tokens = read_count(usage, "completion_tokens") or read_count(usage, "output_tokens")
    end = "stop" if end == MALFORMED else end
    if end not in KNOWN and completion_tokens >= max_tokens:
        end = "length"
    apart = (read_reasoning(message.get(name)) for name in ("reasoning", "reasoning_content", "thinking"))
    reasoning = thinking or next(filter(None, apart), "") or _details(message)
    return Answer(text, end, prompt_tokens, completion_tokens, round(seconds, 3), reasoning)


def _details(message: dict[str, Any]) -> str:
    """The thinking in lists of pieces beside the answer, as gateways pass it on."""
    lists = (message.get(name) for name in ("reasoning_details", "thinking_blocks"))
    pieces = next((found for found in lists if isinstance(found, list)), [])
    texts = (one.get("text") or one.get("thinking") or one.get("summary") for one in pieces if isinstance(one, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _first_choice(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadReply(f"the reply is no object ({_short(json.dumps(value))})")
    choices = value.get("choices")
    found = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
    if not found:
        raise BadReply(f"the reply holds no answer (its keys: {_short(', '.join(map(str, value)) or 'none')})")
    return min(found, key=lambda choice: choice["index"] if isinstance(choice.get("index"), int) else 0)


def split_content(content: Any) -> tuple[str, str]:
    """The answer and the thinking in a message's content: a text, nothing, or a list of parts.

    Raises BadReply for anything else.
    """
    if content is None:
        return "", ""
    if isinstance(content, str):
        return content, ""
    text: list[str] = []
    thinking: list[str] = []
    for is_thinking, part in _parts(content):
        (thinking if is_thinking else text).append(part)
    return "".join(text), "".join(thinking)


def read_reasoning(content: Any) -> str:
    """What was set apart as thinking; nothing if it has no shape that is known, for the answer is worth more."""
    try:
        return "".join(split_content(content))
    except BadReply:
        return ""


def _parts(content: Any) -> Iterator[tuple[bool, str]]:
    """Each text in a list of parts, with whether it is thinking."""
    if not isinstance(content, list):
        raise BadReply(f"the answer is no text but {_short(json.dumps(content))}")
    for part in content:
        kind = part.get("type", "text") if isinstance(part, dict) else "text"
        if isinstance(part, str):
            yield False, part
        elif isinstance(part, dict) and kind in (*TEXT_PARTS, *THINKING_PARTS):
            inner = part.get(kind, part.get("text"))
            yield kind in THINKING_PARTS, "".join(split_content(inner))
        elif not isinstance(part, dict):
            raise BadReply(f"a part of the answer is no text but {_short(json.dumps(part))}")
        # parts of other kinds, such as images, are no text; calls of tools are read for themselves


def read_end(reason: Any) -> str:
    """Why the answer ended, in one word for each kind of end, or in the server's own. Raises BadReply for a fault."""
    if isinstance(reason, dict):  # SGLang's own
        reason = reason.get("type")
    word = reason.lower().removeprefix("finish_reason_") if isinstance(reason, str) else ""
    if word in FAULTS:
        raise BadReply(f"the server gave up on its answer ({word})")
    word = word.partition(":")[0].strip() if word.startswith("content_filter") else word  # Gemini says which one
    return ENDS.get(word, word)


def read_count(usage: Any, name: str) -> int:
    """A number of tokens, 0 if the server does not say; some write ``7.0`` or ``"7"``."""
    count = usage.get(name) if isinstance(usage, dict) else None
    if isinstance(count, str) and re.fullmatch(r"[0-9]{1,18}", count):
        return int(count)
    if isinstance(count, bool) or not isinstance(count, int | float) or not 0 < count < MOST_TOKENS:
        return 0
    return int(count)


def read_record(record: Any) -> Answer | None:
    """The answer in a journal's record; None for one that an earlier version should not have kept."""
    if not isinstance(record, dict):
        return None
    try:
        text, thinking = split_content(record.get("text"))
        end = read_end(record.get("finish_reason"))
    except BadReply:
        return None
    seconds, began = (record.get(name) for name in ("seconds", "began"))
    return Answer(
        text,
        end,
        read_count(record, "prompt_tokens"),
        read_count(record, "completion_tokens"),
        float(seconds) if isinstance(seconds, int | float) else 0.0,
        thinking or read_reasoning(record.get("reasoning")),
        float(began) if isinstance(began, int | float) else 0.0,
    )


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 100 else f"{text[:100]}..."
