"""Places in files as models write them: labels in many dresses, lists of names and of lines, tables and JSON."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.reading.embedded_json import embedded_json
from harness.reading.endings import Ending
from harness.reading.path_names import is_fence, looks_like_path, mentioned_paths, path_of_line, quoted_paths

LINE, NAME, UNREAD = "line", "name", "unread"  # kinds beside class, function, method and variable
LONGEST_LINE = 1000  # characters of a line that are looked at
LONGEST = 200  # characters of a place that is kept although it is not understood

_KINDS = (
    (re.compile(r"class(?:es)?|struct|interface|enum|type", re.IGNORECASE), "class"),
    (re.compile(r"functions?|funcs?|def|fn|async (?:def|function)|sub|subroutine", re.IGNORECASE), "function"),
    (re.compile(r"methods?|propert(?:y|ies)|constructor", re.IGNORECASE), "method"),
    (re.compile(r"variables?|vars?|constants?|const|attributes?|fields?|globals?|global variables?", re.I), "variable"),
    (re.compile(r"line numbers?|line ranges?|lineno|lines?|ll?\.?|ln\.?|ranges?", re.IGNORECASE), LINE),
)  # fmt: skip
_WORDS = "|".join(pattern.pattern for pattern, _ in _KINDS)
_LEADING = re.compile(r"[ \t>]*(?:(?:[-*+•–]|\(?\d{1,3}[.)]|\*\*\d{1,3}[.)]?\*\*|\[[ xX]\]|#{1,6})[ \t]+)*")
_QUOTES = "*`_\"'"
_PLACE = re.compile(
    rf"[({_QUOTES}]*({_WORDS})(?:\(s\)|\(es\))?[{_QUOTES})]*(?:[ \t]*(?:[:=]|->|→|[-–—](?=[ \t]))[ \t]*|[ \t]+)(.+)",
    re.I,
)
_LABEL_ONLY = re.compile(rf"[({_QUOTES}]*({_WORDS})(?:\(s\))?[{_QUOTES})]*[ \t]*:?[{_QUOTES}]*", re.IGNORECASE)

_TO = r"[ \t]*(?:->|→|~|-|–|—|\.{2,3}|…|:|\bto\b|\bthrough\b|\bthru\b|\buntil\b|\btill\b)[ \t]*"
_RANGE = re.compile(
    rf"[ \t]*(?:(?:lines?|from|L)[ \t]*)?(\d{{1,7}})(?:{_TO}(?:lines?[ \t]*|L)?(\d{{1,7}}))?(?![\w.])", re.IGNORECASE
)
_NEXT = re.compile(r"[ \t]*(?:,[ \t]*(?:and|or)?|;|&|\+|/|\band\b|\bor\b)[ \t]*", re.IGNORECASE)
_AHEAD = re.compile(r"[ \t]*(?:(?:around|about|approximately|approx\.?|near|at|from)[ \t]+|~|\[|\()+", re.IGNORECASE)
_AT = re.compile(r"(?:(?:starting|beginning|see|around|near|at|on|from)[ \t]+){1,2}(?=lines?[ \t]*\d)", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween[ \t]+(?:lines?[ \t]+)?(\d+)[ \t]+and[ \t]+(\d+)", re.IGNORECASE)
_LABELLED = re.compile(rf"[,;][ \t]*(?=(?:{_WORDS})\b)", re.IGNORECASE)  # between places that have labels of their own
_BEHIND = re.compile(rf"[`*\"']+([\w.]+)(?:\([^()]*\))?[`*\"']+[ \t]+({_WORDS})[.:]?", re.IGNORECASE)  # a label behind
_COLUMN = re.compile(r":(\d+):\d+\b")
_REMARK = re.compile(
    r"[ \t]+(?:[-–—=]+>?|→|#|//)[ \t]+.*|:[ \t]+.*|[ \t]+#.*"
    r"|[ \t]+(?:because|since|which|where|that|as|is|needs?|should|must|has|in|of|at|for|on)[ \t].*"
)
_HEADED = re.compile(r"(?:file|path)", re.IGNORECASE)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_IDENTIFIER = re.compile(r"[*&~@$]?[\w$]+(?:(?:\.|::|#|->)[*~$]?[\w$]+)*[!?]?")

_PATH_KEYS = ("file", "path", "file_path", "filepath", "filename", "file_name", "location")
_FIRST_KEYS, _LAST_KEYS = (
    ("start_line", "start", "from", "line_start", "first"),
    ("end_line", "end", "to", "line_end", "last"),
)


@dataclass(frozen=True)
class Named:
    """A place as the model wrote it."""

    path: str
    kind: str  # "class", "function", "method", "variable", "line", "name" (of any), "unread" (what was not understood)
    name: str  # of lines "12" or "12-20"


def read_places(text: str) -> tuple[Named, ...]:
    """The places that an answer proper names, in order, each once: under or behind a file's path."""
    if found := list(_json_places(text)):
        return tuple(dict.fromkeys(found))
    reader, ending = _Reader(), Ending()
    for line in text.split("\n"):
        if ending.over(line, bool(reader.places)):
            break
        reader.read(line[:LONGEST_LINE].rstrip())
    return tuple(dict.fromkeys(reader.places))


