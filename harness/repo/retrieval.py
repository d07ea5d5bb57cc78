"""BM25 over the documents of a snapshot: its files, classes or functions.

The score is that of BM25 as Lucene computes it, bm25s' default. A library's index is built for one set of
documents; here what was counted in a file is kept by content, so that another commit counts only what differs,
and only the words of the query are ever put together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.core.interfaces import Snapshot
from harness.repo.blob_cache import BlobStore
from harness.repo.symbols import language_of, parse_elements, rules_version
from harness.repo.terms import VERSION, Terms, count_terms, text_words

Unit = Literal["file", "class", "function"]

K1, B = 1.5, 0.75  # bm25s' own defaults
AT_ONCE = 200  # files that are looked up, read and kept together


@dataclass(frozen=True)
class Document:
    """A file, class or function, and how well it meets a query."""

    path: str
    first: int  # its first line
    score: float


class Retrieval:
    """Searches snapshots with the counts that a store keeps."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def search(
        self, snapshot: Snapshot, paths: Sequence[str], query: str, unit: Unit = "function", limit: int = 100
    ) -> list[Document]:
        """The documents of the files at ``paths`` that meet the query best, at most ``limit``, best first.

        A document that shares no word with the query is not among them. Raises KeyError for an unknown path.
        """
        words = np.array(sorted(text_words(query.encode("utf-8", "replace"))), np.uint64)
        gathered = _Gathered(unit, words)
        for start in range(0, len(paths), AT_ONCE):
            for path, terms in self._terms(snapshot, paths[start : start + AT_ONCE]):
                gathered.add(path, terms)
        return gathered.best(limit)

    def _terms(self, snapshot: Snapshot, paths: Sequence[str]) -> Iterator[tuple[str, Terms]]:
        keys = {path: self._key(snapshot, path) for path in paths}
        held = self._store.get(list(keys.values()))
        missing = {path: key for path, key in keys.items() if key not in held}
        made = {key: self._count(snapshot, path).encode() for path, key in missing.items()}
        self._store.put(made)
        held |= made
        for path, key in keys.items():
            yield path, Terms.decode(held[key])

    def _key(self, snapshot: Snapshot, path: str) -> str:
        language = language_of(path)
        return f"terms {VERSION} {rules_version(language) if language else 'text'} {snapshot.blob(path)}"

    def _count(self, snapshot: Snapshot, path: str) -> Terms:
        data, language = snapshot.read(path), language_of(path)
        return count_terms(data, parse_elements(data, language) if language else ())


class _Gathered:
    """What of the files' words bears on one query."""

    def __init__(self, unit: Unit, words: NDArray[np.uint64]) -> None:
        self._unit = unit
        self._words = words
        self._hints = np.zeros(1 << 16, bool)  # by a word's low bits: whether it may be one of the query's
        self._hints[words.astype(np.uint16)] = True
        self._paths: list[str] = []
        self._places: list[tuple[NDArray[np.int64], ...]] = []  # path, first line and length of each document
        self._pairs: list[tuple[NDArray[np.int64], ...]] = []  # document, query word and count
        self._documents = 0

    def add(self, path: str, terms: Terms) -> None:
        """Take one file in."""
        segments = terms.segments
        document = self._document_of(terms)
        count = int(document.max()) + 1
        lengths = np.bincount(document, segments["length"], count).astype(np.int64)
        firsts = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(firsts, document, segments["first"].astype(np.int64))
        self._places.append((np.full(count, len(self._paths)), firsts, lengths))
        self._paths.append(path)
        near = terms.pairs[self._hints[terms.pairs["word"].astype(np.uint16)]]
        word = np.searchsorted(self._words, near["word"])
        exact = np.append(self._words, 0)[word] == near["word"]
        near, word = near[exact], word[exact]
        self._pairs.append((document[near["segment"]] + self._documents, word, near["count"].astype(np.int64)))
        self._documents += count

    def _document_of(self, terms: Terms) -> NDArray[np.int64]:
        """For each segment the number of the document that it is a part of."""
        if self._unit == "file":
            return np.zeros(len(terms.segments), np.int64)
        if self._unit == "function":
            return np.arange(len(terms.segments))
        return np.unique(terms.segments["unit"], return_inverse=True)[1]

    def best(self, limit: int) -> list[Document]:
        """The documents with the highest scores above 0, of equals the earlier."""
        if not self._places or not len(self._words):
            return []
        path, first, length = (np.concatenate(column) for column in zip(*self._places, strict=True))
        scores = self._scores(length)
        order = np.argsort(-scores, kind="stable")[:limit]
        return [
            Document(self._paths[path[i]], int(first[i]), float(scores[i])) for i in order.tolist() if scores[i] > 0
        ]

    def _scores(self, length: NDArray[np.int64]) -> NDArray[np.float64]:
        document, word, count = (np.concatenate(column) for column in zip(*self._pairs, strict=True))
        # a document of several segments may hold a word in more than one of them
        together, place = np.unique(document * len(self._words) + word, return_inverse=True)
        count = np.bincount(place, count, len(together))
        document, word = np.divmod(together, len(self._words))
        holders = np.bincount(word, minlength=len(self._words))
        rarity = np.log(1 + (len(length) - holders + 0.5) / (holders + 0.5))
        room = K1 * (1 - B + B * length / max(length.mean(), 1.0))
        weights = rarity[word] * count / (room[document] + count)
        return np.bincount(document, weights, len(length)).astype(np.float64)
