"""Calls of tools among the values in an answer: objects of JSON or of Python, and calls as Python writes them."""

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.reading.call_keys import CONTENT, NEW, OLD, PATH, first, looks_like_files
from harness.reading.lenient_json import NoValue, read_string, read_value, skipped
from harness.reading.path_names import looks_like_path

MARGIN = 80  # characters ahead of an object that are looked at
MOST = 400  # brackets that begin no object, and calls without literals, after which no more are looked for
DEEPEST = 8  # parameters within parameters

_OBJECT = re.compile(r"\{(?=\s*(?:[\"'/#]|\w+\s*:|\}))")
_WITHIN = re.compile(r"(?:[=(+]|\b(?:return|yield|in|assert|raise|await))\s*")  # ahead of an object in source
_FENCE = re.compile(r"(?<![^\n])[ \t]*(?:```|~~~)([^\n]*)\n?\s*(\S?)")
_CALL = re.compile(
    r"(?:(?<![^\n])|(?<=[\[>(,`]))[ \t]*(?:print\()?(?:\w+\.){0,3}(?:str_replace(?:_editor|_based_edit_tool)?"
    r"|(?:edit|replace|search_replace|search_and_replace)(?:_in)?(?:_file)?|(?:write|create)(?:_to)?(?:_file)?"
    r"|(?:apply_edit|modify_file))\("
)
_KEY = re.compile(r"\s*(?:(\w+)\s*=(?!=)\s*)?")
_NUMBER = re.compile(r"-?\d+|True|False|None|\[[\d,\s-]*\]")
_REST = re.compile(r"(?:[\s\[\](),`]|print\(|#[^\n]*|```\w*|</?\w+>)*")


def called(text: str, cut: bool) -> list[dict[str, Any]]:
    """The parameters of all calls, in order; of a text that was ``cut`` those that are whole."""
    return list(_objects(text, cut)) or list(_python(text))


def _objects(text: str, cut: bool) -> Iterator[dict[str, Any]]:
    """The objects in a text that are calls, however deep their parameters lie."""
    decoder, position = json.JSONDecoder(strict=False), 0
    fences = list(_FENCE.finditer(text)) if "{" in text else []
    starts = [fence.start() for fence in fences]
    failed = 0
    while failed < MOST:
        found = _OBJECT.search(text, position)
        if not found:
            return
        position = found.start()
        try:
            value, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            try:
                value, end = read_value(text, position)
                if cut and end >= len(text.rstrip()) and not text.rstrip().endswith("}"):
                    return
            except NoValue:
                position, failed = position + 1, failed + 1
                continue
        if _alone(text, position, fences[: bisect_left(starts, position)]):
            yield from _calls_in(value)
        position = end


def _alone(text: str, position: int, fences: Sequence[re.Match[str]]) -> bool:
    """Whether an object stands for itself, and is no part of the source on its line or in the fence around it.

    ``fences``: the lines ahead of it that open and close them.
    """
    line = text[max(0, position - MARGIN) : position].rsplit("\n", 1)[-1]
    if any(_WITHIN.fullmatch(line, start) for start in range(max(0, len(line) - 12), len(line))):
        return False
    return len(fences) % 2 == 0 or "json" in fences[-1][1] or fences[-1][2] in tuple("{[<\"'/#") or not fences[-1][2]


def _calls_in(value: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if depth > DEEPEST:
        return
    if isinstance(value, str) and value.lstrip()[:1] == "{":
        try:
            value = json.loads(value, strict=False)
        except (ValueError, RecursionError):
            return
    if isinstance(value, dict):
        if first(value, PATH) and any(first(value, keys) is not None for keys in (OLD, NEW, CONTENT, ("insert_text",))):
            yield value
            return
        if looks_like_files(value):
            yield from ({"path": path, "content": content} for path, content in value.items())
            return
        path = first(value, PATH)
        shared = {"path": path} if path else {}
        if isinstance(value.get("command"), str):
            shared["command"] = value["command"]
        for key, member in value.items():
            under = {"path": str(key)} if looks_like_path(str(key)) else {}
            yield from _calls_in(_with(member, {**shared, **under}), depth + 1)
    elif isinstance(value, list):
        for member in value:
            yield from _calls_in(member, depth + 1)


def _with(member: Any, shared: Mapping[str, str]) -> Any:
    """Members of a list of edits have the path that stands beside the list."""
    if shared and isinstance(member, list):
        return [{**shared, **one} if isinstance(one, dict) else one for one in member]
    return member


def _python(text: str) -> Iterator[dict[str, Any]]:
    """The calls as Python writes them, if nothing but such calls stands on their lines, or in the fence around them."""
    calls, outside, position = [], [], 0
    failed = 0
    while failed < MOST:
        found = _CALL.search(text, position)
        if not found:
            break
        parameters, end = _parameters(text, found.end())
        if parameters is None:
            position, failed = found.end(), failed + 1
            continue
        outside.append(text[position : found.start()])
        calls.append(parameters)
        position = end
    if calls and not _among_source([*outside, text[position:]]):
        yield from calls


def _among_source(outside: list[str]) -> bool:
    """Whether a fence around calls has other source, too."""
    fence = False
    for number, part in enumerate(outside):
        within = fence
        marks = re.findall(r"(?<![^\n])[ \t]*```", part)
        fence = fence != (len(marks) % 2 == 1)
        inner = part.split("```")
        behind = number > 0 and within and not _REST.fullmatch(inner[0])
        ahead = number < len(outside) - 1 and fence and not _REST.fullmatch(inner[-1].partition("\n")[2])
        if behind or ahead:
            return True
    return False


def _parameters(text: str, start: int) -> tuple[dict[str, Any] | None, int]:
    """The parameters of one call, and where it ends; None if they are no literals, or it does not end."""
    parameters: dict[str, Any] = {}
    position, names = start, [PATH[0], OLD[0], NEW[0]]
    while True:
        position = skipped(text, position)
        if text[position : position + 1] == ")":
            return (parameters, position + 1) if parameters else (None, position)
        key = _KEY.match(text, position)
        name = key[1] if key and key[1] else (names.pop(0) if names else "")
        position = key.end() if key else position
        try:
            value, position = read_string(text, position)
            parameters[name] = value
        except NoValue:
            number = _NUMBER.match(text, position)
            if not number:
                return None, position
            position = number.end()
            parameters[name] = int(number[0]) if number[0].lstrip("-").isdigit() else number[0] == "True" or None
        position = skipped(text, position)
        if text[position : position + 1] == ",":
            position += 1
        elif text[position : position + 1] != ")":
            return None, position
