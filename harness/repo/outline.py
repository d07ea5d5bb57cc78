"""The elements of a snapshot's files, parsed when first asked for and kept by content across runs."""

import json
from collections.abc import Sequence
from dataclasses import astuple

from harness.core.interfaces import Snapshot
from harness.repo.blob_cache import BlobStore
from harness.repo.symbols import Element, language_of, parse_elements, rules_version

ELIDED = "..."
VARIABLE_LINES = 4  # lines of a variable that a skeleton shows


class Outlines:
    """Elements by file of snapshots."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def elements(self, snapshot: Snapshot, path: str) -> tuple[Element, ...]:
        """The elements of one file; none for a language without grammar. Raises KeyError for an unknown path."""
        language = language_of(path)
        if language is None:
            return ()
        key = f"elements {rules_version(language)} {snapshot.blob(path)}"
        held = self._store.get([key])
        if held:
            return decode_elements(held[key])
        elements = parse_elements(snapshot.read(path), language)
        self._store.put({key: encode_elements(elements)})
        return elements


def encode_elements(elements: tuple[Element, ...]) -> bytes:
    """Elements as bytes for a store."""
    return json.dumps([astuple(element) for element in elements], separators=(",", ":")).encode()


def decode_elements(data: bytes) -> tuple[Element, ...]:
    """The elements that `encode_elements` wrote."""
    return tuple(
        Element(kind, name, first, last, body, signature, tuple(decorators))
        for kind, name, first, last, body, signature, decorators in json.loads(data)
    )


def text_lines(data: bytes) -> list[str]:
    """The lines of a file as a prompt shows them: without their endings, bytes that are no UTF-8 replaced."""
    lines = [line.rstrip("\r") for line in data.decode("utf-8", "replace").split("\n")]
    return lines[:-1] if lines[-1] == "" else lines


def skeleton(lines: Sequence[str], elements: Sequence[Element]) -> str:
    """A file's headers of classes and functions and its top-level variables; what is between is elided."""
    kept: set[int] = set()
    for element in elements:
        end = min(element.last, element.first + VARIABLE_LINES - 1) if element.kind == "variable" else element.body - 1
        kept.update(range(element.first, end + 1))
    shown: list[str] = []
    elided = False
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if number in kept:
            shown.append(line)
        elif not elided:
            shown.append(line[: len(line) - len(line.lstrip())] + ELIDED)
        elided = number not in kept
    return "\n".join(shown)
