"""Files of other harnesses, read with one clear line for each that is damaged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from harness.common.error_line import error_line
from harness.common.files import LOADER
from harness.errors import InputError


def text_of(path: Path) -> str:
    """A text file, undecodable bytes replaced. Raises InputError if it can't be read."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error


def json_of(path: Path) -> Any:
    """A JSON file. Raises InputError if it is torn."""
    return _parsed(text_of(path), str(path))


def objects_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSON lines file, each with its place; line by line, as some have gigabytes.

    Raises InputError for a line that is none.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    where = f"{path}: line {number}"
                    value = _parsed(line.decode("utf-8-sig", "replace"), where)
                    if not isinstance(value, dict):
                        raise InputError(f"{where}: is not a JSON object; repair or remove that line")
                    yield where, value
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error


def names_in(document: dict[str, Any], key: str, path: Path) -> list[str]:
    """The names that a file lists under a key, none if it has no such key. Raises InputError if that is no list."""
    listed = document.get(key) or []
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise InputError(f"{path}: {key} is no list of names")
    return listed


def yaml_of(path: Path) -> dict[str, Any]:
    """A YAML file's keys. Raises InputError if it is no such file."""
    try:
        value = yaml.load(text_of(path), Loader=LOADER)
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{path}: can't be read ({error_line(error)})") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds no keys; it is to be a YAML object")
    return value


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: torn or not JSON ({error_line(error)}); repair or remove it") from error
