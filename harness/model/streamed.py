"""A reply that came as a stream of events although none was asked for, put together.

Some gateways stream whatever they are asked. The events hold one answer in pieces; what they hold beside it, such as
signs of life, is passed over.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

_DATA, _LINES = re.compile(rb"^[ \t]*data:", re.MULTILINE), re.compile(rb"\}\r?\n\{\"")
_COMMENTS = re.compile(rb"\A(?:\s*:[^\n]*\n)+")
BEGINNINGS = (b"data:", b"event:", b"id:", b"retry:", b":")
PIECES = ("reasoning", "reasoning_content", "refusal")  # fields of a message that come in pieces of text


def is_stream(body: bytes) -> bool:
    """Whether a reply's body is a stream: of events, or of values of JSON, one a line."""
    events = body.lstrip().startswith(BEGINNINGS) and _DATA.search(body)
    return bool(events or _LINES.search(body))


def without_comments(body: bytes) -> bytes:
    """A body that is no stream without the signs of life ahead of it."""
    return _COMMENTS.sub(b"", body)


def joined(body: bytes) -> Any:
    """The reply whose pieces a stream holds, or the error in it. Raises ValueError for a stream that is cut."""
    chunks: list[dict[str, Any]] = []
    ended = False
    for data in _events(body):
        ended = ended or data == "[DONE]"
        value = None if data in ("", "[DONE]") else json.loads(data)
        if isinstance(value, dict) and (value.get("error") or value.get("object") == "error"):
            return value
        chunks += [value] if isinstance(value, dict) else []
    choices = [choice for chunk in chunks for choice in _list(chunk.get("choices")) if _is_first(choice)]
    ends = [choice["finish_reason"] for choice in choices if choice.get("finish_reason")]
    if not ended and not ends:
        raise ValueError("the stream has no end")
    usages = [chunk["usage"] for chunk in chunks if isinstance(chunk.get("usage"), dict)]
    choice = {"message": _message(choices), "finish_reason": ends[-1] if ends else None}
    return {"choices": [choice] if choices else [], "usage": usages[-1] if usages else None}


def _events(body: bytes) -> Iterator[str]:
    """The data of each event."""
    lines: list[str] = []
    for line in (*body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n"), ""):
        if line.startswith("{"):
            yield line
        elif line.startswith("data:"):
            lines.append(line.removeprefix("data:").strip())
        elif not line.strip() and lines:
            yield "\n".join(lines)
            lines = []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_first(choice: Any) -> bool:
    return isinstance(choice, dict) and choice.get("index") in (None, 0)


def _message(choices: list[dict[str, Any]]) -> dict[str, Any]:
    """The message in the pieces of one choice, by either route."""
    content: list[Any] = []
    texts: dict[str, str] = {}
    calls: dict[int, dict[str, Any]] = {}
    for choice in choices:
        sent = choice.get("delta")
        whole = choice.get("message")
        delta: dict[str, Any] = sent if isinstance(sent, dict) else {"content": choice.get("text")}
        if not isinstance(sent, dict) and isinstance(whole, dict):  # each time all that was said by then
            delta, content, texts = whole, [], {}
        said = delta.get("content")
        content += said if isinstance(said, list) else [{"type": "text", "text": said}] if said else []
        for name in PIECES:
            if isinstance(delta.get(name), str):
                texts[name] = texts.get(name, "") + delta[name]
        for call in _list(delta.get("tool_calls")):
            _add_call(calls, call)
    return {"content": content, **texts, "tool_calls": list(calls.values())}


def _add_call(calls: dict[int, dict[str, Any]], call: Any) -> None:
    """Add a piece of a call, whose arguments come as pieces of a text."""
    made = call.get("function") if isinstance(call, dict) else None
    if not isinstance(made, dict):
        return
    number = call["index"] if isinstance(call.get("index"), int) else len(calls)
    function = calls.setdefault(number, {"function": {"arguments": ""}})["function"]
    if isinstance(made.get("name"), str):
        function["name"] = function.get("name", "") + made["name"]
    if isinstance(made.get("arguments"), str):
        function["arguments"] += made["arguments"]
