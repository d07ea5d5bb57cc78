"""A corpus as packing needs it: the documents' lengths in tokens, and any stretch of their ids.

The separator is never written into a corpus. It is appended in thought: a document that does not already
end with it is one token longer than its ids, and that token is put in when a row is gathered. Documents
without ids stay empty and get no separator.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError
from harness.packing.documents import Document
from harness.packing.store import StoreWriter, TokenStore
from harness.packing.vocabulary import Vocabulary

BATCH_DOCUMENTS = 256  # tokenized at a time
BATCH_CHARACTERS = 4_000_000  # likewise, so that long documents do not pile up


@dataclass(frozen=True)
class Corpus:
    """Documents by their lengths, with their ids where they were kept."""

    lengths: NDArray[np.int64]  # (documents,) tokens of each, the appended separator included
    separated: NDArray[np.bool_]  # (documents,) whether a separator was appended
    separator: int | None
    store: TokenStore | None  # ids without appended separators; None where only lengths were asked for

    @property
    def separator_tokens(self) -> int:
        """Number of separators that were appended."""
        return int(self.separated.sum())


def from_store(store: TokenStore, separator: int | None) -> Corpus:
    """A corpus over ids that lie on disk; ``separator`` is appended where a document does not end with it."""
    separated = np.zeros(len(store.lengths), bool)
    if separator is not None:
        some = np.flatnonzero(store.lengths > 0)
        separated[some] = store.tokens[store.starts[some] + store.lengths[some] - 1] != separator
    return Corpus(store.lengths + separated, separated, separator, store)


def count(documents: Iterable[Document], vocabulary: Vocabulary) -> Corpus:
    """A corpus of lengths alone: the ids are made, counted and let go.

    Raises InputError for text without a tokenizer and text that it can't take.
    """
    sizes, bare = array("q"), bytearray()
    for ids in tokenized(documents, vocabulary):
        sizes.append(len(ids))
        bare.append(bool(vocabulary.separator is not None and len(ids) and ids[-1] != vocabulary.separator))
    separated = np.frombuffer(bytes(bare), np.bool_)
    lengths = np.frombuffer(sizes.tobytes(), np.int64)
    return Corpus(lengths + separated, separated, vocabulary.separator, None)


def write_store(documents: Iterable[Document], vocabulary: Vocabulary, data: Path, index: Path) -> None:
    """Write the documents' ids, without separators, as a token store.

    Raises InputError for text without a tokenizer, text that it can't take and ids that are none.
    """
    with StoreWriter(data, index, vocabulary.size) as writer:
        for ids in tokenized(documents, vocabulary):
            writer.add(ids)


def tokenized(documents: Iterable[Document], vocabulary: Vocabulary) -> Iterator[NDArray[Any]]:
    """The ids of every document, in order; no special tokens are added. Raises InputError as `count` does."""
    number = 0
    for batch in _batches(iter(documents)):
        texts = [document for document in batch if isinstance(document, str)]
        if texts and vocabulary.tokenizer is None:
            raise InputError(f"document {number}: the corpus holds text; name a tokenizer with --tokenizer")
        encoded = _encode(texts, vocabulary, number)
        for document in batch:
            yield next(encoded) if isinstance(document, str) else document
        number += len(batch)


def _encode(texts: list[str], vocabulary: Vocabulary, number: int) -> Iterator[NDArray[Any]]:
    if not texts:
        return
    try:
        encodings = vocabulary.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    except (TypeError, UnicodeError) as error:
        raise InputError(f"documents {number}..{number + len(texts) - 1}: some text is not valid Unicode") from error
    for encoding in encodings:
        yield np.array(encoding.ids, np.int32)


def _batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document)
        if len(batch) == BATCH_DOCUMENTS or size >= BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
