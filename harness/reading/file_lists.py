"""Lists of files as models write them: fenced, bulleted, in tables, as JSON, in one line or within sentences."""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from harness.reading.embedded_json import embedded_json
from harness.reading.endings import Ending
from harness.reading.path_names import (
    NAMED,
    is_fence,
    looks_like_path,
    mentioned_paths,
    path_of_line,
    plain_links,
    plain_signs,
    quoted_paths,
)

LONGEST_LINE = 1000  # characters of a line that are looked at
LONGEST = 200  # characters of a name that is kept although it is no path

_SIGN = re.compile(rf"[/\\]|\.\w|{NAMED}")  # without one of these a line names no path
_ITEM = re.compile(r"[ \t>]*(?:[-*+•]|\(?\d+[.)]|\[[ xX]\])[ \t]+(?:\[[ xX]\][ \t]*)?(.*)")
_RULE = re.compile(r"[ \t|:+=-]*")
_HEADER = re.compile(
    r"(?:#|no\.?|rank|files?|paths?|file ?names?|file ?paths?|names?|reasons?|why|notes?)", re.IGNORECASE
)
_BETWEEN = re.compile(
    r"(?<![ \t])[ \t]*(?:,|;|&|\band\b|\bor\b|和|及|与|以及|(?<=[ \t])\+(?=[ \t])|->|→|\||[ \t])[ \t]*"
)
_REMARK = re.compile(r"(?<=\S)[ \t]+\([^()]*\)")
_ADDED = re.compile(
    r"[`*\"']*[ \t]*,?[ \t]*[(\[]?[ \t]*(?:and|or|also|plus|with|together with|along with|as well as|&|\+)[ \t]",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|never|no)\b|n['’]t\b", re.IGNORECASE)
_RANKED = re.compile(r"[\w.%-]+[,;](?=\S)")  # the first cell of a row, which is no path
_BEFORE = re.compile(r"([^:]{0,60}):[*_`]*[ \t]+")
_ATTRIBUTE = re.compile(r"<[^<>]*?\b(?:path|file\w*|name|src)[ \t]*=[ \t]*+[\"'][^<>]*+>")
_LINK = re.compile(r"\[([^\[\]]*)\]\(([^()\s]+)\)")
_MARKUP = re.compile(r"</?[A-Za-z_][^<>]*>|\\(?:boxed|text|texttt)\{|(?<=[\w.])\}+[ \t]*$")  # of HTML, of calls, of TeX
_FULL_STOP = re.compile(r"(?<=\w)[.?!…]+[ \t]*$")
_STRUCK = re.compile(r"~~[^~]+~~")  # taken back
_BRACED = re.compile(r"([\w./-]*)\{([\w./-]+(?:,[ \t]*[\w./-]+)+)\}([\w./-]*)")  # as a shell writes several names
_DENIED = re.compile(
    r"\b(?:(?:do|does|need|should) not (?:need|edit|change|modify|touch|require|be (?:edited|modified|touched))"
    r"|not (?:\w+ )?(?:needed|relevant|related|affected|required|changed?|included)|no (?:need|change)|unrelated"
    r"|irrelevant|excluded?|ignored?|unaffected|skip(?:ped)?)\b",
    re.IGNORECASE,
)
_DENIED_BEHIND = re.compile(
    r"[`*\"']*[ \t]+(?:is|are|does|do|seems?)(?:(?: not|n['’]t)? (?:be )?(?:irrelevant|unrelated|unaffected)"
    r"|(?: not|n['’]t) (?:\w+ )?(?:relevant|related|needed|involved|affected|change))",
    re.IGNORECASE,
)
_NESTED = re.compile(r"[ \t]{2,}(?:[-*+•]|\d+[.)])")
_WORD = re.compile(r"[^\W\d]{2,}")
_SOURCE = re.compile(r"\w\(|^[ \t]*(?:from|import|def|class|return|if|for|with)\b")
_MODULE = re.compile(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)`")
_ONE_WORD = re.compile(r"\S+\.\w+|\S+/\S*")  # a path, or meant as one
_NAMED = re.compile(r"(?:in[ \t]+)?[^\s:]+:?[ \t]+(\S+)", re.IGNORECASE)


def read_names(text: str, unneeded: bool = False) -> tuple[str, ...]:
    """The files that an answer proper names, in its order, each once: of the fenced lines if these name any.

    Below a heading that says that they are not needed they are none, unless it was asked for those: ``unneeded``.
    """
    lines = _asked([line[:LONGEST_LINE] for line in text.split("\n")])
    fenced = list(_fenced(lines))
    names = list(_json_names("\n".join(fenced))) or _names(fenced, listed=True, unneeded=unneeded)
    names = names or list(_json_names(text)) or _names(lines, listed=False, unneeded=unneeded)
    names = names or [found[1] for line in lines for found in _MODULE.finditer(line)]
    return tuple(dict.fromkeys(name for name in names if name))


def _asked(lines: list[str]) -> list[str]:
    """The lines up to where another question begins, if any before it says something."""
    ending, begun = Ending(), False
    for number, line in enumerate(lines):
        if ending.over(line, begun):
            return lines[:number]
        begun = begun or bool(_line_names(line))
    return lines


def _fenced(lines: list[str]) -> Iterator[str]:
    """The lines in fences, but for those of source: none of their lines is a path."""
    inside: list[str] | None = None
    for line in [*lines, "```"]:
        if inside is not None and not is_fence(line):
            inside.append(line)
        elif inside is not None:
            yield from inside if any(map(_lists, inside)) else ()
            inside = None
        elif is_fence(line):
            inside = []


def _lists(line: str) -> bool:
    """Whether a line lists files, and does not mention some within source."""
    return not _SOURCE.search(line) and bool(_line_names(line))


def _names(lines: list[str], listed: bool, unneeded: bool) -> list[str]:
    """The names of all lines. In a list, a line that names no path is kept as it is: it will stand for nothing.

    Files of which a sentence speaks come behind those that have a line or an item of their own; one that a sentence
    denies beside these is none.
    """
    found = [(line, _line_names(line)) for line in lines]
    asked = [one for one, denied in _denials(found) if denied is unneeded]
    found = asked if any(names for _, names in asked) else found
    if not any(names for _, names in found):
        return []
    if listed:
        return [name for line, names in found for name in names or _unread(line, listed)]
    kept = [(line, names) for line, names in found if unneeded or not _is_denied(line, names)]
    spoken = [(line, names) for line, names in kept if _is_sentence(line, names)]
    own = [(line, names) for line, names in kept if not _is_sentence(line, names)]
    if not any(names for _, names in own):
        return [name for _, names in spoken or found for name in names]
    return [name for line, names in own for name in names or _unread(line, listed)] + [
        name for _, names in spoken for name in names
    ]


def _denials(found: Iterable[tuple[str, Sequence[str]]]) -> Iterator[tuple[tuple[str, Sequence[str]], bool]]:
    """Each line with its names, and whether it is below a heading that says that they are not needed."""
    denied = False
    for line, names in found:
        if line.strip() and not names:
            heads = line.rstrip(" \t*_").endswith(":") or line.lstrip().startswith(("#", "**"))
            denied = heads and bool(_DENIED.search(line))
        yield (line, names), denied


def _around(line: str, names: Sequence[str]) -> tuple[str, str]:
    """What stands ahead of the first of the names on its line, and behind it."""
    ahead, _, behind = _tidied(line).replace("\\", "/").partition(names[0].strip("/"))
    return ahead, behind


def _is_sentence(line: str, names: Sequence[str]) -> bool:
    """Whether a line speaks of files, and does not list them: words stand ahead of the first one."""
    if not names or (_ITEM.fullmatch(line) and not _NESTED.match(line)) or _NAMED.fullmatch(line.strip()):
        return False
    ahead, behind = _around(line, names)
    words = len(_WORD.findall(ahead))
    within = words > 0 and bool(_WORD.search(behind)) and line.rstrip().endswith((".", "!", "?"))
    return (words > 1 or within) and ":" not in ahead[-4:]


def _is_denied(line: str, names: Sequence[str]) -> bool:
    """Whether a line says of its file that it is none of those asked for."""
    ahead, behind = _around(line, names) if names else ("", "")
    return bool(_DENIED.search(ahead) or _DENIED_BEHIND.match(behind))


def _unread(line: str, listed: bool) -> list[str]:
    item = _ITEM.fullmatch(line)
    words = (item[1] if item else line).strip(" \t`*_\"',")
    cells = re.split(r"[,;|\t]", words)
    if len(cells) > 1 and all(_HEADER.fullmatch(cell.strip()) for cell in cells):
        return []
    one = listed or (item and re.fullmatch(r"[\w.+-]+", words))
    return [words[:LONGEST]] if words and one and not _RULE.fullmatch(words) else []


@lru_cache(maxsize=4096)  # models repeat themselves, and lists are read twice
def _line_names(line: str) -> Sequence[str]:
    """The paths that one line names, in its order."""
    return tuple(_paths_in(line)) if _SIGN.search(line) else ()


def _paths_in(line: str) -> list[str]:
    if line.count("|") >= 2 and line.strip().startswith("|"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        return [path for path in (path_of_line(cell) for cell in cells) if path]
    line = _tidied(line)
    line = _FULL_STOP.sub("", line)
    path = path_of_line(line)
    if re.search(r"\s", path):
        return [path]
    for whole in (line, _REMARK.sub("", line)):
        several = [path_of_line(part) for part in _parts(whole)]
        if len(several) > 1 and all(map(looks_like_path, several)):
            return several
    if looks_like_path(path):
        return [path, *_added(line, path)]
    if quoted := list(quoted_paths(line)):
        return quoted
    if path:
        return [path]
    if (named := _NAMED.fullmatch(line.strip())) and looks_like_path(named[1].strip(",;").rstrip(".")):
        return [named[1].strip(",;").rstrip(".")]
    word = line.strip(" \t`*\"',;:")
    cells = [cell.strip(" \t`*\"'") for cell in re.split(r"[,;]", word)]  # a row of comma-separated values
    if (paths := list(filter(looks_like_path, cells))) and (paths[0] == cells[0] or _RANKED.match(word)):
        return [*paths, *_added(line, cells[0])]
    return [word] if _ONE_WORD.fullmatch(word) else _spoken(line)


def _added(line: str, path: str) -> list[str]:
    """The paths that a remark behind a path adds to it by the word; any other remark speaks of it alone."""
    behind = line.replace("\\", "/").partition(path)[2]
    added = _ADDED.match(behind)
    names = list(mentioned_paths(behind[added.end() :])) if added else []
    denied = names and (_DENIED.search(behind) or _NOT.search(behind.partition(names[0])[0]))
    return [] if denied else names


def _tidied(line: str) -> str:
    """A line with plain signs and paths, and without the markup around them."""
    line = _STRUCK.sub("", _LINK.sub(_target, plain_links(plain_signs(line))))
    line = _MARKUP.sub(_markup, line)
    return _BRACED.sub(_each, line)


def _markup(tag: re.Match[str]) -> str:
    """What stands for a piece of markup: itself if an attribute has a path, and a path that is set like a tag."""
    if _ATTRIBUTE.fullmatch(tag[0]):
        return tag[0]
    name = tag[0].strip("<> ")
    return f" {name} " if looks_like_path(name) else " "


def _target(link: re.Match[str]) -> str:
    """The path that a link shows, or what it leads to."""
    return f" {link[1] if looks_like_path(link[1].strip('`*_ ')) else link[2]} "


def _each(braced: re.Match[str]) -> str:
    """The names that stand for braces."""
    return ", ".join(f"{braced[1]}{part.strip()}{braced[3]}" for part in braced[2].split(","))


def _parts(line: str) -> list[str]:
    """The members of a list in one line, without the words before it."""
    item = _ITEM.fullmatch(line)
    bare = (item[1] if item else line).strip().strip("[](){}.")
    if (label := _BEFORE.match(bare)) and not looks_like_path(label[1].strip("`*'\"")):
        bare = bare[label.end() :].strip("[](){}*")
    return [part for part in _BETWEEN.split(bare) if part.strip(" \t`*'\"")]


def _spoken(line: str) -> list[str]:
    """The paths in a sentence; one in the rest of a sentence that began on the line before is none of a list."""
    names = list(mentioned_paths(line))
    before = line.split(names[0], 1)[0].split() if names else []
    begins = next((character for character in line if character.isalpha()), "").isupper()
    return names if begins or len(names) > 1 or len(before) <= 3 else []


def _json_names(text: str) -> Iterator[str]:
    """The paths among the strings of a JSON value, if the text is one or holds one between other words."""
    value = embedded_json(text, ("[", "{"))
    for name in _strings(value):
        several = [part.strip() for part in re.split(r"[,;]", name)]
        yield from several if all(map(looks_like_path, several)) else [name] if "/" in name else ()


def _strings(value: Any) -> Iterator[str]:
    stack = [value]  # the next one at its end
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            yield from map(str.strip, one.split("\n"))
        elif isinstance(one, dict):
            stack += reversed(one.values())
            stack += reversed(one.keys()) if all(map(looks_like_path, one)) else ()
        elif isinstance(one, list):
            stack += reversed(one)
