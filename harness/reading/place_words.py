"""Places in other words than labels and names on lines: in tags, in other languages, over two lines, within sentences.

They are brought into the form of a label and what it names, which `place_lists` reads.
"""

import re

from harness.reading.line_ranges import read_lines
from harness.reading.path_names import looks_like_path, unescaped
from harness.reading.place_kinds import LINE, NAME, WORDS

_WIDE = str.maketrans("：，；（）、", ":,;(),")  # signs of a model that thinks in Chinese
_LINES = re.compile(r"第?[ ]?(\d{1,7})[ ]?行?[ ]?(?:到|至|~|-|–)[ ]?第?[ ]?(\d{1,7})[ ]?行|第[ ]?(\d{1,7})[ ]?行")
_LABELS = {"行号": "line", "行": "line", "函数": "function", "方法": "method", "类": "class", "变量": "variable"}
_LABELS |= {"文件": "file"}
_LABEL = re.compile(rf"(?<![^\n])([\s>*#`-]*)({'|'.join(_LABELS)})(?=[*`]*[ \t]*:)")
_NEXT_FILE = re.compile(r"(?:;[ \t]*|,[ \t]+)(?=[`*\w./-]*/)")
_BEGIN, _END = r"(?:start(?:ing)?|first|begin(?:ning)?)", r"(?:end(?:ing)?|last)"
_ENDS = re.compile(
    rf"<{_BEGIN}_?line>\s*(\d{{1,7}})\s*</\w+>\s*<{_END}_?line>\s*(\d{{1,7}})\s*</\w+>"
    rf"|(?<![^\n])[ \t>*+-]*[`*\"']*{_BEGIN}[ _]?line[`*\"']*[ \t]*[:=][ \t`*\"']*(\d{{1,7}})[`*\"',]*[ \t]*\n"
    rf"[ \t>*+-]*[`*\"']*{_END}[ _]?line[`*\"']*[ \t]*[:=][ \t`*\"']*(\d{{1,7}})",
    re.IGNORECASE,
)
_TAG = re.compile(r"<\w+((?:\s+[\w-]+\s*=\s*[\"'][^<>\"']*[\"'])+)\s*/?>")
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*[\"']([^<>\"']*)[\"']")
_FILES, _NAMES = ("file", "path", "filename", "file_path"), ("function", "method", "class", "variable", "symbol")
_HUNK = re.compile(r"(?<![^\n])@@ -(\d{1,7})(?:,(\d{1,4}))? \+\d+(?:,\d+)? @@")
_OWNED = re.compile(
    r"(?:the[ \t]+)?[`*\"']*(\w+)(?:\([^()]*\))?[`*\"']*[ \t]+(?:method|function|property)"
    r"[ \t]+(?:of|in|from|on)[ \t]+(?:the[ \t]+)?(?:class[ \t]+)?[`*\"']*([A-Za-z_]\w*)[`*\"']*(?:[ \t]+class)?",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    r"(?:\b(?:function|method|class)[ \t]+`([\w.]+)(?:\(\))?`|`([\w.]+)(?:\(\))?`[ \t]+(?:function|method|class)\b"
    r"|,[ \t]+in[ \t]+([A-Za-z_]\w*)\W*$)"
)
_WHOLE = re.compile(
    r"[\W_]*(?:the[ \t]+)?(?:entire|whole|complete|full)[ \t]+file[\W_]*|[\W_]*all[ \t]+lines[\W_]*", re.I
)
_MODULE = re.compile(r"[`*]*([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+)(?:\(\))?(?:[`*]*:[ \t]*(\d.*))?[`*]*")
_SYMBOL = re.compile(r"[A-Za-z][\w -]{1,30}:[ \t]*(`?[A-Za-z_]\w*(?:\.\w+)*(?:\(\))?`?)")

