"""Calls of tools that a server read out of an answer and set apart, written back as text.

A server that parses calls (vLLM: ``--enable-auto-tool-choice``) leaves the text of an answer empty. What the model
wrote is then in a field of its own, in one of several shapes, and is read as the JSON that it was.
"""

import json
from collections.abc import Mapping
from typing import Any

USED = ("tool_use", "tool_call", "function_call", "function")  # kinds of the parts of an answer that are calls
ARGUMENTS = ("arguments", "input", "args", "parameters")


def called_tools(message: Mapping[str, Any]) -> str:
    """The calls of a message, one JSON object a line; empty if it makes none."""
    calls = message.get("tool_calls")
    found = [*(calls if isinstance(calls, list) else [calls]), message.get("function_call")]
    content = message.get("content")
    found += [part for part in content if _is_call(part)] if isinstance(content, list) else []
    return "\n".join(filter(None, map(_call, found)))


def _is_call(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in USED


def _call(value: Any) -> str:
    """One call as a line; empty for what is none."""
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return ""
    given = next((value[key] for key in ARGUMENTS if key in value), None)
    return json.dumps({"name": value["name"], "arguments": _read(given)})


def _read(arguments: Any) -> Any:
    """Arguments as the value that their text stands for, or the text if that is no JSON."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments, strict=False)
    except (ValueError, RecursionError):
        return arguments
