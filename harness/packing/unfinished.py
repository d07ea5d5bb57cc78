"""How far a token store has come that is not finished: what a killed command goes on from.

One file: a line of JSON (type of the ids, names and types of the columns, documents, tokens), then the documents'
lengths as int32. The .bin and the columns' files may hold more than it says; that is cut off.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.common.files import finished_file

SUFFIX = ".tokenized"


@dataclass(frozen=True)
class Tokenized:
    """The part of a store that is on the disk for good."""

    kind: str = ""  # of the ids
    columns: dict[str, str] = field(default_factory=dict)  # type by name
    sizes: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))

    @property
    def tokens(self) -> int:
        """Ids of all documents."""
        return int(self.sizes.sum(dtype=np.int64))


def save_tokenized(data: Path, done: Tokenized) -> None:
    """Write it beside the .bin, whole or not at all; the ids themselves must be synced."""
    head = {"kind": done.kind, "columns": done.columns, "documents": len(done.sizes), "tokens": done.tokens}
    with finished_file(data.with_suffix(SUFFIX)) as file:
        file.write(json.dumps(head).encode() + b"\n" + done.sizes.tobytes())


def load_tokenized(data: Path) -> Tokenized:
    """What an earlier command left; nothing if it left none, or something else."""
    try:
        head, _, sizes = data.with_suffix(SUFFIX).read_bytes().partition(b"\n")
        fields = json.loads(head)
        done = Tokenized(fields["kind"], dict(fields["columns"]), np.frombuffer(sizes, np.int32))
        enough = data.stat().st_size >= done.tokens * np.dtype(done.kind).itemsize
    except (OSError, ValueError, TypeError, KeyError):
        return Tokenized()
    return (
        done if enough and len(done.sizes) == fields["documents"] and done.tokens == fields["tokens"] else Tokenized()
    )