_OF_CLASS = re.compile(
    r"[`*\"']*(\w+)(?:\([^()]*\))?[`*\"']*[ \t]+(?:of|in|from)[ \t]+(?:the[ \t]+)?class[ \t]+[`*\"']*(\w+)[`*\"']*"
)
_NAMED_TAG = re.compile(
    rf"(?:<\w+>[ \t]*)?<({WORDS}|file|path|symbol|element|identifier|entity)>[ \t]*([^<>]*+)</\1>", re.IGNORECASE
)
_NAMED_BY = re.compile(rf"<({WORDS}|file)\b[^<>]*?\b(?:name|path|range)[ \t]*=[ \t]*[\"']([^\"'<>]+)[\"'][^<>]*>", re.I)


def plain_places(text: str) -> str:
    """An answer with lines in tags, of a hunk's header and in Chinese as labels with what they name."""
    text = text.translate(_WIDE)
    text = unescaped(text) if "\\_" in text else text
    if any(word in text for word in _LABELS):
        text = _LABEL.sub(lambda found: found[1] + _LABELS[found[2]], _LINES.sub(_lines, text))
    text = _ENDS.sub(lambda found: f"\nlines: {found[1] or found[3]}-{found[2] or found[4]}\n", text)
    text = _HUNK.sub(lambda found: f"lines: {found[1]}-{int(found[1]) + max(int(found[2] or 1), 1) - 1}\n", text)
    return _TAG.sub(_named, text) if "=" in text and "<" in text else text


def untagged(line: str) -> str:
    """A line with tags that name something as a label and what they name."""
    return _NAMED_TAG.sub(r"\1: \2", _NAMED_BY.sub(r"\1: \2", line))


def of_class(text: str) -> str:
    """A text with ``Class.member`` for a member in words."""
    return _OF_CLASS.sub(r"\2.\1", text)


def first_word(body: str) -> str:
    """The word with which a line begins, which may be a path."""
    return re.split(r"[ \t:,(]", body.strip("*`\"'"), maxsplit=1)[0]


def files_apart(body: str) -> list[str]:
    """The parts of a line that has several files, each with its places; none of any other line."""
    parts = [part.strip() for part in _NEXT_FILE.split(body)]
    return parts if len(parts) > 1 and all(looks_like_path(first_word(part)) for part in parts) else []


def owned(body: str) -> str:
    """``Class.member`` of a line that names a member of a class in words; empty for any other line."""
    found = _OWNED.fullmatch(body.rstrip(" .:"))
    return f"{found[2]}.{found[1]}" if found else ""


def spoken_names(sentence: str) -> list[str]:
    """The functions and classes of which the rest of a sentence speaks by the word."""
    return [next(filter(None, found.groups())) for found in _SPOKEN.finditer(sentence)]


def module_places(body: str) -> list[tuple[str, str, str]]:
    """The module, kind and name of a line that is a module of Python with lines or an element behind it."""
    found = _MODULE.fullmatch(body)
    if not found:
        return []
    if found[2]:
        return [(found[1], LINE, lines) for lines in read_lines(found[2])]
    module, _, name = found[1].rpartition(".")
    return [(module, NAME, name)] if "." in module else []


def means_whole(body: str) -> bool:
    """Whether a line means all of a file."""
    return bool(_WHOLE.fullmatch(body))


def symbol(body: str) -> str:
    """The name behind a label of the model's own; empty for any other line."""
    found = _SYMBOL.fullmatch(body)
    return found[1].strip("`") if found else ""


def _lines(found: re.Match[str]) -> str:
    return f"lines {found[1]}-{found[2]}" if found[1] else f"line {found[3]}"


def _named(tag: re.Match[str]) -> str:
    """A tag that names a file, with lines or elements in it, as lines; any other tag as it is."""
    said = {key.lower().replace("-", "_"): value for key, value in _ATTRIBUTE.findall(tag[1])}
    path = next((said[key] for key in _FILES if key in said), "")
    first = next((said[key] for key in ("start", "start_line", "line_start", "from") if key in said), "")
    last = next((said[key] for key in ("end", "end_line", "line_end", "to") if key in said), first)
    lines = (
        f"{first}-{last}" if first.isdigit() else next((said[k] for k in ("line", "lines", "range") if k in said), "")
    )
    names = [f"{key}: {said[key]}" for key in _NAMES if key in said]
    if not path or not (lines or names):
        return tag[0]
    return "\n".join(["", path, *names, *([f"lines: {lines}"] if lines else []), ""])
