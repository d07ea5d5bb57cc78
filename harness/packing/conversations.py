"""Chats as the rows of corpora hold them: messages, ShareGPT's conversations, either as JSON in a string, and tools."""

import json
from collections.abc import Mapping
from typing import Any

from harness.errors import InputError
from harness.packing.chat import ASSISTANT, Chat

BESIDE_CHATS = {
    "messages": ("tools",),
    "conversations": ("tools", "system"),
    "prompt": ("completion", "tools"),
}  # columns that may hold a chat -> what is read beside it
CHATS = tuple(BESIDE_CHATS)
SPEAKERS = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "assistant", "model"), ASSISTANT),
    "system": "system",
    **dict.fromkeys(("tool", "observation", "function_response"), "tool"),
}  # of ShareGPT's turns -> role


def turns(value: Any) -> Any:
    """The list of messages that a string holds as JSON; any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        decoded = json.loads(value)
    except ValueError:
        return value
    held = isinstance(decoded, list) and len(decoded) > 0 and all(isinstance(turn, dict) for turn in decoded)
    return decoded if held else value


def read_chat(row: Mapping[str, Any], column: str, where: str) -> Chat:
    """The chat of a row, with its tools; under ``prompt`` and ``completion``, only the completion is trained.

    Raises InputError for turns without a role, content that is no text, weights between 0 and 1, and tools that are no
    list.
    """
    asked, answer = turns(row[column]), turns(row.get("completion")) if column == "prompt" else None
    if answer is not None and not (isinstance(asked, list) and isinstance(answer, list)):
        raise InputError(f"{where}: prompt and completion must both be text, or both be lists of messages")
    if not isinstance(asked, list):
        raise InputError(f"{where}: {column} must be a list of messages, each with a role, or text with a completion")
    messages = [_message(turn, column, where) for turn in [*asked, *(answer or [])]]
    if column == "conversations" and isinstance(row.get("system"), str) and row["system"]:
        messages.insert(0, {"role": "system", "content": row["system"]})
    return Chat(messages, _tools(row.get("tools"), where), 0 if answer is None else len(asked))


def _message(turn: Any, column: str, where: str) -> dict[str, Any]:
    named = isinstance(turn, dict) and (isinstance(turn.get("role", ""), str) and turn.get("role") != "")
    if not named or not ("role" in turn or {"from", "value"} <= turn.keys()):
        raise InputError(f"{where}: {column} must be a list of messages, each with a role, or text with a completion")
    message = dict(turn)
    if "role" not in message:
        speaker = message.pop("from")
        if speaker not in SPEAKERS:
            raise InputError(f"{where}: a turn is from {speaker!r}; known are {', '.join(SPEAKERS)}")
        message |= {"role": SPEAKERS[speaker], "content": message.pop("value")}
    _check_content(message.get("content"), where)
    if isinstance(message.get("tool_calls"), list):
        message["tool_calls"] = [_called(call) for call in message["tool_calls"]]
    _check_weight(message, where)
    return message


def _check_content(content: Any, where: str) -> None:
    if content is not None and not isinstance(content, str | list):
        raise InputError(f"{where}: a message's content is of type {type(content).__name__!r}; it must be text")
    for part in content if isinstance(content, list) else ():
        if not (isinstance(part, str) or (isinstance(part, dict) and isinstance(part.get("text"), str))):
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise InputError(f"{where}: a message has a part of type {kind!r}, which is no text; leave such rows out")


def _called(call: Any) -> Any:
    """A tool call whose arguments are no JSON in a string, as OpenAI's form has them: templates read an object."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
        return call
    try:
        arguments = json.loads(function["arguments"])
    except ValueError:
        return call
    return call | {"function": function | {"arguments": arguments}} if isinstance(arguments, dict) else call


def _check_weight(message: Mapping[str, Any], where: str) -> None:
    """Fine-tuning formats say by ``weight`` or ``train`` whether a turn of the assistant takes part in the loss."""
    weight, train = message.get("weight"), message.get("train")
    if weight not in (None, 0, 1) or train not in (None, True, False):
        raise InputError(f"{where}: a message has weight {weight} and train {train}; give 0 or 1, true or false")
    if train and message["role"] != ASSISTANT:
        raise InputError(f"{where}: a message of {message['role']!r} is to be trained; only the assistant's are")


def _tools(tools: Any, where: str) -> Any:
    if isinstance(tools, str) and tools.strip():
        try:
            tools = json.loads(tools)
        except ValueError as error:
            raise InputError(f"{where}: tools is neither a list nor JSON ({error})") from error
        if tools is not None and not isinstance(tools, list):
            raise InputError(f"{where}: tools must be a list, not {type(tools).__name__}")
    return tools or None


def without_nulls(value: Any) -> Any:
    """A value of a table without the nulls in it: its type gives every row the fields that any row has."""
    if isinstance(value, dict):
        return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_nulls(inner) for inner in value]
    return value
