"""`harness pack`: one corpus, every strategy, their metrics, and data sets to train on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.common.files import UNFINISHED, finished_file, put_in_place
from harness.common.hashing import content_key
from harness.common.paths import check_file, check_folder
from harness.errors import InputError
from harness.packing.corpus import Corpus, count, from_store, write_store
from harness.packing.defaults import COMPARED, SHARD_TOKENS
from harness.packing.documents import read_documents
from harness.packing.figure import draw
from harness.packing.metrics import Distributions, Metrics, distributions, measure
from harness.packing.metrics_file import METRICS, metrics_record
from harness.packing.output import building, write_index, write_json, write_shards
from harness.packing.pieces import Packing
from harness.packing.rows import Gatherer
from harness.packing.store import read_store, store_paths
from harness.packing.strategies import check_strategy, checked_stride, pack
from harness.packing.vocabulary import Vocabulary, load_vocabulary

STORE = "tokens"  # name of the token files in an output folder


@dataclass(frozen=True)
class PackRequest:
    """What `harness pack` was asked for."""

    corpus: str  # see `read_documents`, or a .bin/.idx pair
    context: int  # tokens of a sequence
    tokenizer: str | None = None  # folder, tokenizer.json or hub id; not needed where the corpus holds ids
    strategies: tuple[str, ...] = ()  # `COMPARED` where empty
    stride: int | None = None  # of sliding windows, in tokens
    separator: str | None = None  # see `load_vocabulary`
    padding: str | None = None  # likewise
    column: str | None = None
    split: str = "train"
    streaming: bool = False
    output: Path | None = None  # folder for data sets, one subfolder a strategy
    index_only: bool = False  # arrays instead of rows
    shard_tokens: int | None = None  # of one Parquet file; `SHARD_TOKENS` where None
    shuffle_seed: int | None = None
    mask_repeated: bool = False
    metrics: Path | None = None  # file for the metrics, beside the one in the output folder
    figure: Path | None = None  # likewise for the picture (PNG)


@dataclass
class Comparison:
    """What came out."""

    metrics: dict[str, Metrics] = field(default_factory=dict)
    distributions: dict[str, Distributions] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what was left out, and why


def pack_command(request: PackRequest, progress: Callable[[str], None]) -> Comparison:
    """Pack a corpus by every strategy asked for, measure, and write what the request names.

    ``progress`` is told, line by line, what is being done. Raises InputError for input that does not make
    sense and InfrastructureError where the disk fails; then nothing half-written stays.
    """
    for strategy in request.strategies:
        check_strategy(strategy)
    stride = checked_stride(request.context, request.stride)
    _check_rows(request)
    _check_places(request)
    vocabulary = load_vocabulary(request.tokenizer, request.separator, request.padding)
    conditions = _conditions(request, vocabulary, stride)
    with ExitStack() as stack:
        folder = None
        if request.output is not None:
            plan = {**conditions, **_output_conditions(request, vocabulary)}
            folder = stack.enter_context(building(request.output, plan))
        progress(f"reading {request.corpus}")
        corpus = _open_corpus(request, vocabulary, folder)
        if len(corpus.lengths) == 0:
            raise InputError(f"{request.corpus}: the corpus holds no documents")
        result = _compare(request, corpus, vocabulary, stride, folder, progress)
        record = metrics_record(conditions, {name: metrics.numbers() for name, metrics in result.metrics.items()})
        if folder is not None:
            _write_report(result, record, folder / METRICS, folder / "packing.png")
            if not request.index_only:
                for file in (folder / f"{STORE}.bin", folder / f"{STORE}.idx"):
                    file.unlink(missing_ok=True)
    _write_report(result, record, request.metrics, request.figure)
    return result


def _check_rows(request: PackRequest) -> None:
    """What is said of the rows makes sense, and there are rows that it is said of."""
    if request.shard_tokens is not None and request.shard_tokens < 1:
        raise InputError(f"shard size {request.shard_tokens}: give at least 1 token")
    if request.shuffle_seed is not None and request.shuffle_seed < 0:
        raise InputError(f"--shuffle-seed {request.shuffle_seed}: give a whole number, at least 0")
    options = {
        "--shard-tokens": request.shard_tokens is not None,
        "--shuffle-seed": request.shuffle_seed is not None,
        "--mask-repeated": request.mask_repeated,
    }
    given = [option for option, is_given in options.items() if is_given]
    if request.index_only and given:
        raise InputError(f"{', '.join(given)}: --index-only writes no rows; leave out either")
    if request.output is None and (given or request.index_only):
        named = ", ".join(given or ["--index-only"])
        raise InputError(f"{named}: nothing is written without --output; name a folder with it, or leave them out")


def _check_places(request: PackRequest) -> None:
    """What is to be written can be written where it is to lie."""
    if request.output is not None:
        check_folder(request.output, "the output folder")
    for path, what in ((request.metrics, "the metrics file"), (request.figure, "the figure")):
        if path is not None:
            check_file(path, what)


def _conditions(request: PackRequest, vocabulary: Vocabulary, stride: int) -> dict[str, Any]:
    """What determines the metrics."""
    return {
        "corpus": request.corpus,
        "corpus_state": _corpus_state(request),
        "column": request.column,
        "tokenizer": vocabulary.name,
        "separator": vocabulary.separator,
        "context_length": request.context,
        "stride": stride,
    }


def _output_conditions(request: PackRequest, vocabulary: Vocabulary) -> dict[str, Any]:
    """What determines the rows beside it."""
    return {
        "strategies": list(request.strategies or COMPARED),
        "padding": vocabulary.padding,
        "index_only": request.index_only,
        "shard_tokens": request.shard_tokens or SHARD_TOKENS,
        "shuffle_seed": request.shuffle_seed,
        "mask_repeated": request.mask_repeated,
    }


def _corpus_state(request: PackRequest) -> str:
    """Changes when a local corpus does; a data set of the hub is known by its name and split alone."""
    pair = store_paths(request.corpus)
    path = Path(request.corpus)
    files = pair or (sorted(path.rglob("*")) if path.is_dir() else [path])
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    return content_key(files=stats, split=request.split)


def _open_corpus(request: PackRequest, vocabulary: Vocabulary, folder: Path | None) -> Corpus:
    pair = store_paths(request.corpus)
    if pair is not None:
        return from_store(read_store(*pair), vocabulary.separator)
    documents = read_documents(request.corpus, request.column, request.split, request.streaming)
    if folder is None:
        return count(documents, vocabulary)
    data, index = folder / f"{STORE}.bin", folder / f"{STORE}.idx"
    if not index.exists():
        unfinished = [file.with_name(file.name + UNFINISHED) for file in (data, index)]
        write_store(documents, vocabulary, *unfinished)
        put_in_place(unfinished[0], data)
        put_in_place(unfinished[1], index)
    return from_store(read_store(data, index), vocabulary.separator)


def _compare(
    request: PackRequest,
    corpus: Corpus,
    vocabulary: Vocabulary,
    stride: int,
    folder: Path | None,
    progress: Callable[[str], None],
) -> Comparison:
    result = Comparison()
    for strategy in _applicable(request, corpus, result.notes):
        progress(f"packing {strategy}")
        packing = pack(corpus.lengths, request.context, strategy, stride)
        result.metrics[strategy] = measure(packing, corpus.lengths, corpus.separator_tokens)
        result.distributions[strategy] = distributions(packing, corpus.lengths)
        if folder is not None:
            _write(request, packing, corpus, vocabulary, folder / strategy, progress)
    return result


def _applicable(request: PackRequest, corpus: Corpus, notes: list[str]) -> Iterator[str]:
    """The strategies named, or those of `COMPARED` that this corpus allows."""
    overlong = bool((corpus.lengths > request.context).any())
    for strategy in request.strategies or COMPARED:
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
    progress: Callable[[str], None],
) -> None:
    if request.index_only:
        write_index(folder, packing)
        return
    gatherer = Gatherer(packing, corpus, vocabulary.padding, request.mask_repeated)
    write_shards(
        folder,
        gatherer,
        request.shard_tokens or SHARD_TOKENS,
        request.shuffle_seed,
        lambda done, total: progress(f"{packing.strategy}: shard {done} of {total}"),
    )


def _write_report(result: Comparison, record: dict[str, Any], metrics: Path | None, figure: Path | None) -> None:
    if metrics is not None:
        write_json(metrics, record)
    if figure is not None:
        with finished_file(figure) as file:
            draw(result.distributions, file)
