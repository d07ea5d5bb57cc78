"""Files that appear whole or not at all."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # hundreds of digests take seconds without


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old content or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
    temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole."""
    write_whole(path, json.dumps(value, indent=1, sort_keys=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, whole."""
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))
