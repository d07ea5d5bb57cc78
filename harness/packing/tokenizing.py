"""Documents as token ids, a batch at a time: one is encoded on all cores while the next is read.

What a text spells is text: `<eos>` in a source file is no boundary, unless special tokens are to be read in it. In a
chat the template writes special tokens, and the messages can't.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import InputError
from harness.packing.chat import Chat, Spans, content_texts, rendered, takes_part
from harness.packing.documents import Completion, Document, Tokens
from harness.packing.findings import Findings
from harness.packing.spelled import HIDDEN, hidden, revealed, spells
from harness.packing.token_columns import TRAINED
from harness.packing.vocabulary import Vocabulary

BATCH_DOCUMENTS = 256  # tokenized at a time
BATCH_CHARACTERS = 4_000_000  # likewise, so that long documents do not pile up


@dataclass(frozen=True)
class _Segment:
    """A stretch of a document that is encoded by itself."""

    text: str
    is_plain: bool  # what it spells is text


@dataclass(frozen=True)
class _Written:
    """A document ready to be encoded."""

    segments: list[_Segment]
    spans: Spans | None  # stretches that are trained; None: all


def tokenized(
    documents: Iterable[Document], vocabulary: Vocabulary, found: Findings | None = None, skip: int = 0
) -> Iterator[Tokens]:
    """Every document as ids, in order, without the first ``skip``; `Vocabulary.begin` stands before text and chats.

    ``found`` counts documents as `note` does. Raises InputError for text without a tokenizer and
    text that it can't take.
    """
    found, number, given = found or Findings(), skip, iter(documents)
    for document in islice(given, skip):
        note(document, vocabulary, found)
    with ThreadPoolExecutor(1) as pool:
        waiting: list[tuple[list[Document], Future[list[Tokens]]]] = []
        for batch in _batches(given):
            written = [_written(document, vocabulary, number + place) for place, document in enumerate(batch)]
            waiting.append((batch, pool.submit(_encoded, written, vocabulary, number)))
            number += len(batch)
            if len(waiting) > 1:
                yield from _noted(*waiting.pop(0), vocabulary, found)
        for last in waiting:
            yield from _noted(*last, vocabulary, found)


def _noted(
    batch: list[Document], encoded: "Future[list[Tokens]]", vocabulary: Vocabulary, found: Findings
) -> Iterator[Tokens]:
    for document, tokens in zip(batch, encoded.result(), strict=True):
        note(document, vocabulary, found)  # a blend may leave out the rest of a batch
        yield tokens


def note(document: Document, vocabulary: Vocabulary, found: Findings) -> None:
    """Count a document whose text spells a special token, and a chat in which nothing is trained."""
    content = document.content
    if isinstance(content, Chat) and not any(map(takes_part, content.messages[content.asked :])):
        found.untrained_chats += 1
    if isinstance(content, Completion):
        texts = [content.prompt, content.completion]
    elif isinstance(content, Chat):
        texts = [text for message in content.messages for text in content_texts(message.get("content"))]
    else:
        texts = [content] if isinstance(content, str) else []
    if any(spells(text, vocabulary.spelling) for text in texts):
        found.spelled_documents += 1


def _written(document: Document, vocabulary: Vocabulary, number: int) -> _Written | Tokens:
    content = document.content
    if isinstance(content, Tokens):
        return content
    if vocabulary.tokenizer is None:
        raise InputError(f"document {number}: the corpus holds text; name a tokenizer with --tokenizer")
    if isinstance(content, str):
        return _Written([_Segment(content, True)], None)
    if isinstance(content, Completion):
        whole = content.prompt + content.completion
        return _Written([_Segment(whole, True)], [(len(content.prompt), len(content))])
    if vocabulary.template is None:
        raise InputError(f"document {number}: a chat, but tokenizer {vocabulary.name} has no chat template")
    chat = content if vocabulary.reads_special else hidden(content, vocabulary.spelling)
    return _Written(*_segmented(*rendered(chat, vocabulary.template, vocabulary.special, f"document {number}")))


def _segmented(text: str, spans: Spans) -> tuple[list[_Segment], Spans]:
    """A chat's text, cut where a message spells a special token; the stretches with the disguises taken off."""
    parts = HIDDEN.split(text)
    if len(parts) == 1:
        return [_Segment(text, False)], spans
    shown = [revealed(part) if place % 2 else part for place, part in enumerate(parts)]
    before = np.cumsum([0, *map(len, parts)])  # where each part begins in the disguised text, a disguise being whole
    after = np.cumsum([0, *map(len, shown)])
    bounds = [(_moved(first, before, after), _moved(last, before, after)) for first, last in spans]
    return [_Segment(part, place % 2 == 1) for place, part in enumerate(shown)], bounds