class _Reader:
    """Reads line by line, with the path that the lines before named."""

    def __init__(self) -> None:
        self.places: list[Named] = []
        self._path = ""
        self._kind = ""  # of a label that stands alone, for the lines below it
        self._columns: dict[int, str] = {}  # kinds that the head of a table names

    def read(self, line: str) -> None:
        """One line: a path, places, both, or something else."""
        leading = _LEADING.match(line)
        body = _BETWEEN.sub(r"\1-\2", _AT.sub("", line[leading.end() if leading else 0 :].strip()))
        if not body or is_fence(line):
            return
        if body.count("|") >= 2 and body.startswith("|"):
            self._read_row([cell.strip() for cell in body.strip("|").split("|")])
        elif label := _LABEL_ONLY.fullmatch(body):
            self._kind = _kind(label[1])
        elif found := _BEHIND.fullmatch(body):
            self._add(_kind(found[2]), found[1])
        elif not self._read_place(body) and not self._read_path(body):
            self._read_bare(body, listed=bool(leading and leading[0].strip(" \t>#")))

    def _read_row(self, cells: list[str]) -> None:
        paths, labels = [path_of_line(cell) for cell in cells], [_LABEL_ONLY.fullmatch(cell) for cell in cells]
        self._path = next(filter(looks_like_path, paths), self._path)
        kinds = {number: _kind(label[1]) for number, label in enumerate(labels) if label}
        if kinds and not self._columns and not any(re.search(r"[\d._(]", cell) for cell in cells):
            self._columns = kinds
            return
        kind = next(iter(kinds.values()), "")
        for number, cell in enumerate(cells):
            if looks_like_path(paths[number]) or labels[number] or not cell.strip("-: "):
                continue
            meant = self._columns.get(number) or kind or (LINE if _RANGE.fullmatch(_plain(cell)) else "")
            if not self._read_place(cell) and meant:
                self._add(meant, cell)
                kind = ""

    def _read_place(self, body: str) -> bool:
        """Whether the line begins with a label."""
        found = _PLACE.fullmatch(body)
        if not found:
            return False
        kind, rest = _kind(found[1]), found[2].strip()
        marked = re.search(r"[:=]|->|→", body[: found.start(2)]) is not None
        if not marked and not (_RANGE.match(_plain(rest)) if kind == LINE else _single(rest)):
            return False
        behind = next(mentioned_paths(rest), "") if kind == LINE or " in " in rest else ""
        self._path = behind or self._path
        self._kind = ""
        self._add(kind, rest)
        return True

    def _read_path(self, body: str) -> bool:
        """Whether the line names a file, and places in it behind its path."""
        path = path_of_line(body)
        if not (looks_like_path(path) or "/" in path or (path and _HEADED.match(body))):
            path = next(quoted_paths(body), "")
        if not path and looks_like_path(head := re.split(r"[ \t:,(]", body.strip(_QUOTES), maxsplit=1)[0]):
            path = head
        if not path:
            return False
        self._path, self._kind = path, ""
        behind = body.split(path, 1)[1] if path in body else ""
        behind = _COLUMN.sub(r":\1", behind, count=1) if _COLUMN.match(behind) else behind
        behind = behind.lstrip(_QUOTES + " \t,:#(-–—→>")
        called = re.fullmatch(r"([\w.]+)\([^()]*\)", behind.rstrip(_QUOTES))
        parts = _LABELLED.split(behind.rstrip(_QUOTES + ")"))
        behind = parts[0]
        read = bool(behind) and self._read_place(behind)
        for part in parts[1:]:
            self._read_place(part)
        if called:
            self._add(NAME, called[1])
        elif behind and not read and _RANGE.match(behind):
            self._add(LINE, behind)
        elif behind and not read and "::" in body and (name := _IDENTIFIER.match(behind)):
            self._add(NAME, name[0])
        return True

    def _read_bare(self, body: str, listed: bool) -> None:
        """A line without a label: lines or a name, under a path or under a label that stands alone."""
        plain = _plain(body)
        if self._kind:
            self._add(self._kind, body)
        elif self._path and (found := _RANGE.match(plain)) and not plain[found.end() :].strip(" \t,;:0123456789-–"):
            self._add(LINE, body)
        elif self._path and (listed or (_single(body) and re.search(r"[._(]", body))):
            single = _single(body)
            self.places.append(Named(self._path, NAME if single else UNREAD, single or body[:LONGEST]))

    def _add(self, kind: str, text: str) -> None:
        names = list(_lines(text) if kind == LINE else _names(text))
        kind = kind if names else UNREAD
        names = names or [text.strip(_QUOTES + " \t")[:LONGEST]]
        self.places += [Named(self._path, kind, name) for name in names if name]


