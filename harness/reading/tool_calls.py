"""Calls of tools that edit files, written into an answer: as XML of several kinds, as JSON and as Python."""

import json
import re
from collections.abc import Mapping
from typing import Any

from harness.core.candidate import Edit, EditKind
from harness.reading.blocks import EditReading
from harness.reading.call_keys import (
    CONTENT,
    EVERYWHERE,
    LINES,
    NEW,
    OLD,
    PATH,
    everywhere,
    first,
    is_patch,
    pattern,
    value,
)
from harness.reading.call_values import called
from harness.reading.other_calls import changes_otherwise, without_results

EDITS = ("edits", "replacements")  # parameters that hold several edits
_KEYS = pattern(*PATH, *OLD, *NEW, *CONTENT, *LINES, *EVERYWHERE, *EDITS, "command", "insert_text")
_NAMES = (
    r"function=[\w.]+|invoke\b[^<>]{0,200}|str_replace(?:_editor|_based_edit_tool)?|search_replace|search_and_replace"
    r"|(?:edit|replace|create|change|code_change|modification|update)(?:_in)?(?:_file)?|write(?:_to)?(?:_file)|file_edit"
)
_CALL = re.compile(rf"<({_NAMES})((?:\s[^<>]{{0,400}})?)>")
_PARAMETER = re.compile(rf"<(?:parameter=|parameter name=[\"'])?({_KEYS})[\"']?(?:[ \t][^<>]{{0,200}})?>", re.I)
_NEXT = re.compile(rf"<parameter(?:=| name=)[\"']?(?:{_KEYS})\b", re.IGNORECASE)
_ATTRIBUTE = re.compile(rf"\b({pattern(*PATH)})\s*=\s*[\"']([^\"'<>]+)[\"']", re.IGNORECASE)
_INLINE = re.compile(rf"<parameter=({_KEYS})=([^<>\n]{{0,400}})</parameter>", re.IGNORECASE)  # Qwen's, now and then
_LEFT = re.compile(r"(?:\s*</[\w:.-]+>)+\s*\Z")  # closing tags behind a value that has none of its own
_SPACED = re.compile(r"(</?)\w{1,20}:(?=(?:invoke|parameter|function_calls)\b)")  # a prefix of every tag
_DSML = re.compile(r"(?<=[</])[｜|]DSML[｜|]")  # DeepSeek's
_ARGUMENT = re.compile(
    r"<arg_key>\s*(\w+)\s*</arg_key>\s*<arg_value>((?:(?!<arg_key>).)*?)</arg_value>", re.DOTALL
)  # GLM's
_GLM_CALL = re.compile(
    r"<tool_call>(?=\s*\w+\s*<arg_key>)((?:(?!</?tool_call>).)*+)(</tool_call>|(?=<tool_call>))?", re.DOTALL
)
_KIMI = (
    (re.compile(r"<\|open\|>argument key=\"(\w+)\"[^<>|]{0,80}<\|sep\|>"), r"<parameter=\1>"),
    (re.compile(r"<\|open\|>call tool=\"([\w.]+)\"[^<>|]{0,80}<\|sep\|>"), r"<function=\1>"),
    (re.compile(r"<\|close\|>argument<\|sep\|>"), "</parameter>"),
    (re.compile(r"<\|close\|>call<\|sep\|>"), "</function>"),
)
_GEMMA = re.compile(r"<\|\"\|>((?:(?!<\|\"\|>).)*+)<\|\"\|>", re.DOTALL)


def holds_calls(text: str) -> bool:
    """Whether a text calls a tool that edits files."""
    text = _plain(text)
    return any(_edit(call) for call, _ in _tagged(text)) or any(map(_replaces, called(text, cut=False)))


def read_calls(text: str, cut: bool = False) -> EditReading:
    """The edits of all calls, in order: one text for another, or a file with all of its content."""
    text = _plain(text)
    edits: list[Edit] = []
    problems: list[str] = []
    unfinished = ""
    tagged = [call for call in _tagged(text) if call[0]]
    calls = tagged or [(value, True) for value in called(text, cut)]
    if calls and (problem := changes_otherwise(text, bool(tagged))):
        problems.append(problem)
    for number, (call, whole) in enumerate(calls, 1):
        if not whole and cut:
            unfinished = f"call {number} was cut"
        elif edit := _edit(call):
            edits.append(edit)
        elif call.get("command") not in ("view", "undo_edit"):
            problems.append(f"call {number} of a tool names no file, or no text to put in")
    return EditReading(tuple(edits), tuple(problems), unfinished)


