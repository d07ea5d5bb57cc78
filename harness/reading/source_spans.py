"""Where an answer gives source otherwise than in blocks: in fences, hunks, envelopes, calls and what a shell writes."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

from harness.reading.call_keys import CONTENT, NEW, OLD, pattern
from harness.reading.heredocs import HEREDOC
from harness.reading.path_names import MARKUP, path_above, path_of_line

Span = tuple[int, int]  # of characters, from the first to behind the last
Lines = Sequence[tuple[int, str]]  # each with the place at which it begins

_FENCE = re.compile(r"([ \t]*)(```+|~~~+)[ \t]*([^`\n]*)")
_PLAIN = re.compile(  # the name of no language in which source is written: such a fence may hold the answer itself
    r"(?:te?xt|plain\w*|markdown|md|xml|json|output|answer|response|none|\w*(?:think|thought|reason|scratch)\w*)?(?!\w)",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"(?:markdown|md|mdx|rst)\b", re.IGNORECASE)
_DIFF = re.compile(r"u?diff\b|patch\b", re.IGNORECASE)
_BLOCK = re.compile(r"^[ \t>]*[<-]{3,12}[ \t]*(?:SEARCH|ORIGINAL|OLD|BEFORE|FIND|HEAD)\b", re.I | re.M)
_CHANGE = re.compile(r"\s*(?:diff --git |--- \S|@@ |\*\*\* (?:Begin Patch|\w+ File:))")
_COMMENT = re.compile(r"[ \t]*(?:#+|//+|/\*+|<!--|--|%+|;+)[ \t]")
_HEADER = re.compile(r"[ \t]*(?:@@|diff --git |--- \S|\+\+\+ \S|\*\*\* \w+ File:)")
_SIGNED = (" ", "+", "-", "\\", "\t")
_KEYS = pattern(*OLD, *NEW, *CONTENT)
_FILES = r"file|document|boltAction|\w{0,20}(?:create|write|update|full)\w{0,20}file\w{0,20}"
_VALUE = re.compile(
    rf"(?P<opens>"
    rf"<(?:\w+:)?(?:parameter(?:=|[ \t]+name=[\"']?)(?:{_KEYS})|arg_value|{_KEYS}|{_FILES})\b[^<>\n]{{0,400}}>"
    rf"|<\|open\|>argument key=[^<>|\n]{{0,80}}<\|sep\|>|\[(?:{_KEYS})\])"
    rf"|</(?:\w+:)?(?:parameter|arg_value|{_KEYS}|{_FILES})>|<\|close\|>argument<\|sep\|>|\[/(?:{_KEYS})\]",
    re.IGNORECASE,
)
_ARGUMENT = re.compile(
    rf"\b(?:{_KEYS})[ \t]*=[ \t]*(?:\"\"\"(?:(?!\"\"\").)*+\"\"\"|'''(?:(?!''').)*+''')", re.IGNORECASE | re.DOTALL
)


def source_spans(text: str) -> list[Span]:
    """The parts of an answer that are source, in order; none touches another. What never ends is not among them."""
    texts = text.split("\n")
    starts = accumulate((len(line) + 1 for line in texts), initial=0)
    lines = list(zip(starts, texts, strict=False))
    return _merged([*_fences(text, lines), *_hunks(lines), *_envelopes(lines), *_heredocs(lines), *_values(text)])


def _merged(spans: Sequence[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _fences(text: str, lines: Lines) -> Iterator[Span]:
    """The insides of closed fences that hold a file or a part of one, or a diff.

    A fence that begins with a language's name within another begins anew, since the other was given up, except in
    Markdown, where it is a part of the file. If the last mark of all opens nothing, those before it may have been taken
    for their opposites: since a fence with a name none counts.
    """
    if "```" not in text and "~~~" not in text:
        return
    plain = [line for _, line in lines]
    opened, depth, floor, nests = -1, 0, 0, False
    mark: tuple[str, str] = ("", "")
    known: list[Span] = []
    for number, (_, line) in enumerate(lines):
        found = _FENCE.fullmatch(line)
        if not found or (opened >= 0 and (found[1], found[2]) != mark):
            continue
        named = bool(found[3].strip())
        if opened >= 0 and nests and (named or depth):
            depth += 1 if named else -1
        elif opened >= 0 and not named:
            if start := _content(plain, floor, opened, number):
                known.append((lines[start][0], lines[number][0]))
            opened, floor = -1, number + 1
        else:
            if named:
                yield from known
                known = []
            floor = opened + 1 if opened >= 0 else floor
            opened, mark, depth = number, (found[1], found[2]), 0
            nests = bool(_MARKUP.match(found[3])) or path_above(plain, floor, number + 1).endswith(MARKUP)
    if opened < 0 or plain[opened].strip(" \t`~"):
        yield from known


def _content(lines: Sequence[str], floor: int, opened: int, closed: int) -> int:
    """The line at which the source in a fence begins; 0 if it holds none, or may hold the answer itself."""
    body = "\n".join(lines[opened + 1 : closed])
    name = lines[opened].strip(" \t`~")
    if _BLOCK.search(body) or not body.strip():
        return 0
    if _DIFF.match(name) or _CHANGE.match(body):
        changed = (n for n in range(opened + 1, closed) if _HEADER.match(lines[n]) or lines[n][:1] in ("+", "-"))
        return next(changed, 0)
    headed = path_above(lines, floor, opened + 1)
    commented = _COMMENT.match(lines[opened + 1]) and path_of_line(lines[opened + 1])
    return opened + 1 if headed or commented or not _PLAIN.match(name) else 0


def _hunks(lines: Lines) -> Iterator[Span]:
    """The lines with a sign below the headers of diffs and envelopes, up to the first line without one."""
    begun = -1
    for place, line in lines:
        if _HEADER.match(line):
            begun = begun if begun >= 0 else place
        elif begun >= 0 and line and not line.startswith(_SIGNED):
            yield begun, place
            begun = -1
    if begun >= 0:
        yield begun, lines[-1][0] + len(lines[-1][1])


def _envelopes(lines: Lines) -> Iterator[Span]:
    """From what begins each patch of apply_patch to what ends it."""
    begun = -1
    for place, line in lines:
        if line.lstrip().startswith("*** Begin Patch"):
            begun = place
        elif begun >= 0 and line.lstrip().startswith("*** End Patch"):
            yield begun, place
            begun = -1


def _heredocs(lines: Lines) -> Iterator[Span]:
    """What the commands of a shell write into files."""
    begun, word = -1, ""
    for place, line in lines:
        if "<<" in line and (command := HEREDOC.fullmatch(line)):
            begun, word = place + len(line), command[2]
        elif begun >= 0 and line.strip() == word:
            yield begun, place
            begun = -1


def _values(text: str) -> Iterator[Span]:
    """The values of a call between tags, or between three quotes; a tag that opens another begins anew."""
    start = -1
    for found in _VALUE.finditer(text):
        if found["opens"]:
            start = found.end()
        elif start >= 0:
            if not _BLOCK.search(text, start, found.start()):
                yield start, found.start()
            start = -1
    yield from (found.span() for found in _ARGUMENT.finditer(text))