def _kind(word: str) -> str:
    return next(kind for pattern, kind in _KINDS if pattern.fullmatch(word))


def _plain(text: str) -> str:
    """Without quotes, and without what stands in brackets."""
    return re.sub(r"[`*\"']", "", _BRACKETS.sub("", text)).strip()


def _single(text: str) -> str:
    """The one name that a text consists of, but for a remark behind it."""
    plain = _REMARK.sub("", _plain(text)).strip(" \t:,;.")
    return plain if _IDENTIFIER.fullmatch(plain) and not plain.isdigit() else ""


def _names(text: str) -> Iterator[str]:
    """The names in a list, without parameters, bases and remarks."""
    plain = _REMARK.sub("", _plain(text)).strip(" \t:,;.")
    for part in _NEXT.split(plain):
        part = re.sub(rf"^(?:{_WORDS})[ \t]+", "", part.strip(" \t:,;."), flags=re.IGNORECASE)
        if found := _IDENTIFIER.match(part):
            yield found[0]


def _lines(text: str) -> Iterator[str]:
    """The lines and ranges in a list, each as ``12`` or ``12-20``; a remark ends it, or goes on to the next comma."""
    plain = re.sub(r"[`*\"']", "", text)
    if not re.match(r"[ \t]*[\[(]", plain):
        plain = _BRACKETS.sub("", plain)
    plain = plain.replace("[", "").replace("]", "").replace("(", "").replace(")", "")
    position = 0
    if ahead := _AHEAD.match(plain):
        position = ahead.end()
    while found := _RANGE.match(plain, position):
        yield f"{int(found[1])}-{int(found[2])}" if found[2] else str(int(found[1]))
        following = _NEXT.match(plain, found.end())
        if following is None:
            remark = re.compile(r"[ \t]*[:–—-][^,;]*[;,]").match(plain, found.end())
            if not remark:
                return
            position = remark.end()
        else:
            position = following.end()


def _json_places(text: str) -> Iterator[Named]:
    """The places in a JSON value, if the text holds one."""
    stack: list[tuple[str, Any]] = [("", embedded_json(text, ("[{", "{", "[\n")))]
    while stack:
        path, one = stack.pop(0)
        if isinstance(one, list):
            stack = [(path, member) for member in one] + stack
        elif isinstance(one, str) and path:
            reader = _Reader()
            reader._path = path
            reader.read(one)
            yield from reader.places
        elif isinstance(one, dict):
            path = next((one[key] for key in _PATH_KEYS if isinstance(one.get(key), str)), path)
            yield from _json_members(path, one)
            deeper = [(k if looks_like_path(k) else path, v) for k, v in one.items() if isinstance(v, dict | list)]
            stack = [(at, v) for at, v in deeper if at and not _is_lines(v)] + stack


def _is_lines(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, int) for one in value)


def _json_members(path: str, value: dict[str, Any]) -> Iterator[Named]:
    first = next((value[key] for key in _FIRST_KEYS if isinstance(value.get(key), int)), None)
    last = next((value[key] for key in _LAST_KEYS if isinstance(value.get(key), int)), first)
    if first is not None:
        yield Named(path, LINE, f"{first}-{last}")
    for key, content in value.items():
        label = _LABEL_ONLY.fullmatch(key)
        if not label and key != "name":
            continue
        kind = _kind(label[1]) if label else NAME
        if kind == LINE and _is_lines(content) and len(content) == 2 and "range" in key:
            yield Named(path, LINE, f"{content[0]}-{content[1]}")
            continue
        for one in content if isinstance(content, list) else [content]:
            if isinstance(one, int | str):
                yield from (Named(path, kind, name) for name in (_lines if kind == LINE else _names)(str(one)))
            elif _is_lines(one) and len(one) == 2:
                yield Named(path, LINE, f"{one[0]}-{one[1]}")
