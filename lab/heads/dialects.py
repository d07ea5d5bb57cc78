"""Dialects: what a document's head says the tools are called, and in which order one of them takes its arguments.

Prompts are rendered without a dialect, with `@find` and the like in the places of its words; answers come from the
oracle, and go to the harness, as search/replace blocks. What stands here goes between the two.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal

TOOLS = ("find", "open", "edit", "with", "end", "done")
ARGUMENTS = ("path", "line")  # of the tool that opens a file
WORDS = Path(__file__).with_name("words.toml")
# How the pipeline asks a checkpoint: in a dialect of its own for each prompt; the same, but any word is understood in
# the answer; in the common dialect.
Asking = Literal["rare", "forgiving", "canonical"]

_MARK = re.compile(rf"@({'|'.join(TOOLS)})\b")
_GIVEN = re.compile(r"@arguments\((\S+) (\d+)\)")
_USED = re.compile(r"^(edit|with|end) (\S+)(?: (\S+))?$", re.MULTILINE)
_BLOCK = {
    "edit": re.compile(r"^### (\S+)\n<<<<<<< SEARCH$", re.MULTILINE),
    "with": re.compile(r"^=======$", re.MULTILINE),
    "end": re.compile(r"^>>>>>>> REPLACE$", re.MULTILINE),
}


@dataclass(frozen=True)
class Dialect:
    """The words of one document."""

    words: Mapping[str, str]  # by tool
    order: tuple[str, ...] = ARGUMENTS

    def spoken(self, prompt: str) -> str:
        """A prompt without a dialect, in this one."""
        prompt = prompt.replace("@order", " ".join(self.order))
        prompt = _GIVEN.sub(lambda m: " ".join(m[1 + ARGUMENTS.index(name)] for name in self.order), prompt)
        return _MARK.sub(lambda m: self.words[m[1]], prompt)

    def told(self, answer: str) -> str:
        """An answer of search/replace blocks, in this dialect."""
        answer = _BLOCK["edit"].sub(lambda m: f"edit {self.words['edit']} {m[1]}", answer)
        for tool in ("with", "end"):
            answer = _BLOCK[tool].sub(f"{tool} {self.words[tool]}", answer)
        return answer

    def understood(self, answer: str, any_words: bool = False) -> str:
        """An answer in this dialect as search/replace blocks.

        Unless ``any_words`` are accepted, an answer that calls a tool by another word than the head's stays as it is,
        and holds no block at all: the harness would read even one without its end.
        """
        if not any_words and any(found[2] != self.words[found[1]] for found in _USED.finditer(answer)):
            return answer
        return _USED.sub(_block, answer)

    def undefined(self, answer: str) -> tuple[str, ...]:
        """The words that an answer calls tools by and the head does not define.

        ``answer`` may be in the dialect or as `understood` left it.
        """
        defined = set(self.words.values())
        return tuple(found[2] for found in _USED.finditer(answer) if found[2] not in defined)


def _block(found: re.Match[str]) -> str:
    """The marker of a search/replace block for a line that calls a tool."""
    tool, _, path = found.groups()
    if tool == "edit":
        return f"### {path}\n<<<<<<< SEARCH" if path else found[0]
    return "=======" if tool == "with" else ">>>>>>> REPLACE"


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(WORDS.read_text(encoding="utf-8"))


def canonical() -> Dialect:
    """The dialect that most documents share."""
    return Dialect(_data()["canonical"])


def rare(random: Random) -> Dialect:
    """One of the other dialects: all words are of the rare ones."""
    words = random.sample(_data()["rare"]["words"], len(TOOLS))
    order = ARGUMENTS if random.random() < 0.5 else ARGUMENTS[::-1]
    return Dialect(dict(zip(TOOLS, words, strict=True)), order)


def all_words() -> list[str]:
    """Every word that a tool may have."""
    return [*_data()["canonical"].values(), *_data()["rare"]["words"]]


def dialect_of(prompt: str, asking: Asking) -> Dialect:
    """The dialect in which a prompt without one is asked: every checkpoint is asked the same."""
    return canonical() if asking == "canonical" else rare(Random(f"dialect/{prompt}"))
