"""Parts of a patch's text that look like a diff and that nothing applied: what a reader sees there never happened."""

import re
from collections.abc import Collection, Iterator

NULL = "/dev/null"
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_MARGIN = r"^[ \t>|]*"  # before quoted and indented text
_PART = re.compile(
    rf"""{_MARGIN}---\ (?P<old>[^\t\n]+).*\n{_MARGIN}\+\+\+\ (?P<new>[^\t\n]+).*\n{_MARGIN}@@\ -
    | {_MARGIN}\*\*\*\ (?P<before>[^\t\n]+).*\n{_MARGIN}---\ (?P<after>[^\t\n]+).*\n{_MARGIN}\*{{8}}
    | {_MARGIN}Index:\ (?P<index>[^\t\n]+)\n{_MARGIN}={{8}}""",
    re.MULTILINE | re.VERBOSE,
)


def unapplied(patch: str, touched: Collection[str]) -> str:
    """Path of the first part that touched no file; empty if there is none.

    A part counts as applied if any path in its headings, without leading folders, is one that was touched.
    """
    endings = {path[at:] for path in touched for at in (0, *(m.end() for m in re.finditer("/", path)))}
    for names in _parts(patch):
        suffixes = {name[at:] for name in names for at in (0, *(m.end() for m in re.finditer("/", name)))}
        if names and not suffixes & set(touched) and not set(names) & endings:
            return names[-1]
    return ""


def _parts(patch: str) -> Iterator[list[str]]:
    for found in _PART.finditer("\n".join(_outside_hunks(patch))):
        names = [_plain(name) for name in found.groupdict().values() if name]
        yield [name for name in names if name != NULL]


def _outside_hunks(patch: str) -> Iterator[str]:
    """The lines of a patch but for the content of its hunks, by the hunks' own counts."""
    old = new = 0
    for line in patch.split("\n"):
        if old > 0 or new > 0:
            old -= line[:1] in ("-", " ", "")
            new -= line[:1] in ("+", " ", "")
            continue
        yield line.rstrip("\r")
        hunk = _HUNK.match(line)
        if hunk:
            old, new = (int(count) if count is not None else 1 for count in hunk.groups())


def _plain(name: str) -> str:
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        raw = name[1:-1].encode("utf-8", "surrogateescape").decode("unicode_escape", "replace")
        name = raw.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
    return name
