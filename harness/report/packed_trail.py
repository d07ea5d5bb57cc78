"""Trails as compressed JSON: a run of thousands of attempts holds one in a tenth of the memory of its parts."""

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Self

LEVEL = 1  # of zlib: the quickest


class PackedTrail(Mapping[str, Any]):
    """A trail that is opened when somebody looks into it."""

    def __init__(self, packed: bytes) -> None:
        self.packed = packed

    @classmethod
    def of(cls, trail: Mapping[str, Any]) -> Self:
        """The same trail, packed. What JSON makes of it is what it holds from then on."""
        return trail if isinstance(trail, cls) else cls(zlib.compress(trail_text(trail).encode(), LEVEL))

    @property
    def text(self) -> str:
        """The trail as JSON."""
        return zlib.decompress(self.packed).decode()

    def __getitem__(self, name: str) -> Any:
        return json.loads(self.text)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(json.loads(self.text))

    def __len__(self) -> int:
        return len(json.loads(self.text))


def trail_text(trail: Mapping[str, Any]) -> str:
    """A trail as JSON."""
    return trail.text if isinstance(trail, PackedTrail) else json.dumps(dict(trail))


def trail_line(instance_id: str, trail: Mapping[str, Any]) -> str:
    """A line of ``trail.jsonl``, with its end."""
    inside = trail_text(trail)[1:-1]
    return f'{{"instance_id": {json.dumps(instance_id)}{", " if inside else ""}{inside}}}\n'
