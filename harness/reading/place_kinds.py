"""A place as a model wrote it, and the words that say of what kind it is."""

import re
from dataclasses import dataclass

LINE, NAME, UNREAD = "line", "name", "unread"  # kinds beside class, function, method and variable

_KINDS = (
    (re.compile(r"class(?:es)?|struct|interface|enum|type", re.IGNORECASE), "class"),
    (re.compile(r"functions?|funcs?|def|fn|async (?:def|function)|sub|subroutine", re.IGNORECASE), "function"),
    (re.compile(r"methods?|propert(?:y|ies)|constructor", re.IGNORECASE), "method"),
    (re.compile(r"variables?|vars?|constants?|const|attributes?|fields?|globals?|global variables?", re.I), "variable"),
    (re.compile(r"line (?:number|range)s?|lineno|lines?|ll?\.?|ln\.?|ranges?|zeilen?|lignes?|l[ií]neas?", re.I), LINE),
)  # fmt: skip
WORDS = "|".join(pattern.pattern for pattern, _ in _KINDS)
# what may stand ahead of such a word, and between it and its colon
AHEAD = (
    r"(?:(?:the|in|static|instance|private|public|protected|abstract|module(?:-level)?|top-level|global|local|helper"
    r"|nested|affected|relevant|following|both|two|three|\d{1,2}"
    r"|class(?=[ ](?:method|variable|attribute|propert|const)))[ \t]+)*"
)
BEHIND = r"(?:[ \t]+(?:to[ ](?:modify|change|edit|fix|update|inspect)|affected|named|called|names?))?"


@dataclass(frozen=True)
class Named:
    """A place as the model wrote it."""

    path: str
    kind: str  # "class", "function", "method", "variable", "line", "name" (of any), "unread" (what was not understood)
    name: str  # of lines "12" or "12-20"


def kind_of(word: str) -> str:
    """The kind that one of `WORDS` says."""
    return next(kind for pattern, kind in _KINDS if pattern.fullmatch(word))
