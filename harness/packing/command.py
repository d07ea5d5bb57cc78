"""`harness pack`: one corpus, every strategy, their metrics, and data sets to train on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.common.disk_faults import UNFINISHED
from harness.common.files import finished_file, put_in_place
from harness.common.hashing import content_key
from harness.errors import InputError
from harness.packing.blend import read_tokens
from harness.packing.compiled import IntArray
from harness.packing.corpus import Corpus, count, from_store, write_store
from harness.packing.defaults import FORMATS, MEGATRON, SHARD_TOKENS
from harness.packing.figure import draw
from harness.packing.findings import Reading
from harness.packing.front import Point, draw_front, setting_points
from harness.packing.loss import trained_tokens
from harness.packing.metrics import Distributions, Metrics, distributions, measure
from harness.packing.metrics_file import METRICS, metrics_record
from harness.packing.output import TOKEN_FILES, building, write_index, write_json, write_megatron, write_shards
from harness.packing.overlong import MAX_OVERLAP
from harness.packing.pieces import Packing, reordered, within_budget
from harness.packing.request import PackRequest, check_request
from harness.packing.rows import Gatherer
from harness.packing.sources import matching
from harness.packing.store import read_store, store_paths
from harness.packing.strategies import THRESHOLD, checked_stride, pack
from harness.packing.unfinished import load_tokenized
from harness.packing.vocabulary import Vocabulary, load_vocabulary

SPREAD = "best-fit+spread"
STORE = "tokens"  # name of the token files in an output folder

Progress = Callable[[str], None]


@dataclass
class Comparison:
    """What came out."""

    metrics: dict[str, Metrics] = field(default_factory=dict)
    distributions: dict[str, Distributions] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what was left out, and why


def pack_command(request: PackRequest, progress: Progress) -> Comparison:
    """Pack a corpus by every strategy asked for, measure, and write what the request names.

    ``progress`` is called with a line for each step. Raises InputError for input that does not make
    sense and InfrastructureError if the disk fails; then nothing half-written stays.
    """
    stride = checked_stride(request.context, request.stride)
    check_request(request)
    vocabulary = load_vocabulary(
        request.tokenizer, request.separator, request.padding, request.begin, request.special_tokens
    )
    conditions = _conditions(request, vocabulary, stride)
    reading = request.reading(vocabulary.separator)
    with ExitStack() as stack:
        folder = None
        if request.output is not None:
            plan = {**conditions, **_output_conditions(request, vocabulary)}
            folder = stack.enter_context(building(request.output, plan))
        named = ", ".join(request.corpora)
        progress(f"reading {named}")
        corpus = _open_corpus(request, reading, vocabulary, folder, progress)
        if not corpus.lengths.any():
            raise InputError(f"{named}: the corpus holds no documents" + " with tokens" * len(corpus.lengths))
        result = Comparison(notes=reading.found.notes())
        _compare(request, corpus, vocabulary, stride, folder, progress, result)
        record = metrics_record(conditions, {name: metrics.numbers() for name, metrics in result.metrics.items()})
        if folder is not None:
            _write_report(result, record, folder / METRICS, folder / "packing.png")
            if not request.index_only:
                for file in folder.glob(f"{STORE}.*"):
                    file.unlink()
    try:
        _write_report(result, record, request.metrics, request.figure)
        if request.front is not None:
            with finished_file(request.front) as picture:
                draw_front(_front(request, corpus, result), picture)
    except OSError as error:
        if request.output is not None:
            error.add_note(f"{request.output} is whole, and holds {METRICS} and packing.png, too")
        raise
    return result


def _overlap(request: PackRequest) -> float:
    return MAX_OVERLAP if request.max_overlap is None else request.max_overlap


def _threshold(request: PackRequest) -> float:
    return THRESHOLD if request.threshold is None else request.threshold


def _front(request: PackRequest, corpus: Corpus, result: Comparison) -> list[Point]:
    """What was measured, and the strategies that have a setting at each of its values."""

    def packed(strategy: str, share: float) -> tuple[Packing, IntArray]:
        lengths = corpus.fitted(strategy, request.context).lengths
        return pack(lengths, request.context, strategy, None, share, share), lengths

    points = [(name, "", numbers) for name, numbers in result.metrics.items() if name not in ("pad-or-cut", SPREAD)]
    return points + setting_points("pad-or-cut", packed) + setting_points(SPREAD, packed)


def _conditions(request: PackRequest, vocabulary: Vocabulary, stride: int) -> dict[str, Any]:
    """What determines the metrics."""
    return {
        "corpus": request.corpora[0] if len(request.corpora) == 1 else list(request.corpora),
        "corpus_state": _corpus_state(request),
        "weights": list(request.weights),
        "column": request.column,
        "tokenizer": vocabulary.name,
        "tokenizer_content": vocabulary.digest,
        "separator": vocabulary.separator,
        "begin": vocabulary.begin,
        "special_tokens": request.special_tokens,
        "context_length": request.context,
        "stride": stride,
        "max_overlap": _overlap(request),
        "threshold": _threshold(request),
        "ignored_columns": list(request.ignored),
        "skip_null": request.skip_null,
        "loss_across_boundaries": request.loss_across_boundaries,
        "mask_repeated": request.mask_repeated,
        "budget": request.budget,
    }


def _output_conditions(request: PackRequest, vocabulary: Vocabulary) -> dict[str, Any]:
    """What determines the rows beside it."""
    pair = store_paths(request.corpora[0])
    elsewhere = request.index_only and pair is not None and len(request.corpora) == 1
    return {
        **({TOKEN_FILES: str(pair[0].resolve())} if elsewhere and pair else {}),
        "strategies": list(request.named),
        "padding": vocabulary.padding,
        "index_only": request.index_only,
        "format": request.format,
        "shard_tokens": request.shard_tokens or SHARD_TOKENS,
        "equal_weights": request.equal_weights,
        "shuffle_seeds": [request.seed(strategy) for strategy in request.named],
    }


def _corpus_state(request: PackRequest) -> str:
    """Changes when a local corpus does; a data set of the hub is known by its name, revision and split alone."""
    stats = []
    for corpus in request.corpora:
        path = Path(corpus)
        found = path.rglob("*") if path.is_dir() else matching(corpus)
        files = store_paths(corpus) or sorted(found)
        stats += [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    return content_key(files=stats, split=request.split, config=request.config, revision=request.revision)


def _open_corpus(
    request: PackRequest, reading: Reading, vocabulary: Vocabulary, folder: Path | None, progress: Progress
) -> Corpus:
    pair = store_paths(request.corpora[0])
    if pair is not None and len(request.corpora) == 1:
        return from_store(read_store(*pair), vocabulary.separator)
    if folder is None:
        return count(read_tokens(request, reading, vocabulary), vocabulary.separator)
    data, index = folder / f"{STORE}.bin", folder / f"{STORE}.idx"
    if not index.exists():
        unfinished = index.with_name(index.name + UNFINISHED)
        done = load_tokenized(data)
        documents = read_tokens(request, reading, vocabulary, done.sizes)
        write_store(documents, vocabulary.size, data, unfinished, done, progress)
        put_in_place(unfinished, index)
    return from_store(read_store(data, index), vocabulary.separator)


def _compare(
    request: PackRequest,
    corpus: Corpus,
    vocabulary: Vocabulary,
    stride: int,
    folder: Path | None,
    progress: Progress,
    result: Comparison,
) -> None:
    for strategy in _applicable(request, corpus, result.notes):
        progress(f"packing {strategy}")
        fitted = corpus.fitted(strategy, request.context)
        packing = _ordered(
            request, pack(fitted.lengths, request.context, strategy, stride, _overlap(request), _threshold(request))
        )
        if packing.sequences == 0:
            raise InputError(f"{strategy}: nothing is left of {len(corpus.lengths)} documents; give a larger context")
        if request.budget is not None:
            packing = within_budget(packing, request.budget)
            if (emitted := int(packing.length.sum(dtype=np.int64))) < request.budget - request.context:
                result.notes.append(f"{strategy} emits {emitted:,} tokens in all, fewer than the budget")
        trained = trained_tokens(packing, fitted, request.rules)
        result.metrics[strategy] = measure(packing, fitted.lengths, fitted.separator_tokens, trained)
        result.distributions[strategy] = distributions(packing, fitted.lengths)
        if folder is not None:
            _write(request, packing, fitted, vocabulary, folder / strategy, progress)
    if folder is not None and any(request.seed(strategy) is not None for strategy in result.metrics):
        result.notes.append(_order_note(request, list(result.metrics)))


def _order_note(request: PackRequest, strategies: list[str]) -> str:
    shuffled = [strategy for strategy in strategies if request.seed(strategy) is not None]
    seeds = {request.seed(strategy) for strategy in shuffled}
    return f"rows in random order (seed {', '.join(map(str, seeds))}): {', '.join(shuffled)}"


def _ordered(request: PackRequest, packing: Packing) -> Packing:
    seed = request.seed(packing.strategy)
    if (request.output is None and request.budget is None) or seed is None:
        return packing
    return reordered(packing, np.random.default_rng(seed).permutation(np.arange(packing.sequences)))


def _applicable(request: PackRequest, corpus: Corpus, notes: list[str]) -> Iterator[str]:
    """The strategies named, or those of `COMPARED` that this corpus allows."""
    overlong = bool((corpus.fitted("best-fit", request.context).lengths > request.context).any())
    for strategy in request.named:
        if not request.strategies and strategy == "best-fit" and overlong:
            notes.append("best-fit is left out: it takes no documents longer than the context")
        else:
            yield strategy


def _write(
    request: PackRequest,
    packing: Packing,
    corpus: Corpus,
    vocabulary: Vocabulary,
    folder: Path,
    progress: Progress,
) -> None:
    if request.index_only:
        write_index(folder, packing)
        return
    gatherer = Gatherer(packing, corpus, vocabulary.padding, request.rules)
    if request.format == MEGATRON:
        write_megatron(folder, gatherer)
        return
    write_shards(
        folder,
        gatherer,
        request.format or FORMATS[0],
        request.shard_tokens or SHARD_TOKENS,
        lambda done, total: progress(f"{packing.strategy}: shard {done} of {total}"),
    )


def _write_report(result: Comparison, record: dict[str, Any], metrics: Path | None, figure: Path | None) -> None:
    if metrics is not None:
        write_json(metrics, record)
    if figure is not None:
        with finished_file(figure) as file:
            draw(result.distributions, file)
