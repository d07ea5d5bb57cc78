"""Changes of expectations in test files that no syntax tree of ours reads, on the lines that a test patch adds.

JavaScript and TypeScript (jest, mocha with chai or node's assert), Go, Rust: the opposite assertion. Other text files
that a test patch adds lines to hold what a program must print: another letter or digit.
"""

import random
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from harness.control.change import Change, Rank
from harness.control.literals import CLASSES

_SCRIPT = (
    (r"\)\.not\.(?=to[A-Z]\w*\()", ")."),
    (r"\)\.(?=to[A-Z]\w*\()", ").not."),
    (r"\bassert\.equal(?=\()", "assert.notEqual"),
    (r"\bassert\.strictEqual(?=\()", "assert.notStrictEqual"),
    (r"\bassert\.deepEqual(?=\()", "assert.notDeepEqual"),
    (r"\bassert\.deepStrictEqual(?=\()", "assert.notDeepStrictEqual"),
    (r"\.to\.not\.(?=\w)", ".to."),
    (r"\.to\.(?!not\b)(?=\w)", ".to.not."),
    (r"\.should\.(?!not\b)(?=\w)", ".should.not."),
    (r"\bassert(\.ok)?\(([^\"'`]+)\);$", r"assert\1(!(\2));"),  # no message beside the condition
)
_GO = (
    (r"\b(assert|require)\.Equal(?=f?\()", r"\1.NotEqual"),
    (r"\b(assert|require)\.NotEqual(?=f?\()", r"\1.Equal"),
    (r"\b(assert|require)\.True(?=f?\()", r"\1.False"),
    (r"\b(assert|require)\.False(?=f?\()", r"\1.True"),
    (r"\b(assert|require)\.Nil(?=f?\()", r"\1.NotNil"),
    (r"\b(assert|require)\.NoError(?=f?\()", r"\1.Error"),
    (r"\b(assert|require)\.Contains(?=f?\()", r"\1.NotContains"),
    (r"^(\s*if [^;{]*?)!=(?!.*!=)(?! nil)(.*\{)\s*$", r"\1==\2"),
    (r"^(\s*if )!(?=(reflect\.DeepEqual|bytes\.Equal|slices\.Equal|cmp\.Equal)\()", r"\1"),
)
_RUST = (
    (r"\bassert_eq!", "assert_ne!"),
    (r"\bassert_ne!", "assert_eq!"),
    (r"\bassert!\(([^\"]+)\);$", r"assert!(!(\1));"),
)
RULES = {
    **dict.fromkeys((".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs"), _SCRIPT),
    ".go": _GO,
    ".rs": _RUST,
}
CODE = {".py", ".pyi", ".pyx", ".c", ".h", ".cpp", ".java", ".rb", ".php", ".cfg", ".toml", ".ini"}


def line_changes(
    path: str, content: bytes, added: Iterable[int], rng: random.Random, printed: bool = False
) -> list[Change]:
    """Every added line (numbers from 0) on which an expectation can be changed, each with one change.

    ``printed`` also takes a file that is no code for the output that tests compare with.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in RULES and (not printed or suffix in CODE):
        return []
    lines = content.split(b"\n")
    return [
        change for number in added if number < len(lines) for change in _line_changes(path, lines, number, suffix, rng)
    ]


def _line_changes(path: str, lines: list[bytes], number: int, suffix: str, rng: random.Random) -> Iterator[Change]:
    try:
        line = lines[number].decode()
    except UnicodeDecodeError:
        return
    start = sum(len(before) + 1 for before in lines[:number])
    other = _opposite(line, RULES[suffix]) if suffix in RULES else _other_letter(line, rng)
    if other is not None:
        kind, rank = ("relation", Rank.RELATION) if suffix in RULES else ("printed text", Rank.VALUE)
        yield Change(path, start, start + len(lines[number]), other.encode(), kind, rank)


def _opposite(line: str, rules: Iterable[tuple[str, str]]) -> str | None:
    if line.lstrip().startswith(("//", "*", "/*", "#")):
        return None
    for pattern, text in rules:
        found, count = re.subn(pattern, text, line, count=1)
        if count:
            return found
    return None


def _other_letter(line: str, rng: random.Random) -> str | None:
    places = [place for place, sign in enumerate(line) if sign.isascii() and sign.isalnum()]
    if not places:
        return None
    place = rng.choice(places)
    letters = next(letters for letters in CLASSES if line[place] in letters)
    return line[:place] + rng.choice(letters.replace(line[place], "")) + line[place + 1 :]
