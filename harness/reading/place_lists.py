"""Places in files as models write them: labels in many dresses, lists of names and of lines, tables and JSON."""

import re
from collections.abc import Iterable

from harness.reading.element_names import (
    IDENTIFIER,
    QUOTES,
    listed_names,
    members_of,
    name_with_lines,
    only_lines,
    plain_text,
    single_name,
    unwrapped,
)
from harness.reading.endings import Ending
from harness.reading.line_ranges import (
    COLUMN,
    NEXT,
    RANGE,
    mentioned_lines,
    numbered_line,
    plain_ranges,
    read_lines,
    remarked_lines,
)
from harness.reading.path_names import (
    glued_place,
    is_fence,
    looks_like_path,
    mentioned_paths,
    path_of_line,
    quoted_paths,
)
from harness.reading.place_json import json_places
from harness.reading.place_kinds import AHEAD, BEHIND, LINE, NAME, UNREAD, WORDS, Named, kind_of
from harness.reading.place_words import (
    files_apart,
    first_word,
    means_whole,
    module_places,
    of_class,
    owned,
    plain_places,
    spoken_names,
    symbol,
    untagged,
)

LONGEST_LINE = 1000  # characters of a line that are looked at
LONGEST = 200  # characters of a place that is kept although it is not understood

_LEADING = re.compile(
    r"[ \t>]*(?:[^\w\s!-~\u00a0-\u02ff]+[ \t]*)?"  # a sign of print
    r"(?:(?:[-*+•–]|\(?\d{1,3}[.)]|\*\*\d{1,3}[.)]?\*\*|\[[ xX]\]|#{1,6})[ \t]+)*"
)
_PLACE = re.compile(
    rf"[({QUOTES}_]*{AHEAD}({WORDS})(?:\(s\)|\(es\))?{BEHIND}[{QUOTES}_)]*"
    r"(?:[ \t]*(?:[:=]|->|→|[-–—](?=[ \t]))[ \t]*|[ \t]+)(.+)",
    re.I,
)
_LABEL_ONLY = re.compile(rf"[({QUOTES}_]*{AHEAD}({WORDS})(?:\(s\))?{BEHIND}[{QUOTES}_)]*[ \t]*:?[{QUOTES}_]*", re.I)
_LABELLED = re.compile(
    rf"(?<![ \t])[ \t]*[,;|][ \t]*(?:and[ \t]+)?(?=[{QUOTES}_]*{AHEAD}(?:{WORDS})\b)", re.IGNORECASE
)  # each with its label
_BEHIND = re.compile(
    rf"(?:the[ \t]+)?[`*\"']*([\w.]+)(?:\([^()]*\))?[`*\"']*[ \t]+({WORDS})[.:]?", re.IGNORECASE
)  # a label behind
_RULE = re.compile(r"(?=[^|]*\|)[ \t>|:]*-[-|:+ \t]*")  # below the head of a table
_NAME_COLUMN = re.compile(r"(?:element|symbol|identifier|entity|(?:element |symbol )?name)s?", re.IGNORECASE)
_HEADING = re.compile(
    rf"{WORDS}|{_NAME_COLUMN.pattern}|#|no\.?|rank|kind|(?:file|path|file ?name|file ?path|reason|why|explanation"
    r"|note|issue|problem|change|description|rationale|purpose|fix|summary|location|place|what)s?|",
    re.IGNORECASE,
)
_SPAN = re.compile(r"[`*]*\d{1,7}[ \t]*[-–—][ \t]*\d")  # lines, or a number of something: it is not clear which
_HEADED = re.compile(r"(?:file|path)", re.IGNORECASE)
_REASON = re.compile(
    r"(?:reason|why|explanation|note|issue|problem|changes?|description|rationale|purpose|fix|summary)s?:.*", re.I
)
_OF_PATH = re.compile(
    rf"(?:the[ \t]+)?(?:(?:{WORDS})[ \t]+)?[{QUOTES}]*([\w.]+)(?:\([^()]*\))?[{QUOTES}]*[ \t]*"
    rf"(?:\(|[ \t](?:in|of|from|at)(?:[ \t]+(?:the[ \t]+)?file)?)[ \t{QUOTES}]*",
    re.IGNORECASE,
)
_TAGS = re.compile(r"(?<=>)[ \t]*(?=</?\w)")  # between tags of XML that stands on one line
_NAME = r"`[\w.]+(?:\([^()]*\))?`"
_QUOTED_NAMES = re.compile(rf"{_NAME}(?:(?:,[ \t]*(?:and[ \t]+)?|[ \t]+(?:and|or|&)[ \t]+){_NAME})+[.:]?")


