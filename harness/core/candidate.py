"""One sampled answer: the edits in it and the patch they make, or the reason that they make none."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from harness.core.interfaces import NO_COST, Cost


class Reason(StrEnum):
    """Why a candidate has no patch."""

    NO_LOCATION = "no-location"  # nothing was localized, so nothing was asked
    CONTEXT_OVERFLOW = "context-overflow"  # not even the smallest prompt leaves room for an answer
    TRUNCATED = "truncated"  # the answer was cut, and no block before that is whole
    NOT_RECORDED = "not-recorded"  # the recording that stands for the model holds no such answer
    ONLY_REASONING = "only-reasoning"  # the server set all of the answer apart as thinking
    NO_EDITS = "no-edits"  # the answer holds no search/replace block
    PARSE_FAILURE = "parse-failure"  # a block is broken, or names no file
    UNKNOWN_PATH = "unknown-path"  # the snapshot holds no such file, or several that could be meant
    FORBIDDEN_PATH = "forbidden-path"  # outside the repository, in .git, or through a symbolic link
    BINARY_FILE = "binary-file"
    NO_MATCH = "no-match"  # the file does not hold the search text
    AMBIGUOUS_MATCH = "ambiguous-match"  # the file holds it more than once
    ELISION = "elision"  # "..." stands for lines, and it is unknown which
    OVERLAPPING_EDITS = "overlapping-edits"  # two blocks change the same lines
    UNENCODABLE = "unencodable"  # the replacement has characters that the file's encoding lacks
    NO_OP = "no-op"  # the edits leave every file as it was
    SYNTAX_ERROR = "syntax-error"  # Python that parsed before the edits does not parse after them
    DOES_NOT_APPLY = "does-not-apply"  # git refused the patch


class EditKind(StrEnum):
    """What the texts of an edit are."""

    LINES = "lines"  # whole lines, each ended by a line feed; no lines is the empty text
    TEXT = "text"  # any part of the file: what tools for editing take
    WHOLE = "whole"  # the replacement is all of the file, the search text is empty
    INSERTED = "inserted"  # the replacement goes behind the line ``line``; the search text is empty
    REWRITTEN = "rewritten"  # likewise, of a file that is there: a sentence speaks of it, and no heading names it


@dataclass(frozen=True)
class Edit:
    """One change that an answer asks for, in whatever format: a search text and what stands in its place."""

    path: str  # as the model wrote it
    search: str  # empty: the file is new
    replace: str  # empty: the lines are deleted
    kind: EditKind = EditKind.LINES
    line: int = 0  # where the answer says that the search text begins, from 1; 0: it does not say, or at the beginning
    others: tuple[tuple[str, str], ...] = ()  # other readings of both texts; the file decides between them
    everywhere: bool = False  # the text goes into every place that holds the search text


class Grade(StrEnum):
    """How closely a search text met the file, best first."""

    EXACT = "exact"
    WHITESPACE = "whitespace"  # but for trailing whitespace and line endings
    REINDENTED = "reindented"  # but for one indentation more or less on every line, or tabs for spaces
    ELIDED = "elided"  # in parts, with "..." for the lines between them
    DRESSED = "dressed"  # but for what stood around its lines: fences, line numbers, blank lines, escapes
    OTHER_FILE = "other-file"  # in the only shown file that holds it, though another one or none was named
    NEW_FILE = "new-file"  # nothing to meet


class Effect(StrEnum):
    """What a patch can change in what the code does."""

    CODE = "code"
    FORMATTING = "formatting"  # nothing: comments and formatting only, of Python docstrings, too
    BLANK_LINES = "blank-lines"  # nothing: blank lines and trailing white space only


class Candidate(BaseModel):
    """Sample ``index`` of one instance under one condition."""

    model_config = ConfigDict(frozen=True)

    index: int
    location_set: int = 0  # which of the sets of locations its prompt showed
    greedy: bool = False  # drawn at temperature 0
    patch: str = ""  # empty if and only if there is a reason
    reason: Reason | None = None
    detail: str = ""  # the reason in one line
    notes: tuple[str, ...] = ()  # "read-before-cut": the answer was cut, and its whole blocks were read
    edits: tuple[Edit, ...] = ()
    grades: tuple[Grade, ...] = ()  # one for each distinct edit, if there is a patch
    vote: str = ""  # equal for patches that differ in comments, docstrings and formatting only
    effect: Effect | None = None  # of the patch, if there is one
    duplicate_of: int | None = None  # the earliest candidate with the same vote, if this one is not it
    left_out: tuple[str, ...] = ()  # what the prompt had no room for, as path:first-last
    cost: Cost = NO_COST
