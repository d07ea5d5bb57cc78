"""Places in a JSON value of an answer."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from harness.reading.embedded_json import embedded_json
from harness.reading.lenient_json import NoValue, read_value
from harness.reading.line_ranges import read_lines
from harness.reading.path_names import looks_like_path, mentioned_paths
from harness.reading.place_kinds import LINE, NAME, WORDS, Named, kind_of

_PATH_KEYS = ("file", "path", "file_path", "filepath", "filename", "file_name", "location")
_FIRST_KEYS = ("start_line", "start", "from", "line_start", "first", "startline")
_LAST_KEYS = ("end_line", "end", "to", "line_end", "last", "endline")
_NAME_KEYS = ("name", "symbol", "element", "identifier", "entity", "element_name", "symbol_name", "qualified_name")
_LABEL = re.compile(rf"({WORDS})(?:_?names?|_?numbers?)?", re.IGNORECASE)

ReadLine = Callable[[str, str], Iterable[Named]]
ReadNames = Callable[[str], Iterable[str]]


def json_places(text: str, read_line: ReadLine, read_names: ReadNames) -> Iterator[Named]:
    """The places in a JSON value, if the text holds one.

    ``read_line`` reads a line of text below a path, ``read_names`` a list of names.
    """
    stack: list[tuple[str, Any]] = [("", _value(text))]  # the next one at its end
    while stack:
        path, one = stack.pop()
        if path and _is_lines(one) and len(one) == 2:
            yield Named(path, LINE, f"{one[0]}-{one[1]}")
        elif (
            isinstance(one, list)
            and one
            and isinstance(one[0], str)
            and looks_like_path(one[0])
            and not _are_paths(one)
        ):
            stack += [(one[0], _spoken(member)) for member in reversed(one[1:])]
        elif isinstance(one, list):
            stack += [(path, member) for member in reversed(one)]
        elif isinstance(one, str) and (path or any(mentioned_paths(one))):
            yield from read_line(path, one)
        elif isinstance(one, dict):
            one = {_snake(key): value for key, value in one.items()}
            path = next((one[key] for key in _PATH_KEYS if isinstance(one.get(key), str)), path)
            if isinstance(named := one.get("name"), str) and looks_like_path(named):
                path = one.pop("name")
            yield from _members(path, one, read_names) if path else ()
            deeper = [
                (key if looks_like_path(key) else path, value)
                for key, value in one.items()
                if isinstance(value, dict) or (isinstance(value, list) and not _LABEL.fullmatch(key))
            ]
            stack += reversed(deeper)


def _value(text: str) -> Any:
    """The value of JSON in a text, or the literal of Python that it is."""
    value = embedded_json(text, ("[{", "{", "[\n", '["'))
    plain = text.strip()
    if value is not None or plain[:2] not in ("[(", "[[", "{'", "['", '{"', "[{"):
        return value
    try:
        value, end = read_value(plain, 0)
    except NoValue:
        return None
    return value if end == len(plain) else None  # several values are read line by line


def _are_paths(members: list[Any]) -> bool:
    return all(isinstance(one, str) and any(mentioned_paths(one)) for one in members)


def _spoken(member: Any) -> Any:
    """A number behind a path as the line that it is."""
    return f"line: {member}" if isinstance(member, int) else member


def _number(value: Any) -> int | None:
    """A line's number, which may be written as a text, or with a column."""
    value = value.get("line") if isinstance(value, dict) else value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,7}", value.strip()):
        return int(value)
    return value if isinstance(value, int) else None


def _snake(key: str) -> str:
    return key if looks_like_path(key) else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower()


def _is_lines(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, int) for one in value)


def _members(path: str, value: dict[str, Any], read_names: ReadNames) -> Iterator[Named]:
    first = next((n for key in _FIRST_KEYS if (n := _number(value.get(key))) is not None), None)
    last = next((n for key in _LAST_KEYS if (n := _number(value.get(key))) is not None), first)
    if first is not None:
        yield Named(path, LINE, f"{first}-{last}")
    for key, content in value.items():
        label = _LABEL.fullmatch(key)
        if not label and key not in _NAME_KEYS:
            continue
        kind = kind_of(label[1]) if label else NAME
        if kind == LINE and _is_lines(content) and len(content) == 2 and "range" in key:
            yield Named(path, LINE, f"{content[0]}-{content[1]}")
            continue
        for one in content if isinstance(content, list) else [content]:
            if isinstance(one, int | str):
                yield from (Named(path, kind, name) for name in (read_lines if kind == LINE else read_names)(str(one)))
            elif _is_lines(one) and len(one) == 2:
                yield Named(path, LINE, f"{one[0]}-{one[1]}")
