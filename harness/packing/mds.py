"""Folders of MDS shards, read through mosaicml-streaming, the library that writes them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from harness.errors import InputError
from harness.packing.documents import Document, row_document
from harness.packing.findings import Reading

INDEX = "index.json"
TOKENS = "tokens"  # LLM Foundry's column of ids, as an array or as the bytes of 64-bit numbers


def has_shards(path: Path) -> bool:
    """Whether a folder is one of MDS shards."""
    return path.is_dir() and bool(_shards(path))


def _shards(path: Path) -> list[dict[str, Any]]:
    try:
        return list(json.loads((path / INDEX).read_text(encoding="utf-8"))["shards"])
    except (OSError, ValueError, TypeError, KeyError):
        return []


def read_shards(path: Path, reading: Reading) -> Iterator[Document]:
    """The documents of all samples, in order.

    Raises InputError if the library or a shard is missing, a shard is damaged, and as `row_document` does.
    """
    with _samples(path) as samples:
        for number in range(len(samples)):
            where = f"{path}: sample {number}"
            try:
                sample = samples[number]
            except (OSError, ValueError, RuntimeError) as error:
                raise InputError(f"{where}: not readable ({str(error).splitlines()[0]})") from error
            document = row_document(_with_ids(sample, reading.column, where), reading, where)
            if document is not None:
                yield document


@contextmanager
def _samples(path: Path) -> Iterator[Any]:
    """The samples by number. Compressed shards are unpacked into a temporary folder, one after another."""
    try:
        from streaming import LocalDataset, StreamingDataset
    except ImportError as error:
        raise InputError(f"{path}: MDS shards need the package mosaicml-streaming; install it") from error
    if not any(shard.get("compression") for shard in _shards(path)):
        yield LocalDataset(local=str(path))
        return
    with TemporaryDirectory() as folder:
        yield StreamingDataset(remote=str(path.resolve()), local=folder, shuffle=False, batch_size=1)


def _with_ids(sample: dict[str, Any], column: str | None, where: str) -> dict[str, Any]:
    """The sample with LLM Foundry's ids as an array, under the name that is looked for."""
    ids = sample.get(TOKENS)
    if isinstance(ids, bytes):
        if len(ids) % 8:
            raise InputError(f"{where}: {TOKENS} has {len(ids)} bytes, which are no 64-bit numbers")
        ids = np.frombuffer(ids, np.int64)
    if not isinstance(ids, np.ndarray):
        return sample
    others = {name: value for name, value in sample.items() if name != TOKENS}
    return {TOKENS if column == TOKENS else "input_ids": ids} | others
