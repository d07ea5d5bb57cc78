"""What the tests of the pages read: Markdown, and the commands, keys and paths that it names."""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_origin

import typer
from pydantic import BaseModel

from harness.cli import app as harness_app
from harness.config.schema import RunConfig
from lab.__main__ import app as lab_app

ROOT = Path(__file__).parent.parent

INDENTED = re.compile(r"(?:(?<=\n\n)|\A)(?:    .*(?:\n|\Z)|\n(?=    ))+")  # a code block without a fence
FENCED = re.compile(r"^```(\w*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SPAN = re.compile(r"`([^`]+)`")
PATH = re.compile(
    r"(?:harness|lab|tests|docs|docker|prompts|benchmarks|scripts|examples|checkpoints|results/reference)/[\w./+-]*"
)
KEY = re.compile(r"(?:dataset|checkpoints|sampling|localization|validation|serving|evaluation)\.[\w.]*\w(?=$|[=: ])")
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)
LONGEST = 30  # words of a sentence
PHRASES = re.compile(  # what nobody says
    r"\b(?:to be had|can be had|tells? (?:whether|which|of|in a line)|of one's own|(?:is|are) (?:wanted|told)"
    r"|where (?:not|none|no|nothing|it is not|there (?:is|are)))\b",
    re.IGNORECASE,
)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_blocks(text: str) -> list[str]:
    """The code blocks of a page, fenced or indented."""
    fenced = [found[2] for found in FENCED.finditer(text)]
    return fenced + [block for block in INDENTED.findall(FENCED.sub("\n", text)) if block.strip()]


def prose(text: str) -> str:
    """A page without its code blocks."""
    return INDENTED.sub("\n", FENCED.sub("\n", text))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = next(n for n in range(len(found) + 1) if (f"{slug}-{n}" if n else slug) not in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


def broken_links(page: Path, text: str) -> list[str]:
    broken = []
    for link in LINK.findall(prose(text)):
        place, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / place if place else page
        if not target.exists() or (anchor and anchor not in anchors(read(target) if place else text)):
            broken.append(link)
    return broken


def commands(app: typer.Typer, name: str) -> dict[str, Any]:
    """Every command of an app by its whole name."""

    def below(command: Any, name: str) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        for word, sub in (inner or {}).items():
            yield from below(sub, f"{name} {word}")

    return dict(below(typer.main.get_command(app), name))


COMMANDS = commands(harness_app, "harness") | commands(lab_app, "python -m lab")


def wrong_command(line: str) -> str:
    """What is wrong with a command line of ours; empty if nothing is, or if it is not one of ours."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return ""
    while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words.pop(0)
    if words[:1] == ["make"]:
        unknown = [word for word in words[1:] if word not in TARGET.findall(read(ROOT / "Makefile"))]
        return f"no target {unknown[0]}" if unknown else ""
    if words and Path(words[0]).name in ("python", "harness"):
        words[0] = Path(words[0]).name
    if words[:1] == ["python"] and len(words) > 1 and words[1].startswith("benchmarks/"):
        return "" if words[1] == "benchmarks/NAME.py" or (ROOT / words[1]).is_file() else f"no file {words[1]}"
    if words[:1] != ["harness"] and words[:3] != ["python", "-m", "lab"]:
        return ""
    name = next((n for n in COMMANDS if words[: len(n.split())] == n.split()), None)
    if name is None:
        return f"no command {' '.join(words[:3])}"
    known = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
    given = [word.partition("=")[0] for word in words[len(name.split()) :] if re.match(r"--?[A-Za-z]", word)]
    return next((f"no option {option} of {name}" for option in given if option not in known), "")


def wrong_commands(text: str) -> list[str]:
    lines = [line.strip() for block in code_blocks(text) for line in block.splitlines()]
    spans = [span.replace("\n", " ") for span in SPAN.findall(prose(text)) if re.match(r"(harness|make|python) ", span)]
    spans = [span for span in spans if not re.fullmatch(r"(harness|python -m lab)( images)?", span)]
    return [f"{line}: {wrong}" for line in (*lines, *spans) if (wrong := wrong_command(line))]


def missing_paths(text: str) -> list[str]:
    spans = {span for span in SPAN.findall(prose(text)) if PATH.fullmatch(span)}
    return sorted(span for span in spans if not (ROOT / span).exists())


def is_key(parts: list[str], kind: Any = RunConfig) -> bool:
    """Whether a run file may have the key that these parts lead to, below ``kind``."""
    if not parts:
        return True
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return parts[0] in kind.model_fields and is_key(parts[1:], kind.model_fields[parts[0]].annotation)
    rest = parts[1:] if get_origin(kind) in (tuple, list, dict) else parts
    return any(is_key(rest, inner) for inner in get_args(kind))


def unknown_keys(text: str) -> list[str]:
    """Keys of the run file that a page names and that no run file may have."""
    said = [span for span in SPAN.findall(prose(text)) if not PATH.fullmatch(span)]
    lines = [line for block in code_blocks(text) for line in block.splitlines() if " run" in line]
    said += [word for line in lines for word in line.split()]
    keys = {found[0] for word in said if (found := KEY.match(word)) and not found[0].endswith("KEY")}
    return sorted(key for key in keys if not is_key(key.split(".")))


def sentences(text: str) -> list[str]:
    """The sentences of paragraphs, list items and table cells; code, links and numbers count as a word each."""
    text = re.sub(r"^#.*$", "", prose(text), flags=re.MULTILINE)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", SPAN.sub("CODE", text))
    text = re.sub(r"^ *(?:[-*]|\d+\.) +", "\n\n", text, flags=re.MULTILINE)
    text = re.sub(r"^\|(.*)\|$", lambda row: "\n\n" + row[1].replace(" | ", "\n\n"), text, flags=re.MULTILINE)
    parts = [part for block in re.split(r"\n\s*\n", text) for part in re.split(r"(?<=[.!?:])\**\s+", block)]
    return [" ".join(part.split()) for part in parts if part.strip(" |-\n")]


def long_sentences(text: str) -> list[str]:
    return [sentence for sentence in sentences(text) if len(re.findall(r"\w[\w'.,-]*", sentence)) > LONGEST]


def uneven_tables(text: str) -> list[str]:
    """Rows of tables that have another number of cells than the line above them."""
    lines = [(line, len(re.findall(r"(?<!\\)\|", line))) for line in prose(text).splitlines()]
    return [line for (above, bars), (line, own) in pairwise(lines) if above[:1] == line[:1] == "|" and bars != own]


def odd_phrases(text: str) -> list[str]:
    return [" ".join(found[0].split()) for found in PHRASES.finditer(SPAN.sub("", prose(text)))]