def _moved(place: int, before: NDArray[Any], after: NDArray[Any]) -> int:
    part = int(np.searchsorted(before, place, side="right")) - 1
    return int(after[part] + place - before[part])


def _encoded(batch: list[_Written | Tokens], vocabulary: Vocabulary, number: int) -> list[Tokens]:
    """The batch as ids; ``number`` is that of its first document."""
    written = [document for document in batch if isinstance(document, _Written)]
    segments = [segment for document in written for segment in document.segments]
    masked = any(document.spans is not None for document in written)
    encodings: dict[int, Any] = {}
    try:
        for tokenizer, is_plain in ((vocabulary.plain, True), (vocabulary.tokenizer, False)):
            own = [place for place, segment in enumerate(segments) if segment.is_plain == is_plain]
            if own:
                encode = tokenizer.encode_batch if masked else tokenizer.encode_batch_fast
                texts = [segments[place].text for place in own]
                encodings.update(zip(own, encode(texts, add_special_tokens=False), strict=True))
    except (TypeError, UnicodeError) as error:
        raise InputError(f"documents {number}..{number + len(batch) - 1}: some text is not valid Unicode") from error
    ordered = iter([encodings[place] for place in range(len(segments))])
    return [document if isinstance(document, Tokens) else _joined(document, ordered, vocabulary) for document in batch]


def _joined(document: _Written, encodings: Iterator[Any], vocabulary: Vocabulary) -> Tokens:
    """The ids of a document's segments, with the token that begins documents if it is not there already."""
    ids: list[int] = []
    ends: list[int] = []
    place, begin = 0, vocabulary.begin
    for segment, encoding in zip(document.segments, encodings, strict=False):
        own = encoding.ids
        last = [] if document.spans is None else [place + end for _, end in encoding.offsets]
        if segment.is_plain and not vocabulary.spelled.keys().isdisjoint(own):
            own, last = _in_characters(own, last, vocabulary)
        ids += own
        ends += last
        place += len(segment.text)
    added = begin is not None and len(ids) > 0 and ids[0] != begin
    array = np.array([begin, *ids] if added else ids, np.int32)
    if document.spans is None:
        return Tokens(array)
    mask = _inside(np.array(ends, np.int64), document.spans)
    return Tokens(array, {TRAINED: np.concatenate([np.zeros(int(added), np.uint8), mask])})


def _in_characters(ids: list[int], ends: list[int], vocabulary: Vocabulary) -> tuple[list[int], list[int]]:
    """The ids of a text, and where each ends if that is known, without special tokens that its model found in it.

    Raises InputError for one that the tokenizer can't write otherwise.
    """
    parts = [vocabulary.spelled.get(id, (id,)) for id in ids]
    if () in parts:
        token = vocabulary.tokenizer.id_to_token(ids[parts.index(())])
        raise InputError(
            f"tokenizer {vocabulary.name} can't write {token!r}, which a document spells, but as that token: "
            "take it out of the text, or read it with --special-tokens"
        )
    repeated = [end for part, end in zip(parts, ends, strict=False) for _ in part]
    return [id for part in parts for id in part], repeated


def _inside(ends: NDArray[np.int64], spans: Spans) -> NDArray[np.uint8]:
    """1 for tokens that end inside a stretch: one that reaches over its beginning is trained."""
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
