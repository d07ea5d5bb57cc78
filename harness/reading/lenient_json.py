"""Values as models write them: JSON that is not quite right, and literals of Python.

Read besides JSON: single, triple and unescaped quotes around several lines, True, False and None, comments, commas at
the end, keys without quotes, and closing brackets that are missing at the end of the text.
"""

import ast
import json
import re
from typing import Any

DEEPEST = 40  # values within values

_SPACE = re.compile(r"(?:\s|//[^\n]*+|#[^\n]*+)*+")
_STRING = re.compile(
    r'[rbuRBU]{0,2}(?:"""((?:[^"\\]|\\.|"(?!""))*+)"""|\'\'\'((?:[^\'\\]|\\.|\'(?!\'\'))*+)\'\'\''
    r'|"((?:[^"\\]|\\.)*+)"|\'((?:[^\'\\]|\\.)*+)\')',
    re.DOTALL,
)
_WORD = re.compile(r"-?\d[\d.eE+-]*|\w+")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}


class NoValue(ValueError):
    """The text holds no such value here."""


def read_value(text: str, start: int) -> tuple[Any, int]:
    """The value at ``start``, and where it ends. Raises NoValue if there is none."""
    return _value(text, start, 0)


def read_string(text: str, start: int) -> tuple[str, int]:
    """The string at ``start``, one or several side by side, and where it ends. Raises NoValue if there is none."""
    parts, position = [], start
    while found := _STRING.match(text, position):
        parts.append(_unescaped(found))
        position = found.end()
        following = skipped(text, position)
        if not _STRING.match(text, following):
            break
        position = following
    if not parts:
        raise NoValue
    return "".join(parts), position


def skipped(text: str, position: int) -> int:
    """Where white space and comments end."""
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _unescaped(found: re.Match[str]) -> str:
    content = next(group for group in found.groups() if group is not None)
    if "\\" not in content or "r" in found[0][:2].lower():
        return content
    if found[3] is not None:
        try:
            return str(json.loads(f'"{content}"', strict=False))
        except ValueError:
            pass
    safe = content.replace("\r", "\\r").replace('"""', '\\"""')
    safe = f"{safe[:-1]}\\{safe[-1]}" if safe.endswith('"') else safe
    try:
        return str(ast.literal_eval(f'"""{safe}"""'))
    except (ValueError, SyntaxError):
        return content


def _value(text: str, start: int, depth: int) -> tuple[Any, int]:
    position = skipped(text, start)
    sign = text[position : position + 1]
    if depth > DEEPEST:
        raise NoValue
    if sign == "{":
        return _members(text, position + 1, depth)
    if sign in ("[", "("):
        return _list(text, position + 1, {"[": "]", "(": ")"}[sign], depth)
    if _STRING.match(text, position):
        return read_string(text, position)
    if word := _WORD.match(text, position):
        return _WORDS.get(word[0], _number(word[0])), word.end()
    raise NoValue


def _number(word: str) -> int | str:
    return int(word) if re.fullmatch(r"-?\d{1,15}", word) else word


def _list(text: str, position: int, closing: str, depth: int) -> tuple[list[Any], int]:
    members: list[Any] = []
    while True:
        position = skipped(text, position)
        if _ended(text, position, closing):
            return members, min(position + 1, len(text))
        member, position = _value(text, position, depth + 1)
        members.append(member)
        position = _behind_comma(text, position, closing)


def _members(text: str, position: int, depth: int) -> tuple[dict[str, Any], int]:
    members: dict[str, Any] = {}
    while True:
        position = skipped(text, position)
        if _ended(text, position, "}"):
            return members, min(position + 1, len(text))
        key, position = _value(text, position, DEEPEST)
        position = skipped(text, position)
        if text[position : position + 1] not in (":", "="):
            raise NoValue
        members[str(key)], position = _value(text, position + 1, depth + 1)
        position = _behind_comma(text, position, "}")


def _ended(text: str, position: int, closing: str) -> bool:
    """Whether the brackets end here: by their sign, or because the text does or its fence or tag."""
    rest = text[position : position + 3]
    return not rest or rest[0] == closing or rest == "```" or rest[:2] == "</"


def _behind_comma(text: str, position: int, closing: str) -> int:
    position = skipped(text, position)
    if text[position : position + 1] == ",":
        return position + 1
    if not _ended(text, position, closing):
        raise NoValue
    return position
