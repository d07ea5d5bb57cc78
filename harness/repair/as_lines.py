"""Edits of other kinds as edits of whole lines, which are met with a file and merged."""

import html
import re
from collections import Counter
from dataclasses import replace

from harness.core.candidate import Edit, EditKind, Reason
from harness.repair.elision import leaves_out
from harness.repair.match import EditRefused, SourceFile

KEPT = 0.4  # share of a file's distinct lines that a whole file for it must keep; else it is a part, or another file
_HEAD = re.compile(
    r"[ \t]*(?:#+|//+|--|/\*+|<!--|%|;+)[ \t]*(\S+)[ \t]*(?:\*/|-->)?[ \t]*\n(?:[ \t]*\n)?"
)  # a comment with its path
EDGE = 0.05  # share of a file's lines that a whole file for it may lack at its beginning or its end
SHORT = 10  # lines of a file that may be written anew altogether


def as_lines(edit: Edit, file: SourceFile) -> Edit:
    """The same change of ``file`` as an edit of whole lines. Raises EditRefused if there is none."""
    lines = file.text()
    if edit.kind in (EditKind.WHOLE, EditKind.REWRITTEN):
        return _whole(edit, lines)
    if edit.kind is EditKind.INSERTED:
        return _inserted(edit, lines)
    text, search = "".join(f"{line}\n" for line in lines), edit.search
    count = text.count(search) if search else 0
    if count and edit.everywhere:
        return Edit(edit.path, text, text.replace(search, edit.replace))
    if count > 1 and search.split("\n")[0] not in lines:
        raise EditRefused(Reason.AMBIGUOUS_MATCH, f"the file holds the search text {count} times")
    if count != 1:
        return Edit(edit.path, _ended(search), _ended(edit.replace))
    start = text.index(search)
    first = text.rfind("\n", 0, start) + 1
    last = start + len(search)
    if not search.endswith("\n"):
        last = text.find("\n", last) + 1
        changed = text[first:start] + edit.replace + text[start + len(search) : last]
    else:
        changed = text[first:start] + _ended(edit.replace)
    return Edit(edit.path, text[first:last], "" if changed == "\n" and not edit.replace else changed)


def _whole(edit: Edit, lines: list[str]) -> Edit:
    shown = [line for line in edit.search.split("\n") if line.strip()]
    if shown and not edit.replace and shown != [line for line in lines if line.strip()]:
        raise EditRefused(Reason.PARSE_FAILURE, f"a file is deleted, and {len(shown)} of its {len(lines)} lines shown")
    if edit.replace and not edit.replace.strip():
        if any(map(str.strip, lines)):
            raise EditRefused(Reason.PARSE_FAILURE, "a whole file without any text")
        return Edit(edit.path, "", "")  # such as an __init__.py
    if (head := _HEAD.match(edit.replace)) and head[1] == edit.path and lines and lines[0] != head[0].split("\n")[0]:
        edit = replace(edit, replace=edit.replace[head.end() :])
    if lines and leaves_out(edit.replace, lines):
        raise EditRefused(Reason.ELISION, "a whole file with ... in the place of lines that the file has")
    known, plain = set(lines), html.unescape(edit.replace)
    if plain != edit.replace and _kept(plain, known) > _kept(edit.replace, known):
        edit = replace(edit, replace=plain)
    if edit.replace and (problem := _is_part(edit, lines)):
        raise EditRefused(Reason.PARSE_FAILURE, f"a whole file that {problem}, which is a part of it or another file")
    return Edit(edit.path, "".join(f"{line}\n" for line in lines), edit.replace)


def _kept(text: str, known: set[str]) -> int:
    """How many lines of a text are known."""
    return sum(line in known for line in text.split("\n"))


def _is_part(edit: Edit, lines: list[str]) -> str:
    """What a whole file lacks of the one that it is written for, if that is too much; else nothing.

    Few lines may be written anew altogether, but not by fewer ones or where a sentence alone speaks of the file.
    """
    old, new = ([line for line in text if line.strip()] for text in (lines, edit.replace.split("\n")))
    known = set(old)
    kept = known & set(new)
    long = len(lines) > SHORT or edit.kind is EditKind.REWRITTEN or 2 * len(new) < len(old)
    if long and len(kept) < KEPT * len(known):
        return f"keeps {len(kept)} of {len(known)} lines"
    lost = max(_lost_ahead(old, new), _lost_ahead(old[::-1], new[::-1]))
    return f"lacks {lost} lines of one end" if lost > max(1, EDGE * len(old)) else ""


def _lost_ahead(old: list[str], new: list[str]) -> int:
    """How many lines fewer the new text has ahead of the first line that both have once."""
    once, counts = {line for line, count in Counter(old).items() if count == 1}, Counter(new)
    first = next((number for number, line in enumerate(new) if line in once and counts[line] == 1), None)
    return 0 if first is None else sum(line not in counts for line in old[: old.index(new[first])]) - first


def _inserted(edit: Edit, lines: list[str]) -> Edit:
    """The lines put in, with the nearest ones that are not blank above or below, by which they are met."""
    place = edit.line
    if place > len(lines):
        raise EditRefused(Reason.NO_MATCH, f"the file has {len(lines)} lines, none of them is line {place}")
    above = next((number for number in range(place, 0, -1) if lines[number - 1].strip()), 0)
    below = next((number for number in range(place, len(lines)) if lines[number].strip()), len(lines))
    first, last = (above - 1, place) if above else (place, min(below + 1, len(lines)))
    old, new = "".join(f"{line}\n" for line in lines[first:last]), _ended(edit.replace)
    return Edit(edit.path, old, old + new if above else new + old, line=first + 1)


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
