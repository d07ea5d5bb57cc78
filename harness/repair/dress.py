"""What models put around the lines of a block: fences, line numbers, blank lines, signs of a diff, HTML escapes."""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import takewhile

from harness.core.candidate import Edit
from harness.reading.path_names import MARKUP

Lines = Sequence[str]
PYTHON = (".py", ".pyi")

_INDENT = re.compile(r"\A[ \t\u00a0]+")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)[^`]*")
# The signs behind a line's number, likeliest first; a space behind them may be of the line itself. A blank line may
# have its number alone, since some models write no white space at the end of a line.
_SIGNS = (
    *(r"(\d{1,9})[ \t]?[|│](?:[ ]|$)", r"(\d{1,9})[ \t]?[|│]", r"(\d{1,9})\t", r"(\d{1,9})[ \t]*→"),
    *(r"(\d{1,9})[ \t]*→(?:[ \t]|$)", r"(?:L|Line )?(\d{1,9})[:.)](?:[ \t]|$)", r"(?:L|Line )?(\d{1,9})[:.)-]"),
    *(r"\[(\d{1,9})\]:?(?:[ \t]|$)", r"\[(\d{1,9})\]:?"),
    *(r"(\d{1,9})[ ]{2}", r"(\d{1,9})[ ]", r"(\d{1,9})(?=[ ])"),
)
_NUMBERS = [re.compile(rf"[ \t]*(?:{signs}|(?:L|Line )?\d{{1,9}}[ \t]*$)", re.IGNORECASE) for signs in _SIGNS]
_ESCAPED = re.compile(r"&(?:lt|gt|amp|quot|apos|nbsp|#\d+|#x[0-9a-f]+);", re.IGNORECASE)
_GUARDED = re.compile(r"^\\(?=={3,12}|[<>+-]{5,12})", re.MULTILINE)
# Signs of print that some models write where a file has those of a keyboard.
_PRINTED = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
    **dict.fromkeys("\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
    "\u2026": "...",
}


def undressed(edit: Edit) -> Iterator[Edit]:
    """The edit without one of the things that models put around lines, then without all of them."""
    seen = {(edit.search, edit.replace)}
    stripped = [edit]
    for strip in (
        _unfenced,
        _unnumbered,
        _unescaped,
        _unspaced,
        _plain_signs,
        _unguarded,
        _unsigned,
        _unheaded,
        _unpadded,
    ):
        stripped = [plain for one in stripped for plain in strip(one)]
        for plain in (*strip(edit), *stripped):
            if (plain.search, plain.replace) not in seen and plain.search.strip():
                seen.add((plain.search, plain.replace))
                yield plain


def unfenced(text: str) -> str:
    """The lines between a fence that begins a text and the one that ends it, or the text."""
    lines = text.split("\n")[:-1]
    marked = [number for number, line in enumerate(lines) if line.strip()]
    if len(marked) < 2 or not _FENCE.fullmatch(lines[marked[0]]) or lines[marked[-1]].strip() not in ("```", "~~~"):
        return text
    return _joined(lines[marked[0] + 1 : marked[-1]])


def plain_replacement(edit: Edit) -> Edit | None:
    """The edit without a fence around its replacement, or without the signs of a diff there, if its search has none.

    None if what such signs mean is in doubt, but for Python, which would not parse with them. In texts and markup both
    may be meant.
    """
    old, new = _lines(edit.search), _lines(edit.replace)
    if not edit.search.strip() or edit.path.endswith((*MARKUP, ".txt", ".diff", ".patch")):
        return edit
    if "\u00a0" in edit.replace and "\u00a0" not in edit.search:
        new = [_INDENT.sub(lambda indent: indent[0].replace("\u00a0", " "), line) for line in new]
    if not any(map(_FENCE.fullmatch, old)):
        new = list(_without_fence(new))
    if any(line.startswith("+") for line in new) and not any(line.startswith(("+", "-")) for line in old):
        if [line[1:] for line in new if line[:1] != "+"] == old:
            new = [line[1:] for line in new if line[:1] != "-"]
        elif not edit.path.endswith(PYTHON) and not any(line.startswith(("@@", "+++ ")) for line in new):
            return None
    return replace(edit, replace=_joined(new))


def _without_fence(lines: Lines) -> Lines:
    """The lines without a fence around them that is not indented, or without one end of it."""
    marks = [number for number, line in enumerate(lines) if line.startswith(("```", "~~~"))]
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not marks or len(filled) < 2 or len(marks) > 2:
        return lines
    if marks == [filled[0], filled[-1]]:
        return lines[filled[0] + 1 : filled[-1]]
    return lines[: marks[0]] if marks == [filled[-1]] else lines[marks[0] + 1 :] if marks == [filled[0]] else lines


def _unfenced(edit: Edit) -> list[Edit]:
    return [replace(edit, search=unfenced(edit.search), replace=unfenced(edit.replace))]


def _unnumbered(edit: Edit) -> list[Edit]:
    """Without line numbers, in each form that all lines of the search text have; the replacement may have none."""
    lines = _filled(edit.search)
    forms = [form for form in _NUMBERS if all(map(form.match, lines)) and _numbers(form, lines)]
    return [_without(edit, form) for form in forms] or [edit]


def _without(edit: Edit, form: re.Pattern[str]) -> Edit:
    """The edit without numbers of one form; those of a replacement are none if its lines merely begin like that."""
    bare = _each(edit, partial(form.sub, "", count=1))
    numbers, lines = _numbers(form, _filled(edit.search)), _filled(edit.replace)
    last = numbers[-1] + len(lines)
    if any(numbers[0] <= number <= last for number in _numbers(form, lines)):
        return bare
    alike = all(map(form.match, lines)) and not all(map(form.match, _filled(bare.search)))
    return bare if alike and _numbers(form, lines) else replace(bare, replace=edit.replace)


def _numbers(form: re.Pattern[str], lines: Lines) -> list[int]:
    return [int(found[1]) for line in lines if (found := form.match(line)) and found[1]]


def _unescaped(edit: Edit) -> list[Edit]:
    return [_each(edit, html.unescape) if _ESCAPED.search(edit.search + edit.replace) else edit]


def _unspaced(edit: Edit) -> list[Edit]:
    """With plain spaces, and without the marks that no one sees."""
    return [_each(edit, lambda line: line.replace("\u00a0", " ").replace("\u200b", "").replace("\ufeff", ""))]


def _plain_signs(edit: Edit) -> list[Edit]:
    """With the signs of a keyboard for those of print that the search text has, in the replacement, too."""
    printed = {ord(sign): plain for sign, plain in _PRINTED.items() if sign in edit.search}
    return [_each(edit, lambda line: line.translate(printed)) if printed else edit]


def _unguarded(edit: Edit) -> list[Edit]:
    """Without the backslash that some tools want ahead of lines like a marker."""
    return [_each(edit, partial(_GUARDED.sub, "")) if _GUARDED.search(edit.search) else edit]


def _unsigned(edit: Edit) -> list[Edit]:
    """Without the signs of a diff, if every line has one."""
    old, new = _lines(edit.search), _lines(edit.replace)
    if not all(line[:1] in ("-", " ", "") for line in old) or not all(line[:1] in ("+", " ", "") for line in new):
        return [edit]
    return [_each(edit, lambda line: line[1:]) if any(line[:1] == "-" for line in old) else edit]


def _unheaded(edit: Edit) -> list[Edit]:
    """Without a first line that names the file, of both texts or of the search text alone."""
    old, new = _lines(edit.search), _lines(edit.replace)
    if len(old) < 2 or not edit.path or old[0].strip(" #/*-<!>;`:").strip() != edit.path:
        return [edit]
    return [replace(edit, search=_joined(old[1:]), replace=_joined(new[1:] if new[:1] == old[:1] else new))]


def _unpadded(edit: Edit) -> list[Edit]:
    """Without blank lines at either end of the search text, and without as many at the replacement's."""
    old, new = _lines(edit.search), _lines(edit.replace)
    for _ in range(2):  # the beginning, then the end
        count = _blank(old)
        old, new = old[count:][::-1], new[min(count, _blank(new)) :][::-1]
    return [replace(edit, search=_joined(old), replace=_joined(new))]


def _blank(lines: Lines) -> int:
    return sum(1 for _ in takewhile(lambda line: not line.strip(), lines))


def _each(edit: Edit, change: Callable[[str], str]) -> Edit:
    search, new = (_joined([change(line) for line in _lines(text)]) for text in (edit.search, edit.replace))
    return replace(edit, search=search, replace=new)


def _filled(text: str) -> list[str]:
    return [line for line in _lines(text) if line.strip()]


def _lines(text: str) -> list[str]:
    return text.split("\n")[:-1]


def _joined(lines: Lines) -> str:
    return "".join(f"{line}\n" for line in lines)
