"""Lines and ranges of lines as models write them."""

import re
from collections.abc import Iterator

_TO = r"[ \t]*(?:->|→|~|--?|–|—|\.{2,3}|…|:|\b(?:(?:up|down)[ \t]+)?to\b|\bthrough\b|\bthru\b|\buntil\b|\btill\b)[ \t]*"
RANGE = re.compile(
    rf"[ \t]*(?:(?:lines?|from|L)[ \t]*)?(\d{{1,7}})(?:{_TO}(?:lines?[ \t]*|L)?(\d{{1,7}}))?(?:ff?(?!\w))?(?!\w|\.\w)",
    re.IGNORECASE,
)
NEXT = re.compile(r"(?<![ \t])[ \t]*(?:,[ \t]*(?:and|or)?|;|&|\+|/|\band\b|\bor\b)[ \t]*", re.IGNORECASE)
_AHEAD = re.compile(
    r"[ \t]*(?:(?:around|about|approximately|approx\.?|near|at|from|no\.?|number)[ \t]+|~|#|\[|\()+", re.IGNORECASE
)
_AT = re.compile(
    r"(?:(?:the[ \t]+(?:bug|error|fault|problem|issue)[ \t]+is|starting|beginning|see|insert|add|change|edit|modify|fix"
    r"|around|near|after|before|below|above|at|on|in|from)[ \t]+){1,4}(?=(?:lines?|L)[ \t]*[~#]?\d)",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"\bbetween[ \t]+(?:lines?[ \t]+)?(\d+)[ \t]+and[ \t]+(?:line[ \t]+)?(\d+)", re.IGNORECASE)
_START_END = re.compile(
    r"\b(?:start|first|from)(?:[ _]?line)?[ \t]*[:=]?[ \t]*(\d+)[ \t]*[,;]?[ \t]*"
    r"\b(?:end|last|to)(?:[ _]?line)?[ \t]*[:=]?[ \t]*(\d+)",
    re.IGNORECASE,
)
COLUMN = re.compile(r":(\d+):\d+\b")
_NUMBERED = re.compile(r"(\d{1,7})[ \t]*[:|]{1,2}(?!\d)(?:[ \t]{2,}|[ \t](?=\S*[(=.:]|[a-z]+[ ]))\S.*")
_PROMPTED = re.compile(r"(\d{1,7})[ \t]?\|(?!\|).*")  # as a prompt shows the lines of a file
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_REMARK = re.compile(r"[ \t]*(?::(?!\d)|[-–—=]+>?(?=[ \t])|→|#|//|\()[ \t]*(.*\w.*)")  # behind lines
_MENTIONED = re.compile(
    rf"\b(?:lines?[ \t]*#?|L)(\d{{1,7}})(?:{_TO}(?:lines?[ \t]*|L)?(\d{{1,7}}))?(?:ff?(?!\w))?(?!\w|\.\w)", re.I
)


def plain_ranges(body: str) -> str:
    """A line of an answer with its ranges in the one form, and without the words ahead of its lines."""
    body = _START_END.sub(r"lines \1-\2", _BETWEEN.sub(r"\1-\2", body))
    at = _AT.match(body)
    return body[at.end() :] if at else body


def read_lines(text: str) -> Iterator[str]:
    """The lines and ranges in a list, each as ``12`` or ``12-20``; a remark ends it, or goes on to the next comma."""
    plain = re.sub(r"[`*\"']", "", text)
    if not re.match(r"[ \t]*[\[(]", plain):
        plain = _BRACKETS.sub("", plain)
    plain = plain.replace("[", "").replace("]", "").replace("(", "").replace(")", "")
    position = 0
    if ahead := _AHEAD.match(plain):
        position = ahead.end()
    while found := RANGE.match(plain, position):
        yield _range(found)
        following = NEXT.match(plain, found.end())
        if following is None:
            remark = re.compile(r"[ \t]*[:–—-][^,;]*[;,]").match(plain, found.end())
            if not remark:
                return
            position = remark.end()
        else:
            position = following.end()


def mentioned_lines(text: str) -> list[str]:
    """The lines that a text speaks of by the word."""
    return [_range(found) for found in _MENTIONED.finditer(text)]


def numbered_line(body: str) -> str:
    """The number ahead of a line of source that an answer repeats; empty if it is none."""
    found = _NUMBERED.fullmatch(body) or _PROMPTED.fullmatch(body)
    return str(int(found[1])) if found else ""


def remarked_lines(body: str) -> tuple[str, str]:
    """The lines that a line begins with, and the remark that a sign sets apart from them; both empty if none does."""
    plain = re.sub(r"[`*\"']", "", body)
    end, following = 0, RANGE.match(plain)
    while following:
        end = following.end()
        between = NEXT.match(plain, end)
        following = RANGE.match(plain, between.end()) if between else None
    remark = _REMARK.fullmatch(plain, end) if end else None
    return (plain[:end], remark[1]) if remark else ("", "")


def _range(found: re.Match[str]) -> str:
    return f"{int(found[1])}-{int(found[2])}" if found[2] else str(int(found[1]))
