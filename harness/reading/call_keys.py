"""The names of parameters with which tools that edit files are called."""

from collections.abc import Mapping
from typing import Any

from harness.reading.path_names import looks_like_path

PATH = ("path", "file_path", "filepath", "filePath", "target_file", "filename", "file_name", "file")
OLD = (
    "old_str", "old_string", "oldString", "old_text", "oldText", "old_content", "old_code", "old", "search", "find",
    "original", "original_code", "original_text",
)  # fmt: skip
NEW = (
    "new_str", "new_string", "newString", "new_text", "newText", "new_content", "new_code", "new", "replace",
    "replacement", "updated", "updated_code", "updated_text", "modified", "modified_code", "fixed_code",
)  # fmt: skip
CONTENT = ("file_text", "content", "contents", "text", "code", "fileContent")
LINES = ("insert_line", "start_line", "startLine", "end_line", "endLine", "line", "line_number", "line_range")


def first(call: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    """The text of the first of ``keys`` that a call has; escapes of JSON may be half a character."""
    found = next((call[key] for key in keys if isinstance(call.get(key), str)), None)
    return found if found is None else found.encode("utf-8", "replace").decode()


def looks_like_files(value: Mapping[str, Any]) -> bool:
    """Whether an object has the contents of files under their paths."""
    return bool(value) and all(
        looks_like_path(key) and isinstance(content, str) and "\n" in content for key, content in value.items()
    )
