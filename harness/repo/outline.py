"""The elements of a snapshot's files, parsed when first asked for and kept by content across runs."""

import json
from dataclasses import astuple

from harness.repo.store import BlobStore
from harness.repo.symbols import Element, language_of, parse_elements, rules_version
from harness.seams import Snapshot

ELIDED = "..."
VARIABLE_LINES = 4  # lines of a variable that a skeleton shows

NumberedLine = tuple[int | None, str]  # a line of a file with its number, or what stands for lines left out


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


def skeleton(lines: list[str], elements: tuple[Element, ...]) -> list[NumberedLine]:
    """A file's headers of classes and functions and its top-level variables; what is between is elided.

    ``lines`` are the file's lines without their endings. A file without elements is elided as a whole.
    """
    kept: set[int] = set()
    for element in elements:
        end = min(element.last, element.first + VARIABLE_LINES - 1) if element.kind == "variable" else element.body - 1
        kept.update(range(element.first, min(end, len(lines)) + 1))
    shown: list[NumberedLine] = []
    for number, line in enumerate(lines, 1):
        if number in kept:
            shown.append((number, line))
        elif line.strip() and (not shown or shown[-1][0] is not None):
            indent = line[: len(line) - len(line.lstrip())]
            shown.append((None, f"{indent}{ELIDED}"))
    return shown
