"""Packed rows as `harness pack --output` writes them, with what each token counts in the loss.

Packing is not repeated here. Attention is causal over the whole row, over the borders of documents too: there is no
mask between documents, and positions run from 0 to the row's end (the column ``position_ids`` is not used).
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lab import LabError

IGNORED = -100  # label of a token that takes no part in the loss
NOTHING, PROMPT, ANSWER = 0, 1, 2  # what a token counts as
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<|system|>", "<|user|>", "<|assistant|>")
PIECES = ("seq_lengths", "seq_documents", "seq_offsets")  # columns that say where each piece comes from
DOCUMENT_TOKENS = 1 << 32  # more than any document has
METRICS = "metrics.json"  # beside the strategies' folders


@dataclass(frozen=True)
class Specials:
    """Ids of the tokens that show the form of a chat, and the number of all ids."""

    pad: int
    bos: int
    eos: int
    system: int
    user: int
    assistant: int
    vocabulary: int

    @property
    def markers(self) -> tuple[int, ...]:
        """Ids of the special tokens: each begins or ends something."""
        return (self.pad, self.bos, self.eos, self.system, self.user, self.assistant)


@dataclass(frozen=True)
class PackedRows:
    """All rows of one data set."""

    tokens: NDArray[np.int32]  # (rows, context)
    kinds: NDArray[np.uint8]  # (rows, context): NOTHING, PROMPT or ANSWER, of the token as one to be predicted
    sha256: str  # of ids and labels
    packing: dict[str, Any]  # strategy, and its metrics if they lie beside

    @property
    def context(self) -> int:
        """Tokens of a row."""
        return int(self.tokens.shape[1])


def load_specials(tokenizer: Path) -> Specials:
    """Find the chat's special tokens in a tokenizer folder; raises LabError if it can't be read or lacks one."""
    from tokenizers import Tokenizer

    file = tokenizer / "tokenizer.json"
    if not file.is_file():
        raise LabError(f"{tokenizer}: no tokenizer.json there")
    try:
        loaded = Tokenizer.from_file(str(file))
    except Exception as error:  # what the library raises for a damaged file is just that
        raise LabError(f"{file}: not a readable tokenizer ({error}); make it anew") from error
    ids = {token: loaded.token_to_id(token) for token in SPECIAL_TOKENS}
    missing = [token for token, found in ids.items() if found is None]
    if missing:
        raise LabError(f"{file}: lacks the special tokens {', '.join(missing)}")
    fields = {token.strip("<|>"): found for token, found in ids.items() if found is not None}
    return Specials(**fields, vocabulary=loaded.get_vocab_size())


def load_rows(data: Path, specials: Specials) -> PackedRows:
    """Read all shards of one strategy's folder.

    Raises LabError if there are none or a file is damaged, if rows are empty or differ in length and if ids
    are not the tokenizer's.
    """
    shards = sorted(data.glob("shard-*.parquet"))
    if not shards:
        raise LabError(f"{data}: no shards there; name one strategy's folder of what `harness pack --output` wrote")
    read = [_read_shard(shard) for shard in shards]
    lengths = sorted({ids.shape[1] for ids, *_ in read})
    if len(lengths) > 1:
        raise LabError(f"{data}: shards with rows of {' and '.join(map(str, lengths))} tokens; pack the corpus anew")
    tokens, labels = (np.concatenate([part[column] for part in read]) for column in (0, 1))
    known = [part[2] for part in read if part[2] is not None]
    places = np.concatenate(known) if len(known) == len(read) else None
    if not 0 <= tokens.min() <= tokens.max() < specials.vocabulary:
        raise LabError(f"{data}: ids up to {tokens.max()}, but the tokenizer has {specials.vocabulary}")
    digest = hashlib.sha256(str(tokens.shape).encode())
    for array in (tokens, labels):
        digest.update(array.astype("<i4").tobytes())
    kinds = token_kinds(tokens, labels, specials, places)
    return PackedRows(tokens, kinds, digest.hexdigest(), {"strategy": data.name, **_metrics(data)})


def _read_shard(path: Path) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64] | None]:
    """Ids, labels and, if the shard says it, the tokens' places; (rows, context) each."""
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    try:
        named = set(pyarrow.parquet.read_schema(path).names)
        origins = [name for name in PIECES if set(PIECES) <= named]
        table = pyarrow.parquet.read_table(path, columns=["input_ids", "labels", *origins])
        ids, labels = (
            table.column(name).combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.int32)
            for name in ("input_ids", "labels")
        )
        lengths = pyarrow.compute.list_value_length(table.column("input_ids")).unique()
    except (OSError, pyarrow.ArrowException, AttributeError, ValueError) as error:  # the last two: no lists of ids
        raise LabError(f"{path}: not a readable shard ({error}); pack the corpus anew") from error
    rows = table.num_rows
    if not len(ids):
        raise LabError(f"{path}: holds no tokens; pack the corpus anew")
    if len(lengths) != 1 or ids.shape != labels.shape:
        raise LabError(f"{path}: rows of different lengths; pack the corpus anew")
    places = token_places(*(table.column(name).to_pylist() for name in origins)) if origins else None
    if places is not None and places.size != len(ids):
        raise LabError(f"{path}: its pieces do not add up to its rows; pack the corpus anew")
    return ids.reshape(rows, -1), labels.reshape(rows, -1), places


