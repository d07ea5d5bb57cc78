"""The names of parameters with which tools that edit files are called."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.reading.path_names import looks_like_path

# In snake case; a call may have them in any other.
PATH = (
    "path", "file_path", "target_file", "filename", "file_name", "file", "absolute_path", "relative_path",
    "relative_workspace_path",
)  # fmt: skip
OLD = (
    "old_str", "old_string", "old_text", "old_content", "old_code", "old_lines", "old", "search", "search_text",
    "search_lines", "find", "find_text", "original", "original_code", "original_text", "original_lines",
    "target_content", "before", "from",
)  # fmt: skip
NEW = (
    "new_str", "new_string", "new_text", "new_content", "new_code", "new_lines", "new", "replace", "replace_text",
    "replace_with", "replacement", "replacement_text", "replacement_content", "replacement_lines", "updated",
    "updated_code", "updated_text", "updated_lines", "modified", "modified_code", "fixed_code", "after", "to",
)  # fmt: skip
CONTENT = ("file_text", "content", "contents", "text", "code", "file_content")
LINES = ("insert_line", "start_line", "end_line", "line", "line_number", "line_range")
EVERYWHERE = ("replace_all", "allow_multiple", "expected_replacements")
MOST = 40  # members of an object that may be a call
_PATCH = re.compile(r"\s*(?:diff --git |--- \S+\n\+\+\+ |@@ -\d|<{5,9} SEARCH|\*\*\* (?:Begin Patch|Update File))")


def pattern(*keys: str) -> str:
    """A regular expression for the keys in any case, without groups; it is meant for re.IGNORECASE."""
    return "|".join(key.replace("_", "_?") for key in keys)


def value(call: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    """The value of the first of ``keys`` that a call has; None without one."""
    return next((one for one in _values(call, keys)), None)


def first(call: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """The text of the first of ``keys`` that a call has, or its lines; escapes of JSON may be half a character."""
    texts = (one for one in _values(call, keys) if isinstance(one, str) or (keys is not PATH and _is_lines(one)))
    found = next(texts, None)
    if isinstance(found, list):
        found = "".join(line if line.endswith("\n") else f"{line}\n" for line in found)
    return found if found is None else str(found).encode("utf-8", "replace").decode()


def _values(call: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[Any]:
    """What a call has under the keys, in their order; data with more members than a call has is none."""
    named = {_plain(key): one for key, one in call.items()} if len(call) <= MOST else {}
    yield from (named[_plain(key)] for key in keys if named.get(_plain(key)) is not None)


def _plain(key: str) -> str:
    return str(key).replace("_", "").lower()


def _is_lines(one: Any) -> bool:
    return isinstance(one, list) and all(isinstance(line, str) for line in one)


def everywhere(call: Mapping[str, Any]) -> bool:
    """Whether a call asks to replace a text in all places that hold it."""
    said = str(value(call, EVERYWHERE) or "").lower()
    return said == "true" or (said.isdigit() and int(said[:9]) > 1)


def is_patch(content: str) -> bool:
    """Whether a text is a change of a file, and not what the file shall hold."""
    return bool(_PATCH.match(content))


def looks_like_files(value: Mapping[str, Any]) -> bool:
    """Whether an object has the contents of files under their paths."""
    return bool(value) and all(
        looks_like_path(key) and isinstance(content, str) and "\n" in content and not is_patch(content)
        for key, content in value.items()
    )
