"""Names of elements as models write them, alone or in lists: with parameters, lines, brackets and remarks."""

import re
from collections.abc import Iterator

from harness.reading.line_ranges import NEXT, RANGE, read_lines
from harness.reading.place_kinds import AHEAD, LINE, NAME, WORDS

QUOTES = "*`\"'"  # around a name, which may begin and end with underscores of its own
IDENTIFIER = re.compile(r"[*&~@$]?[\w$]+(?:(?:\.|::|#|->)[*~$]?[\w$]+)*[!?]?")
_REMARK = re.compile(
    r"[ \t]+(?:[-–—=]+>?|→|#|//|@)[ \t]+.*|:[ \t]+.*|[ \t]+#.*|,?[ \t]+\(?(?:lines?|L)[ \t]*\d.*"
    r"|[ \t]+(?:because|since|which|where|that|as|is|needs?|should|must|has|in|of|at|for|on)[ \t].*"
)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_RETURNS = re.compile(r"\)[ \t]*->[ \t]*\w.*")  # behind the parameters of a function
_WRAPPED = re.compile(r"[\[({][ \t]*([^\[\](){}]*?)[ \t]*[\])}][.,;:]?")  # a list in brackets
_SET_APART = re.compile(r"(?:[ \t]+(?:[-–—=]+>?|→|#|//)|:)[ \t]+.*")  # a remark behind a list
_INSIDE = re.compile(r"\w+(?:[ \t]+(?:->|→|>|/)[ \t]+\w+)+")  # a member behind its class


def only_lines(body: str) -> bool:
    """Whether a line without a label holds lines and nothing else."""
    plain = plain_text(body).lstrip("~#")
    found = RANGE.match(plain)
    behind = plain[found.end() :].strip(" \t,;:0123456789-–") if found else plain
    return any(read_lines(body)) and not behind


def name_with_lines(body: str) -> tuple[str, str] | None:
    """A name and the lines right behind it."""
    found = re.fullmatch(
        rf"[{QUOTES}]*([A-Za-z_][\w.]*)(?:\(\))?[{QUOTES}]*[ \t]*[:@([–-][ \t]*([^()\[\]]+)[)\]]?", body
    )
    if not found or not RANGE.fullmatch(found[2].strip()):
        return None
    return found[1], found[2]


def unwrapped(text: str) -> str:
    """What stands in the brackets that hold all of a text, or the text."""
    found = _WRAPPED.fullmatch(text.strip(QUOTES + " \t"))
    return found[1] if found else text


def members_of(text: str) -> list[tuple[str, str]]:
    """The names and lines that a list holds, each with its kind; none if it holds anything else."""
    plain = _BRACKETS.sub(lambda found: found[0] if RANGE.fullmatch(found[0][1:-1]) else "", unwrapped(text))
    found: list[tuple[str, str]] = []
    for part in NEXT.split(_SET_APART.sub("", plain).strip(" \t.,;:")):
        member = part.strip(QUOTES + " \t")
        if RANGE.fullmatch(member):
            found.append((LINE, member))
        elif both := name_with_lines(member):
            found += [(NAME, both[0]), (LINE, both[1])]
        elif IDENTIFIER.fullmatch(member):
            found.append((NAME, member))
        else:
            return []
    return found


def plain_text(text: str) -> str:
    """Without quotes, without what stands in brackets, and without what a function returns."""
    return re.sub(r"[`*\"']", "", _BRACKETS.sub("", _RETURNS.sub(")", text))).strip()


def single_name(text: str) -> str:
    """The one name that a text consists of, but for a remark behind it."""
    plain = plain_text(text)
    if _INSIDE.fullmatch(plain):
        return re.sub(r"[ \t]+\W+[ \t]+", ".", plain)
    plain = _REMARK.sub("", plain).strip(" \t:,;.")
    plain = re.sub(r"[ \t]+=[ \t]+\S.*", "", plain)
    return plain if IDENTIFIER.fullmatch(plain) and not plain.isdigit() else ""


def listed_names(text: str) -> Iterator[str]:
    """The names in a list, without parameters, bases and remarks."""
    plain = single_name(text) or _REMARK.sub("", plain_text(text)).strip(" \t:,;.")
    for part in NEXT.split(plain):
        part = re.sub(
            rf"^(?:async[ \t]+)?(?:{AHEAD}(?:{WORDS})[ \t]+)?", "", part.strip(" \t:,;."), flags=re.IGNORECASE
        )
        if found := IDENTIFIER.match(part):
            yield found[0]