def _metrics(data: Path) -> dict[str, Any]:
    """The strategy's numbers from the metrics file beside its folder, if there is one; LabError if damaged."""
    file = data.resolve().parent / METRICS
    if not file.is_file():
        return {}
    try:
        numbers = json.loads(file.read_text(encoding="utf-8")).get("strategies", {}).get(data.name, {})
        return dict(numbers)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise LabError(f"{file}: not a readable metrics file ({error}); remove it or pack the corpus anew") from error


def token_kinds(
    tokens: NDArray[np.int32],
    labels: NDArray[np.int32],
    specials: Specials,
    places: NDArray[np.int64] | None = None,
) -> NDArray[np.uint8]:
    """What each token (rows, context) counts as.

    An answer is what follows ``<|assistant|>`` and its line break, its ``<eos>`` included. ``places`` (see
    `token_places`) says where each token stands in its document, so that a piece without its head goes on as the piece
    before it ended, wherever that stands. If the rows do not say it, or the piece before is not there, a piece that
    begins inside a document begins in an answer when the first marker in it is an ``<eos>``.
    """
    if places is None:
        answer = _answers(tokens, np.zeros(len(tokens), bool), specials)
    else:
        answer = _answers_by_place(tokens, places, specials)
    kinds = np.where(answer, ANSWER, PROMPT).astype(np.uint8)
    kinds[labels == IGNORED] = NOTHING
    return kinds


def _answers(tokens: NDArray[np.int32], whole: NDArray[np.bool_], specials: Specials) -> NDArray[np.bool_]:
    """Which tokens (rows, context) are answers; a row that is ``whole`` is one document from its head on."""
    markers = np.isin(tokens, specials.markers)
    before, after = _last_marker_before(markers), _first_marker_from(markers)
    speaker = _at(tokens, before, missing=specials.eos)
    ended = _at(tokens, after, missing=specials.pad) == specials.eos
    unknown = (speaker == specials.eos) & ~whole[:, None]
    answer: NDArray[np.bool_] = (speaker == specials.assistant) | (unknown & ended)
    answer[:, 1:] &= tokens[:, :-1] != specials.assistant  # the line break belongs to the prompt
    answer &= ~markers | (tokens == specials.eos)
    return answer


def _answers_by_place(tokens: NDArray[np.int32], places: NDArray[np.int64], specials: Specials) -> NDArray[np.bool_]:
    """Which tokens are answers, by the documents that all pieces together make."""
    filled = places >= 0
    known, first, inverse = np.unique(places[filled], return_index=True, return_inverse=True)
    stream = tokens[filled][first]
    bounds = np.flatnonzero(np.diff(known) != 1) + 1  # where another document begins, or a stretch is missing
    answer = np.zeros(len(stream), bool)
    for part in np.split(np.arange(len(stream)), bounds):
        if len(part):
            is_whole = np.array([known[part[0]] % DOCUMENT_TOKENS == 0])
            answer[part] = _answers(stream[part][None], is_whole, specials)[0]
    answers = np.zeros(tokens.shape, bool)
    answers[filled] = answer[inverse]
    return answers


def token_places(lengths: Sequence[Any], documents: Sequence[Any], offsets: Sequence[Any]) -> NDArray[np.int64]:
    """Where each token stands: `DOCUMENT_TOKENS` times its document's number and its place there, -1 for padding.

    The three have, for each row, its pieces' lengths, documents and offsets. Shape (rows, context).
    """
    rows = []
    for length, document, offset in zip(lengths, documents, offsets, strict=True):
        begin = np.where(np.asarray(document) < 0, -1, np.asarray(document) * DOCUMENT_TOKENS + np.asarray(offset))
        within = np.arange(int(np.sum(length))) - np.repeat(np.cumsum(length) - length, length)
        rows.append(np.where(np.repeat(begin, length) < 0, -1, np.repeat(begin, length) + within))
    return np.array(rows, np.int64)


def whole_questions(tokens: NDArray[np.int32], specials: Specials) -> int:
    """How many documents of one question stand whole, with their answer, in rows (rows, context).

    They have the form of what evaluation asks. Trajectories and sessions, of more questions, are not among them.
    """
    wanted = [specials.bos, specials.user, specials.assistant, specials.eos]
    found = 0
    for row in tokens:
        markers = [*row[np.isin(row, specials.markers) & (row != specials.pad)].tolist(), specials.bos]
        for place in range(len(markers) - len(wanted)):
            last = place + len(wanted)
            found += markers[place:last] == wanted and markers[last] != specials.user
    return found


def _last_marker_before(markers: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Place of the last marker left of each token (rows, context), -1 if there is none."""
    reached = np.maximum.accumulate(np.where(markers, np.arange(markers.shape[1]), -1), axis=1)
    return np.concatenate([np.full((len(markers), 1), -1), reached[:, :-1]], axis=1)


def _first_marker_from(markers: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Place of the first marker at or right of each token (rows, context), -1 if there is none."""
    context = markers.shape[1]
    places = np.where(markers, np.arange(context), context)
    reached = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
    return np.where(reached == context, -1, reached)


def _at(tokens: NDArray[np.int32], places: NDArray[np.int64], missing: int) -> NDArray[np.int32]:
    """The tokens at ``places`` of their rows, ``missing`` if a place is -1."""
    return np.where(places < 0, missing, np.take_along_axis(tokens, np.maximum(places, 0), axis=1))


def row_order(rows: int, step_rows: int, steps: int, seed: int) -> NDArray[np.int64]:
    """Numbers of the rows of every step (steps, step_rows): every pass takes all rows once, in a new random order."""
    passes = -(-steps * step_rows // rows)
    order = [np.random.default_rng((seed, number)).permutation(rows) for number in range(passes)]
    return np.concatenate(order)[: steps * step_rows].reshape(steps, step_rows)
