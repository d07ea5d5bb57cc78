"""A corpus as packing needs it: the documents' lengths in tokens, and any stretch of their ids.

The separator is never written into a corpus. It is appended in thought: a document that does not already
end with it is one token longer than its ids, and that token is put in when a row is gathered. Documents
without ids stay empty and get no separator. Nor does one whose separator would stand alone in a sequence (`fitted`).
"""

import time
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.packing.documents import Tokens
from harness.packing.store import MOST_ID, StoreWriter, TokenStore, check_ids
from harness.packing.strategies import breaks_every_context, keeps_whole
from harness.packing.token_columns import TRAINED
from harness.packing.unfinished import SUFFIX, Tokenized

SAVE_SECONDS = 20.0  # that a kill may cost while a store is written
SHOW_SECONDS = 1.0  # between two lines of progress


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
    """A corpus of lengths alone: the ids are counted and let go. Raises InputError for ids that are none."""
    sizes, bare, masks = array("q"), bytearray(), _Masks()
    for number, document in enumerate(documents):
        ids = document.ids
        check_ids(ids, MOST_ID, number)
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


def write_store(
    documents: Iterable[Tokens],
    size: int | None,
    data: Path,
    index: Path,
    done: Tokenized | None = None,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Write the documents' ids and their columns, without separators, as a token store.

    ``size`` is the number of ids, if it is known. ``done`` is what `data` holds already, of the documents before these.
    What was written is saved every `SAVE_SECONDS`. ``progress`` is called with a line now and then. Raises InputError
    for ids that are none.
    """
    done = done or Tokenized()
    count, tokens, began = 0, 0, time.monotonic()
    saved = shown = began
    with StoreWriter(data, index, size, done) as writer:
        for document in documents:
            writer.add(document.ids, document.columns)
            count, tokens = count + 1, tokens + len(document.ids)
            now = time.monotonic()
            if now - saved >= SAVE_SECONDS:
                writer.save()
                saved = time.monotonic()
            if progress is not None and now - shown >= SHOW_SECONDS:
                shown, all_tokens = now, done.tokens + tokens
                rate = tokens / (now - began)
                progress(f"{len(done.sizes) + count:,} documents, {all_tokens:,} tokens ({rate:,.0f} a second)")
    data.with_suffix(SUFFIX).unlink(missing_ok=True)
