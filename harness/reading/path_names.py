"""Paths as models write them: alone on a line in many dresses, set apart in a sentence, or on a tag or a fence."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

# a file's name: with an ending that files have, or one of the names that need none
ENDINGS = (
    "py|pyi|pyx|pxd|js|jsx|mjs|cjs|ts|tsx|mts|cts|vue|svelte|java|kt|kts|scala|groovy|clj|go|rs|c|h|cc|cpp|cxx|hh"
    "|hpp|hxx|ipp|cu|cuh|m|mm|cs|fs|vb|swift|rb|rake|erb|php|pl|pm|lua|r|jl|ex|exs|erl|hs|ml|mli|dart|zig|nim|d|f"
    "|f90|sh|bash|ps1|sql|proto|html|htm|css|scss|less|sass|md|rst|txt|toml|cfg|ini|json|jsonl|yaml|yml|xml|csv"
    "|lock|in|inc|tpl|jinja|jinja2|j2|ipynb|cmake|mk|gradle|properties|conf|tex|po|pot|diff|patch|s|asm"
)
MARKUP = (".md", ".rst", ".mdx", ".markdown")  # files in which fences are text
NAMED = r"(?:Makefile|Dockerfile|LICENSE|README|CHANGES|Gemfile|Rakefile|Jenkinsfile|CMakeLists\.txt|[A-Z]\w*file"
NAMED += r"|\.(?:\w+rc|\w+ignore|gitattributes|gitmodules|flake8|editorconfig))"

_ENDED = re.compile(rf"[^\s`'\"<>|*?]*[\w\])+-]\.(?:{ENDINGS})", re.IGNORECASE)
_PATH = re.compile(r"[^\s`'\"<>|*?:,;=(){}!&$^]*(?:/[\w.@+\[\]() -]*[\w\])]|\.\w+)|" + NAMED)
_GLUED = re.compile(
    r"[*`\"']*(?:(?:file|path)[*`]*[ \t]*[:=][*`\"' \t]*)?"
    rf"([^\s`'\"<>|*?;@]*?[\w\])+-]\.(?:{ENDINGS}))[`*]*(?:(?:[-=]?>|→|[@;|/])[`*]*(?=[\w$])|[:,](?=[A-Za-z_]))(.+)",
    re.IGNORECASE,
)  # an element that a sign joins to the path of its file
_FOLDER = re.compile(r"(?:[\w.@+-]+/)+[\w.@+-]*")

_ATTRIBUTE = re.compile(
    r"<[\w:.-]+[^<>]*?\b(?:path|file|filename|name|src)[ \t]*=[ \t]*[\"']?([^\"'<>]+?)[\"']?[ \t]*/?>"
)
_TAG = re.compile(r"</?[A-Za-z_|][\w:.|-]*(?:[ \t][^<>]*)?/?>")
_TAGGED = re.compile(r"<(path|file|filename|file_path|filepath|document|source)>[ \t]*([^<>]+?)[ \t]*(?:</\1>)?", re.I)
_FENCE = re.compile(r"[ \t>]*(?:```|~~~)")
_NAMED_FENCE = re.compile(
    r"""[`~]* (?: [\w+#-]* [ \t:="{]+ (?: (?:file|filename|filepath|path|title|name) [ \t]*[=:][ \t]* ["']? )? )?
    ( [\w.@+-]* [/.] [\w./@+-]* ) ["'} \t]*""",
    re.VERBOSE,
)
_BULLET = re.compile(
    r"(?:[-*+•–·・▪●○◦‣▸►✓✔✅☑]|\d+/\d+|\(?\d+[.)]|\*\*\(?\d+[.)]\*\*|\[[ xX]\]|[-*+][ \t]+\[[ xX]\]|>)[ \t]+"
)
_COMMENT = re.compile(
    r"(?://+|/\*+|<!--|--+|;+|%+|={2,}|\*{3,}|~{2,}|\+\+\+|@@)[ \t]*(.*?)[ \t]*(?:\*+/|-->|--+|={2,}|~{2,}|@@)?"
)
_LABEL = re.compile(
    r"""(?:(?:the|in|to|for|now|then|next|first|also|and)[ \t]+)*
    (?:(?:full|relative|new|target|source|affected|modified|relevant|main|changed|updated|edited|suspicious)[ \t]+)*
    (?:file[ \t_]?names?|file[ \t_]?paths?|files?|paths?|location|modify|edit|updated?|changed?|changes[ \t](?:to|in)
      |modified|create|fix|fix[ \t]in|patch|index|(?:modifications?|edits?)[ \t](?:to|in)|in|in[ \t]file|diff[ \t]--git)
    (?:[ \t]+(?:to|name|path|edit|modify|change|fix|file)|[ \t_]*\d+)?[ \t]*[:=]?[ \t]*""",
    re.IGNORECASE | re.VERBOSE,
)
_BEHIND = re.compile(
    r"""(?: (?:,[ \t]*|[ \t]+|:[ \t]*)? \(?(?:lines?|ll?\.)[ \t]*\d.* | [ \t]*[:#]L?\d+(?:[-–:,][ \t]*L?\d+)*\b.* | ::.*
    | [ \t]*:[ \t].* | [ \t]+[-–—→=(#|]+.* | [–—]\w.* | [ \t]+//.* | [ \t]+/\*.* | [ \t]*<[-=].* )""",
    re.VERBOSE,
)
_QUOTED = re.compile(r"`+([^`\n]+?)`+|\*\*([^*\n]+?)\*\*|\"([^\"\n]+?)\"|(?<!\w)'([^'\n]+?)'(?!\w)|\]\(([^()\s]+)\)")
_URL = re.compile(
    r"https?://(?:raw\.githubusercontent\.com/[\w.-]+/[\w.-]+/(?:refs/heads/)?|[\w.-]+/(?:[\w.-]+/){2,4}?(?:-/)?"
    r"(?:blob|raw|tree|src|edit|blame)/)[\w.-]+/([^\s?#()<>\"'`]+)(?:\?[\w=&]*)?"
)  # of a file in a repository on the web
_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\(([^()\s]{1,400})\)")
_WORDS, _WINDOWS = re.compile(r"\S+"), re.compile(r"[^/\\]*(?:\\_[^/\\]*)*\\(?!_)")
_FOOTNOTE = re.compile(r"\[\^\d{1,3}\]")
LONGEST = 400  # characters of a line that can be a path with its dress
_UNSEEN = str.maketrans(
    dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff") | {"\u00a0": " "} | dict.fromkeys("«»“”„「」『』", '"')
    | {"，": ", ", "、": ", ", "：": ": ", "；": "; ", "（": " (", "）": ")"}
)  # fmt: skip
DELIMITERS = 30  # in a line that are looked at: what is behind so many is no remark on a path
_WORD = re.compile(r"\w[\w.+-]*")  # a file such as LICENSE, if a path is expected
_POSITION = re.compile(r"(?:[:#@]L?\d+(?:[-–:,]L?\d+)*|(?:::|#)[A-Za-z_][\w.]*|\(\))+$")
_TIGHT = re.compile(r"(?:\d{1,3}[.)]|[-*+•–·・▪●○◦‣▸►✓✔✅☑])(?=[A-Za-z_]\S*[/.])")  # a bullet without a space behind it
_ADDRESS = re.compile(  # ahead of the path of the file that a sentence says to change
    r"(?:(?<!as )(?<!like )\bin"
    r"|\b(?:into|to|inside|within|at|for|of|update|edit|modify|change|fix|patch|create|add|file))"
    r"[ \t]+(?:(?:the|a|new|file)[ \t]+)*[`*\"'(\[./]*\Z",
    re.IGNORECASE,
)
_EDGES = " \t*\"',`:;[](){}<>|"
_EMPHASIS = re.compile(r"(_{1,2})(?=[^\s_])(\S*[^\s_])\1")  # a name may begin with underscores of its own


def plain_signs(line: str) -> str:
    """A line without what no one sees, with plain quotes, commas and colons."""
    return line.translate(_UNSEEN)


def unescaped(line: str) -> str:
    """A line without Markdown's backslashes ahead of underscores; in a path of Windows they are slashes."""
    return _WORDS.sub(lambda word: word[0] if _WINDOWS.match(word[0]) else word[0].replace("\\_", "_"), line)


def plain_links(line: str) -> str:
    """A line with the paths of files for links to them."""
    line = _FOOTNOTE.sub("", line) if "[^" in line else line
    line = unescaped(line) if "\\_" in line else line
    if "://" in line:
        line = _URL.sub(r"\1", line)
    return _LINK.sub(_target, line) if "](" in line else line


def _target(link: re.Match[str]) -> str:
    """What a link names: the path that it shows, or the one that it leads to; else the link as it is."""
    shown = link[1].strip("`*_ ")
    if looks_like_path(shown):
        return link[1]
    return link[2] if looks_like_path(link[2].split("#")[0]) else link[0]


def looks_like_path(name: str) -> bool:
    """Whether a word can only be meant as a file's path: by its ending, its slashes or its name."""
    return bool(_ENDED.fullmatch(name) or re.fullmatch(NAMED, name) or (_FOLDER.fullmatch(name) and not _ratio(name)))


def _ratio(name: str) -> bool:
    """Whether slashes stand between words or numbers: and/or, 1/2."""
    parts = name.split("/")
    if all(part.isdigit() for part in parts):
        return True
    return len(parts) == 2 and all(
        re.fullmatch(r"\d+|and|or|he|she|read|write|input|output|true|false", p) for p in parts
    )


@lru_cache(maxsize=4096)  # models repeat themselves, and a line may be asked for twice
def path_of_line(line: str, expected: bool = False) -> str:
    """The path that a line consists of, whatever stands around it, or an empty string.

    ``expected``: a path is due here, so that any name of a file's form counts.
    """
    line = line.translate(_UNSEEN).strip()
    if len(line) > LONGEST:
        return ""
    line = plain_links(line)
    if found := _ATTRIBUTE.search(line) or _TAGGED.fullmatch(line):
        return _checked(found[found.lastindex or 0], expected, set_apart=True, quoted=True)
    bare, set_apart, quoted = _undressed(line)
    return _checked(bare, expected, set_apart, quoted)


def _undressed(line: str) -> tuple[str, bool, bool]:
    """The line without what is put around a path, whether anything set it apart, and whether quotes did."""
    line = _TAG.sub("", line).strip()
    set_apart = in_quotes = False
    for _ in range(4):
        before = line
        if bullet := _BULLET.match(line) or _TIGHT.match(line):
            line = line[bullet.end() :]
        if line.startswith("#"):
            line, set_apart = line.lstrip("#").strip(), True
        if (comment := _COMMENT.fullmatch(line)) and comment[1]:
            line, set_apart = comment[1], True
        label = _LABEL.match(line)
        if label and label.end() and label[0][-1] in " \t:=" and line[label.end() :].strip(_EDGES):
            line, set_apart = line[label.end() :], True
        if (quoted := _QUOTED.match(line)) and not line[quoted.end() :].strip(_EDGES + ".-–—"):
            line, set_apart, in_quotes = next(filter(None, quoted.groups())), True, True
        line = _plain_name(line.strip("* \t"))
        if line == before:
            break
    if quoted := _QUOTED.match(line):
        rest = line[quoted.end() :]
        if not rest.strip(_EDGES) or _BEHIND.fullmatch(rest):
            return next(filter(None, quoted.groups())), True, True
    return _without_remark(line), set_apart, in_quotes


def _without_remark(line: str) -> str:
    """The line up to a remark behind its first word, or up to the remark behind a path with spaces."""
    for found in islice(re.finditer(r"(?=[ \t:,#<(–—])", line), DELIMITERS):
        rest = line[found.start() :]
        if found.start() and _BEHIND.fullmatch(rest):
            return line[: found.start()]
    return line


def _checked(name: str, expected: bool, set_apart: bool, quoted: bool) -> str:
    quoted = quoted and "/" not in name
    name = _plain_name(_POSITION.sub("", name.strip().strip(_EDGES).replace("\\", "/")).strip(_EDGES))
    if re.search(r"\s", name):
        head = re.split(r"\s", name, maxsplit=1)[0]
        spaced = not re.search(r"[,;&|]", name) and not _ENDED.fullmatch(head)
        spaced = spaced and bool(_ENDED.fullmatch(re.sub(r"\s", "_", name)))
        return name if spaced and len(name.split()) <= 4 and ("/" in head or quoted) else ""
    if looks_like_path(name) or ((expected or set_apart) and _PATH.fullmatch(name) and not name.endswith("/")):
        return name
    return ""


def _plain_name(name: str) -> str:
    """A path without the underscores of Markdown around it."""
    found = _EMPHASIS.fullmatch(name)
    return found[2] if found and looks_like_path(found[2]) else name


def mentioned_paths(line: str) -> Iterator[str]:
    """The paths in a sentence, in order: words that can only be meant as one, quoted or not."""
    for found in re.finditer(r"[^\s`'\"<>|*()\[\]{},;=]+", plain_links(line)):
        name = found[0].strip(_EDGES).rstrip(".!?").strip(_EDGES).replace("\\", "/")
        name = _plain_name(_POSITION.sub("", name).split("::")[0])
        if looks_like_path(name):
            yield name


def glued_place(line: str) -> tuple[str, str] | None:
    """The path of a file that a line begins with and what a sign or a slash joins to it, with dots within a name."""
    found = _GLUED.fullmatch(line) if len(line) <= LONGEST else None
    if not found:
        return None
    first, _, rest = found[2].strip("*`\"'").partition(" ")
    if _ENDED.fullmatch(_POSITION.sub("", first.rstrip(_EDGES))):
        return None  # a path in a folder with such a name, or the next path
    inner = re.sub(r"(?<=\w)(?:->|=>|>|→|::?|[/#])(?=[A-Za-z_])", ".", first).replace("|", ",")
    return found[1], f"{inner} {rest}".strip()


def quoted_paths(line: str) -> Iterator[str]:
    """The paths that a line sets in quotes of any kind, in bold or in a link, in order."""
    for found in _QUOTED.finditer(line):
        name = _POSITION.sub("", next(filter(None, found.groups()), "").strip(_EDGES)).replace("\\", "/")
        if looks_like_path(name):
            yield name


def is_fence(line: str) -> bool:
    """Whether a line opens or closes a fence."""
    return bool(_FENCE.match(line))


def is_headed(lines: Sequence[str], path: str) -> bool:
    """Whether one of the lines is nothing but this path, or a fence that names it; else a sentence speaks of it."""
    fences = ((line, _FENCE.match(line)) for line in lines)
    named = (_NAMED_FENCE.fullmatch(line, fence.end()) for line, fence in fences if fence)
    return path in {found[1] for found in named if found} or any(path_of_line(line, True) == path for line in lines)


def path_above(lines: Sequence[str], floor: int, position: int) -> str:
    """The path that a block at ``position`` is headed by, as `named_above`; empty if none is, or several may be."""
    return named_above(lines, floor, position) or ""


def named_above(lines: Sequence[str], floor: int, position: int) -> str | None:
    """The path that a block at ``position`` is headed by, between it and the block that ends at ``floor``.

    The nearest line that names one in a way that says where the block goes, if nothing but tags and fences stands
    between, else the nearest line that is nothing but a path, else the nearest sentence that speaks of one. None if
    there is none, empty if several may be meant.
    """
    nearest, alone, spoken = True, "", list[str]()
    for above in reversed(lines[floor:position]):
        if fence := _FENCE.match(above):
            if named := _NAMED_FENCE.fullmatch(above, fence.end()):
                return named[1]
            continue
        if not above.strip() or (_TAG.fullmatch(above.strip()) and not _ATTRIBUTE.search(above)):
            continue
        found = path_of_line(above, expected=nearest)
        if not found and nearest and _WORD.fullmatch(above.strip()):
            found = above.strip()
        mentioned = [] if found else list(dict.fromkeys(mentioned_paths(above)))
        addressed = [name for name in mentioned if _ADDRESS.search(above.replace("\\", "/").partition(name)[0])]
        if nearest and (found or len(addressed) == 1):
            return found or addressed[0]
        alone, spoken, nearest = alone or found, spoken or mentioned, False
        if alone:
            break
    return alone or (spoken[0] if len(spoken) == 1 else "" if spoken else None)