def read_places(text: str) -> tuple[Named, ...]:
    """The places that an answer proper names, in order, each once: under or behind a file's path."""
    if found := list(json_places(text, _read_line, listed_names)):
        return tuple(dict.fromkeys(found))
    reader, ending = _Reader(), Ending()
    lines = _TAGS.sub("\n", plain_places(text)).split("\n")
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if ending.over(line, bool(reader.places)):
            break
        reader.read(line[:LONGEST_LINE].rstrip(), heads=bool(_RULE.fullmatch(below[:LONGEST_LINE])))
    return tuple(dict.fromkeys(reader.places))


def _read_line(path: str, line: str) -> Iterable[Named]:
    reader = _Reader(path)
    reader.read(line[:LONGEST_LINE])
    return reader.places


class _Reader:
    """Reads line by line, with the path that the lines before named."""

    def __init__(self, path: str = "") -> None:
        self.places: list[Named] = []
        self._path = path
        self._kind = ""  # of a label that stands alone, for the lines below it
        self._items = 0  # of a list that is numbered as in "1: name"
        self._columns: dict[int, str] = {}  # kinds that the head of a table names
        self._seen: dict[tuple[str, str, str, str], tuple[str, str]] = {}  # a line and what it was read with, and left

    def read(self, line: str, heads: bool = False) -> None:
        """One line: a path, places, both, or something else; one that was read already adds nothing.

        ``heads``: a rule is below it, so that a row is the head of its table.
        """
        known = (line, self._path, self._kind, str(self._columns))
        if known in self._seen:
            self._path, self._kind = self._seen[known]
        else:
            self._read(line, heads)
            self._seen[known] = (self._path, self._kind)

    def _read(self, line: str, heads: bool) -> None:
        leading = _LEADING.match(line)
        body = untagged(line[leading.end() if leading else 0 :].strip())
        if not body or is_fence(line):
            return
        if body.count("|") >= 2 and body.startswith("|"):
            self._read_row([cell.strip() for cell in body.strip("|").split("|")], heads)
            return
        if files := files_apart(body):
            for part in files:
                self._read_part(plain_ranges(part), listed=True)
            return
        first, *more = _LABELLED.split(body)
        if not more or not (_PLACE.fullmatch(first) or looks_like_path(path_of_line(first))):
            first, more = body, []
        self._read_part(plain_ranges(first), bool(leading and leading[0].strip(" \t>#")))
        for part in more:
            self._read_part(plain_ranges(part), listed=True)

    def _read_part(self, body: str, listed: bool) -> None:
        if (label := _LABEL_ONLY.fullmatch(body)) and not (listed and body == f"`{label[1]}`"):
            self._kind = kind_of(label[1])
        elif found := _BEHIND.fullmatch(body):
            self._add(kind_of(found[2]), found[1])
        elif not self._read_place(body) and not self._read_path(body):
            self._read_bare(body, listed)

    def _read_row(self, cells: list[str], heads: bool) -> None:
        paths, labels = [path_of_line(cell) for cell in cells], [_LABEL_ONLY.fullmatch(cell) for cell in cells]
        path = next(filter(looks_like_path, paths), "")
        self._path = path or self._path
        if not path and (heads or all(_HEADING.fullmatch(plain_text(cell)) for cell in cells)):
            self._columns = {n: NAME for n, cell in enumerate(cells) if _NAME_COLUMN.fullmatch(plain_text(cell))}
            self._columns |= {number: kind_of(label[1]) for number, label in enumerate(labels) if label}
            return
        kind = next((kind_of(label[1]) for label in labels if label), "")
        rest = [n for n, cell in enumerate(cells) if not looks_like_path(paths[n]) and cell.strip("-: ")]
        before = len(self.places)
        for number in [number for number in rest if not labels[number]]:
            cell, column = cells[number], self._columns.get(number, "")
            meant = (kind or column if column == NAME else column or kind) or (
                LINE if RANGE.fullmatch(plain_text(cell)) else ""
            )
            if not self._read_place(cell) and meant:
                self._add(meant, cell)
                kind = ""
        if rest and self._path and not path and len(self.places) == before:
            names = [cells[number] for number in rest if single_name(cells[number])]
            self._add_members([(NAME, name) for name in names] or [(UNREAD, " | ".join(cells))])

    def _read_place(self, body: str) -> bool:
        """Whether the line begins with a label."""
        found = _PLACE.fullmatch(body)
        if not found:
            return False
        kind, rest = kind_of(found[1]), found[2].strip()
        marked = re.search(r"[:=]|->|→", body[: found.start(2)]) is not None
        if not marked and not (any(read_lines(rest)) if kind == LINE else single_name(rest) or members_of(rest)):
            return False
        behind = next(mentioned_paths(rest), "") if kind == LINE or " in " in rest else ""
        self._path = behind or self._path
        self._kind = ""
        self._add(kind, rest)
        self.places += [Named(self._path, NAME, name) for name in spoken_names(rest) if kind == LINE]
        return True

    def _read_path(self, body: str) -> bool:
        """Whether the line names a file, and places in it behind its path."""
        if glued := glued_place(body):
            self._read_glued(*glued)
            return True
        path = path_of_line(body)
        if not (looks_like_path(path) or "/" in path or (path and _HEADED.match(body))):
            path = next(quoted_paths(body), "")
        if not path and looks_like_path(head := first_word(body)):
            path = head
        if not path and _OF_PATH.match(body):
            path = next(mentioned_paths(body), "")
        if not path:
            return False
        self._path, self._kind = path, ""
        before, _, behind = body.partition(path) if path in body else ("", "", "")
        behind = behind.lstrip("_") if before.endswith("_") else behind
        if of := _OF_PATH.fullmatch(before):
            self._add(NAME, of[1])
        behind = COLUMN.sub(r":\1", behind, count=1) if COLUMN.match(behind) else behind
        self._read_behind(behind.lstrip(QUOTES + " \t,:#@[(-–—→>|"), body)
        self.places += [Named(path, NAME, name) for name in spoken_names(behind)]
        if not any(mentioned_paths(behind)):
            self._add_lines(behind)
        return True

    def _read_glued(self, path: str, behind: str) -> None:
        """What a sign or a slash joins to a path: it is meant as a place, understood or not."""
        self._path, self._kind = path, ""
        behind = plain_ranges(COLUMN.sub(r":\1", behind, count=1))
        if members := members_of(behind):
            self._add_members(members)
        elif not self._read_place(behind):
            self._add(NAME if single_name(behind) else LINE if RANGE.match(behind) else UNREAD, behind)

    def _read_behind(self, behind: str, body: str) -> None:
        """What stands behind a path on its line."""
        called = re.fullmatch(r"([\w.]+)\([^()]*\)", behind.rstrip(QUOTES))
        first, *more = _LABELLED.split(behind.rstrip(QUOTES + ")]"))
        read = bool(first) and self._read_place(plain_ranges(first))
        for part in more:
            self._read_place(part)
        members = members_of(first) if first and not read else []
        if called:
            self._add(NAME, called[1])
        elif NAME in dict(members):
            self._add_members(members)
        elif first and not read and RANGE.match(first):
            self._add(LINE, first)
        elif first and not read and "::" in body and (name := IDENTIFIER.match(first)):
            self._add(NAME, name[0])
        elif first and not read and all(map(single_name, NEXT.split(first))):
            self._add(NAME, first)

    def _read_bare(self, body: str, listed: bool) -> None:
        """A line without a label: lines or a name, under a path or under a label that stands alone."""
        if self._kind:
            self._add(self._kind, body)
        elif not self._path or _REASON.fullmatch(body):
            self.places += [Named(*found) for found in module_places(body) if not self._path]
        elif means_whole(body):
            self.places.append(Named(self._path, LINE, f"1-{10**7 - 1}"))
        elif name := self._item(body):
            self._add(NAME, name)
        elif number := numbered_line(body):
            self._add(LINE, number)
        elif only_lines(body) or remarked_lines(body)[0]:
            self._add(LINE, body)
        elif found := name_with_lines(body):
            self._add(NAME, found[0])
            self._add(LINE, found[1])
        elif not listed and _QUOTED_NAMES.fullmatch(body):
            self._add(NAME, body)
        elif name := owned(body) or symbol(body):
            self._add(NAME, name)
        elif not single_name(body) and (members := members_of(body)):
            self._add_members(members)
        elif listed or single_name(body) or _SPAN.match(body):
            single = single_name(body)
            self.places.append(Named(self._path, NAME if single else UNREAD, single or body[:LONGEST]))
            self._add_lines(body)
        elif mentioned_lines(body):
            self._add_lines(body)
        elif (place := _PLACE.fullmatch(body)) and kind_of(place[1]) == LINE and place[2][:1].isdigit():
            self.places.append(Named(self._path, UNREAD, body[:LONGEST]))

    def _item(self, body: str) -> str:
        """The name behind the number that is next, from one on: an item of a numbered list, and no line."""
        lines, remark = remarked_lines(body)
        if lines != str(self._items + 1) or not IDENTIFIER.fullmatch(plain_text(remark)):
            return ""
        self._items += 1
        return remark

    def _add_members(self, members: Iterable[tuple[str, str]]) -> None:
        for kind, member in members:
            self._add(kind, member)

    def _add(self, kind: str, text: str) -> None:
        text = of_class(text if kind == LINE else unwrapped(text))
        names = list(read_lines(text) if kind == LINE else listed_names(text))
        known = kind if names and kind != UNREAD else UNREAD
        names = names if known != UNREAD else [text.strip(QUOTES + " \t")[:LONGEST]]
        self.places += [Named(self._path, known, name) for name in names if name]
        if kind != LINE:
            self._add_lines(text)

    def _add_lines(self, text: str) -> None:
        """The lines that stand beside a name: of what it names, or of something else."""
        self.places += [Named(self._path, LINE, lines) for lines in mentioned_lines(text)]
