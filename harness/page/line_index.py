"""Where each line of a JSONL file begins, so that one of many thousands is read without the others."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.common.line_files import stored_lines, unpack
from harness.errors import InputError

_NAME = re.compile(rb'\{"(?:key|instance_id)": "([^"\\]+)"')


class LineIndex:
    """The lines of a file by the key or instance id that each begins with; a later line of the same name wins.

    The file may grow while it is read: a torn last line is not a line yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._places: dict[str, tuple[int, int]] = {}  # offset and length in bytes
        self._seen = 0
        self._inode = 0

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __len__(self) -> int:
        return len(self._places)

    def update(self) -> Iterator[tuple[str, bytes]]:
        """Every line that is new since the last update; all lines if the file was written anew or is gone."""
        if not self.path.is_file():
            self._restart(0)
            return
        with self.path.open("rb") as file:
            state = os.fstat(file.fileno())
            if state.st_ino != self._inode or state.st_size < self._seen:
                self._restart(state.st_ino)
            with suppress(InputError):  # damaged: what stands before it is shown
                for begun, length, line in stored_lines(self.path, file, self._seen):
                    self._seen = begun + length
                    if named := _NAME.match(line):
                        name = named[1].decode("utf-8", "replace")
                        self._places[name] = (begun, length)
                        yield name, line

    def read(self, name: str) -> dict[str, Any] | None:
        """The line of that name; None if there is none, or if it is no JSON object."""
        place = self._places.get(name)
        if place is None:
            return None
        with self.path.open("rb") as file:
            file.seek(place[0])
            data = file.read(place[1])
        try:
            found = json.loads(unpack(self.path, data))
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def _restart(self, inode: int) -> None:
        self._places.clear()
        self._seen, self._inode = 0, inode