def _plain(text: str) -> str:
    """The text with the tags of other dialects in the common form, and without what tools answered."""
    text = without_results(text)
    if "DSML" in text:
        text = _DSML.sub("", text)
    if "<parameter=" in text:
        text = _INLINE.sub(r"<parameter=\1>\2</parameter>", text)
    if "<arg_key>" in text:
        text = _ARGUMENT.sub(r"<parameter=\1>\2</parameter>", _GLM_CALL.sub(_glm_call, text))
    if "<|open|>" in text:
        for pattern, plain in _KIMI:
            text = pattern.sub(plain, text)
    if '<|"|>' in text:
        text = _GEMMA.sub(lambda found: json.dumps(found[1]), text)
    return _SPACED.sub(r"\1", text)


def _glm_call(found: re.Match[str]) -> str:
    """A call in the common form; the last one of a text may lack its end."""
    return f"<invoke>{found[1]}{'' if found[2] is None else '</invoke>'}"


def _tagged(text: str) -> list[tuple[dict[str, Any], bool]]:
    """The parameters of each call between tags, and whether its end is there."""
    calls, position = [], 0
    while found := _CALL.search(text, position):
        name = re.split(r"[=\s]", found[1], maxsplit=1)[0]
        end = text.find(f"</{name}>", found.end())
        body = text[found.end() : end if end >= 0 else len(text)]
        named = _ATTRIBUTE.search(found[0])
        call = {**({named[1]: named[2]} if named else {}), **_parameters(body)}
        calls += [(one, end >= 0) for one in _several(call) or [call]]
        position = end + 1 if end >= 0 else len(text)
    return calls


def _several(call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The calls that one parameter holds as JSON, each of the file that the call names."""
    path, edits = first(call, PATH), first(call, EDITS)
    return called(f'{{"path": {json.dumps(path)}, "edits": {edits}}}', cut=False) if path and edits else []


def _parameters(body: str) -> dict[str, Any]:
    """The parameters between tags; each text is looked through once for every tag that may end one.

    A parameter without its own end ends where the next one begins, or with the call.
    """
    parameters: dict[str, Any] = {}
    nearest: dict[str, int] = {}
    position = 0
    while found := _PARAMETER.search(body, position):
        position = found.end()
        ends = []
        for close in ("</parameter>", f"</{found[1]}>"):
            if nearest.get(close, -1) < position:
                at = body.find(close, position)
                nearest[close] = at if at >= 0 else len(body)
            ends.append(nearest[close])
        end = min(ends)
        if found[0].startswith("<parameter") and nearest.get("", -1) < position:
            following = _NEXT.search(body, position)
            nearest[""] = following.start() if following else len(body)
        if found[0].startswith("<parameter"):
            end = min(end, nearest[""])
        value = body[position:end]
        if found[1].lower() in EDITS and value.lstrip()[:1] not in ("[", "{"):
            continue  # tags within, and no JSON
        parameters[found[1]] = _trimmed(_LEFT.sub("\n", value) if end == len(body) else value)
        position = end
    return parameters


def _trimmed(value: str) -> str:
    """A value without the line feeds that set it apart from its tags, and without the mark of XML around it."""
    if (data := value.strip()).startswith("<![CDATA[") and data.endswith("]]>"):
        value = data[9:-3]
    return value.removeprefix("\n").removesuffix("\n")


def _replaces(call: Mapping[str, Any]) -> bool:
    """Whether a call can only be meant as an edit: it has one text for another, or the content of a file."""
    replaces = first(call, OLD) is not None and first(call, NEW) is not None
    return replaces or (_edit(call) is not None and call.get("command") in ("create", "insert", None))


def _edit(call: Mapping[str, Any]) -> Edit | None:
    path, old, new, content = (first(call, keys) for keys in (PATH, OLD, NEW, CONTENT))
    if not path:
        return None
    if old is not None and (new is not None or call.get("command") == "str_replace"):
        return Edit(path.strip(), old, new or "", EditKind.TEXT, everywhere=everywhere(call))
    place = str(call.get("insert_line", call.get("line", ""))).strip() if call.get("command") == "insert" else ""
    if place.isdigit() and (text := new or first(call, ("insert_text", *CONTENT))):
        return Edit(path.strip(), "", text, EditKind.INSERTED, int(place[:9]))
    if content is not None and not is_patch(content) and value(call, LINES) is None:
        return Edit(path.strip(), "", content if content.endswith("\n") else f"{content}\n", EditKind.WHOLE)
    return None
