"""A corpus as packing needs it: the documents' lengths in tokens, and any stretch of their ids.

The separator is never written into a corpus. It is appended in thought: a document that does not already
end with it is one token longer than its ids, and that token is put in when a row is gathered. Documents
without ids stay empty and get no separator. Nor does one whose separator would stand alone in a sequence (`fitted`).
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError
from harness.packing.chat import Spans, rendered
from harness.packing.documents import Completion, Document, Tokens
from harness.packing.store import StoreWriter, TokenStore
from harness.packing.strategies import breaks_every_context, keeps_whole
from harness.packing.token_columns import TRAINED
from harness.packing.vocabulary import Vocabulary

BATCH_DOCUMENTS = 256  # tokenized at a time
BATCH_CHARACTERS = 4_000_000  # likewise, so that long documents do not pile up


@dataclass(frozen=True)
class Corpus:
    """Documents by their lengths, with their ids if they were kept."""

    lengths: NDArray[np.int64]  # (documents,) tokens of each, the appended separator included
    separated: NDArray[np.bool_]  # (documents,) whether a separator was appended
    separator: int | None
    store: TokenStore | None  # ids without appended separators; None if only lengths were asked for
    starts: NDArray[np.int64]  # (documents,) where each one's ids begin among all
    trained: NDArray[np.uint8] | None = None  # (ids,) 1 for those in the loss; None if all are

    @property
    def separator_tokens(self) -> int:
        """Number of separators that were appended."""
        return int(self.separated.sum())

    def fitted(self, strategy: str, context: int) -> "Corpus":
        """The corpus without those separators that would stand alone in a sequence of ``context`` tokens.

        A document of exactly ``context`` ids would be over-long by its separator: dropped, or cut for nothing. Under
        a strategy that cuts longer ones every ``context`` tokens the same holds for multiples.
        """
        bare = self.lengths - self.separated
        fills = (bare % context == 0) if breaks_every_context(strategy) else (bare == context)
        alone = self.separated & fills if keeps_whole(strategy) else np.zeros_like(self.separated)
        return replace(self, lengths=self.lengths - alone, separated=self.separated & ~alone) if alone.any() else self


def from_store(store: TokenStore, separator: int | None) -> Corpus:
    """A corpus over ids that lie on disk; ``separator`` is appended to a document that does not end with it."""
    separated = np.zeros(len(store.lengths), bool)
    if separator is not None:
        some = np.flatnonzero(store.lengths > 0)
        separated[some] = store.tokens[store.starts[some] + store.lengths[some] - 1] != separator
    trained = store.columns.get(TRAINED)
    return Corpus(store.lengths + separated, separated, separator, store, store.starts, trained)


def count(documents: Iterable[Tokens], separator: int | None) -> Corpus:
    """A corpus of lengths alone: the ids are counted and let go."""
    sizes, bare, masks = array("q"), bytearray(), _Masks()
    for document in documents:
        ids = document.ids
        sizes.append(len(ids))
        bare.append(bool(separator is not None and len(ids) and ids[-1] != separator))
        masks.add(document.columns.get(TRAINED), len(ids))
    separated = np.frombuffer(bytes(bare), np.bool_)
    lengths = np.frombuffer(sizes.tobytes(), np.int64)
    starts = np.cumsum(lengths) - lengths
    return Corpus(lengths + separated, separated, separator, None, starts, masks.flat())


class _Masks:
    """The documents' loss masks in memory, which takes none as long as no document has one."""

    def __init__(self) -> None:
        self._flat, self._tokens = bytearray(), 0

    def add(self, mask: NDArray[Any] | None, size: int) -> None:
        if mask is not None:
            self._flat += b"\1" * (self._tokens - len(self._flat)) + mask.astype(np.uint8).tobytes()
        self._tokens += size

    def flat(self) -> NDArray[np.uint8] | None:
        if not self._flat:
            return None
        return np.frombuffer(bytes(self._flat) + b"\1" * (self._tokens - len(self._flat)), np.uint8)


def write_store(documents: Iterable[Tokens], size: int | None, data: Path, index: Path) -> None:
    """Write the documents' ids and their columns, without separators, as a token store.

    ``size`` is the number of ids, if it is known. Raises InputError for ids that are none.
    """
    with StoreWriter(data, index, size) as writer:
        for document in documents:
            writer.add(document.ids, document.columns)


def tokenized(documents: Iterable[Document], vocabulary: Vocabulary) -> Iterator[Tokens]:
    """Every document as ids, in order; no special tokens are added.

    Raises InputError for text without a tokenizer and text that it can't take.
    """
    number = 0
    for batch in _batches(iter(documents)):
        texts = [_text_of(document, vocabulary, number + place) for place, document in enumerate(batch)]
        written = [text for text in texts if text is not None]
        encoded = _encode(written, vocabulary, number)
        for document in batch:
            yield document.content if isinstance(document.content, Tokens) else next(encoded)
        number += len(batch)


def _text_of(document: Document, vocabulary: Vocabulary, number: int) -> tuple[str, Spans | None] | None:
    """A document's text and the stretches of it that are trained (None: all); None for ids."""
    content = document.content
    if isinstance(content, Tokens):
        return None
    if vocabulary.tokenizer is None:
        raise InputError(f"document {number}: the corpus holds text; name a tokenizer with --tokenizer")
    if isinstance(content, str):
        return content, None
    if isinstance(content, Completion):
        return content.prompt + content.completion, [(len(content.prompt), len(content))]
    if vocabulary.template is None:
        raise InputError(f"document {number}: a chat, but tokenizer {vocabulary.name} has no chat template")
    return rendered(content, vocabulary.template, vocabulary.special, f"document {number}")


def _encode(texts: list[tuple[str, Spans | None]], vocabulary: Vocabulary, number: int) -> Iterator[Tokens]:
    if not texts:
        return
    plain = all(spans is None for _, spans in texts)
    encode = vocabulary.tokenizer.encode_batch_fast if plain else vocabulary.tokenizer.encode_batch
    try:
        encodings = encode([text for text, _ in texts], add_special_tokens=False)
    except (TypeError, UnicodeError) as error:
        raise InputError(f"documents {number}..{number + len(texts) - 1}: some text is not valid Unicode") from error
    for encoding, (_, spans) in zip(encodings, texts, strict=True):
        ids = np.array(encoding.ids, np.int32)
        yield Tokens(ids) if spans is None else Tokens(ids, {TRAINED: _inside(encoding.offsets, spans)})


def _inside(offsets: list[tuple[int, int]], spans: Spans) -> NDArray[np.uint8]:
    """1 for tokens that end inside a stretch: one that reaches over its beginning is trained."""
    ends = np.array([end for _, end in offsets], np.int64)
    mask = np.zeros(len(ends), np.uint8)
    for first, last in spans:
        mask |= (ends > first) & (ends <= last)
    return mask


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
