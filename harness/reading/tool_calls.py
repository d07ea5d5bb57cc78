"""Calls of tools that edit files, written into an answer: as XML of several kinds and as JSON."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.core.candidate import Edit, EditKind
from harness.reading.blocks import EditReading

PATH = ("path", "file_path", "filepath", "target_file", "filename", "file_name", "file")
OLD = (
    "old_str", "old_string", "old_text", "oldText", "old_content", "old_code", "old", "search", "find", "original",
    "original_code", "original_text",
)  # fmt: skip
NEW = (
    "new_str", "new_string", "new_text", "newText", "new_content", "new_code", "new", "replace", "replacement",
    "updated", "updated_code", "updated_text", "modified",
)  # fmt: skip
CONTENT = ("file_text", "content", "contents", "text")

_KEYS = "|".join((*PATH, *OLD, *NEW, *CONTENT, "command"))
_CALL = re.compile(
    r"<(function=\w+|invoke\b[^>]*|str_replace(?:_editor|_based_edit_tool)?|edit(?:_file)?|replace(?:_in_file)?|create(?:_file)?"
    r"|write_file|search_replace)>(.*?)(</(?:function|invoke|str_replace\w*|edit\w*|replace\w*|create\w*|write_file"
    r"|search_replace)>|\Z)",
    re.DOTALL,
)
_PARAMETER = re.compile(
    rf"<(?:parameter=|parameter name=[\"'])?({_KEYS})[\"']?(?:[ \t][^<>]*)?>(.*?)</(?:parameter|\1)>", re.DOTALL
)
_DSML = re.compile(r"(?<=[</])[｜|]DSML[｜|]")  # DeepSeek's prefix of every tag
_ARGUMENT = re.compile(
    r"<arg_key>\s*(\w+)\s*</arg_key>\s*<arg_value>((?:(?!<arg_key>).)*?)</arg_value>", re.DOTALL
)  # GLM's
_GLM_CALL = re.compile(r"<tool_call>(?=\s*\w+\s*<arg_key>)((?:(?!</?tool_call>).)*+)</tool_call>", re.DOTALL)
_SIGNS = re.compile(r"\"(?:old_str|old_string|old_text|oldText|new_str|new_string|file_text)\\?\"\s*:")
_MOST = 200  # JSON values that are looked at


def holds_calls(text: str) -> bool:
    """Whether a text calls a tool that edits files."""
    text = _plain_tags(text)
    called = any(_edit(_parameters(found[2])) for found in _CALL.finditer(text))
    return called or bool(_SIGNS.search(text)) or any(_texts(value) for value in _values(text))


def read_calls(text: str, cut: bool = False) -> EditReading:
    """The edits of all calls, in order: one text for another, or a file with all of its content."""
    text = _plain_tags(text)
    edits: list[Edit] = []
    problems: list[str] = []
    unfinished = ""
    calls = [(_parameters(found[2]), bool(found[3])) for found in _CALL.finditer(text)]
    calls = [call for call in calls if call[0]] or [(value, True) for value in _values(text)]
    for number, (call, whole) in enumerate(calls, 1):
        if not whole and cut:
            unfinished = f"call {number} was cut"
        elif edit := _edit(call):
            edits.append(edit)
        elif call.get("command") not in ("view", "undo_edit"):
            problems.append(f"call {number} of a tool names no file, or no text to put in")
    return EditReading(tuple(edits), tuple(problems), unfinished)


def _plain_tags(text: str) -> str:
    """The text with the tags of two dialects in the common form."""
    if "DSML" in text:
        text = _DSML.sub("", text)
    if "<arg_key>" in text:
        text = _ARGUMENT.sub(r"<parameter=\1>\2</parameter>", _GLM_CALL.sub(r"<invoke>\1</invoke>", text))
    return text


def _texts(call: Mapping[str, Any]) -> bool:
    """Whether a JSON object has one text for another."""
    return _first(call, OLD) is not None and _first(call, NEW) is not None


def _parameters(body: str) -> dict[str, str]:
    return {name: _trimmed(value) for name, value in _PARAMETER.findall(body)}


def _trimmed(value: str) -> str:
    """A value without the line feeds that set it apart from its tags."""
    return value.removeprefix("\n").removesuffix("\n")


def _edit(call: Mapping[str, Any]) -> Edit | None:
    path, old, new, content = (_first(call, keys) for keys in (PATH, OLD, NEW, CONTENT))
    if not path:
        return None
    if old is not None and (new is not None or call.get("command") == "str_replace"):
        return Edit(path.strip(), old, new or "", EditKind.TEXT)
    if content is not None:
        return Edit(path.strip(), "", content if content.endswith("\n") else f"{content}\n", EditKind.WHOLE)
    return None


def _first(call: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    found = next((call[key] for key in keys if isinstance(call.get(key), str)), None)
    return (
        found if found is None else found.encode("utf-8", "replace").decode()
    )  # escapes of JSON may be half a character


def _values(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text that are calls, however deep their parameters lie."""
    decoder, position = json.JSONDecoder(strict=False), 0
    for _ in range(_MOST):
        position = text.find("{", position)
        if position < 0:
            return
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            position += 1
            continue
        yield from _calls_in(value)
        position = end


def _calls_in(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if depth > 6:
        return
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            value = json.loads(value, strict=False)
        except (ValueError, RecursionError):
            return
    if isinstance(value, dict):
        if _first(value, PATH) and (_first(value, OLD) is not None or _first(value, CONTENT) is not None):
            yield value
            return
        shared = {key: value[key] for key in PATH if isinstance(value.get(key), str)}
        for member in value.values():
            yield from _calls_in(_with(member, shared), depth + 1)
    elif isinstance(value, list):
        for member in value:
            yield from _calls_in(member, depth + 1)


def _with(member: Any, shared: Mapping[str, str]) -> Any:
    """Members of a list of edits have the path that stands beside the list."""
    if shared and isinstance(member, list):
        return [{**shared, **one} if isinstance(one, dict) else one for one in member]
    return member
