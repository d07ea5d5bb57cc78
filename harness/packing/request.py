"""What `harness pack` was asked for, and the checks that need no corpus."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.common.paths import check_file, check_folder
from harness.errors import InputError
from harness.packing.defaults import COMPARED, FORMATS, MEGATRON, SHUFFLE_SEED
from harness.packing.findings import Reading
from harness.packing.loss import LossRules
from harness.packing.sources import is_data_set
from harness.packing.store import store_paths
from harness.packing.strategies import check_strategy, checked_share, longest_first

MOST_WEIGHT = 1e9
NOT_IN_MEGATRON = ("--shard-tokens", "--mask-repeated", "--loss-across-boundaries")


@dataclass(frozen=True)
class PackRequest:
    """What `harness pack` was asked for."""

    corpus: str | tuple[str, ...]  # see `read_documents`; several are read one after another, or blended
    context: int  # tokens of a sequence
    tokenizer: str | None = None  # folder, tokenizer.json or hub id; not needed if the corpus holds ids
    strategies: tuple[str, ...] = ()  # `COMPARED` if empty
    stride: int | None = None  # of sliding windows, in tokens
    max_overlap: float | None = None  # of spread windows, a share of the context
    threshold: float | None = None  # of `pad-or-cut`, likewise
    separator: str | None = None  # see `load_vocabulary`
    padding: str | None = None  # likewise
    begin: str | None = None  # likewise
    special_tokens: bool = False  # text is read as special tokens where it spells them
    weights: tuple[float, ...] = ()  # of several corpora: shares of the tokens
    column: str | None = None
    split: str | None = None
    streaming: bool = False
    config: str | None = None
    revision: str | None = None
    ignored: tuple[str, ...] = ()  # columns that are not carried along
    skip_null: bool = False
    output: Path | None = None  # folder for data sets, one subfolder a strategy
    index_only: bool = False  # arrays instead of rows
    format: str | None = None  # of the rows, one of `FORMATS`; the first if None
    budget: int | None = None  # emitted tokens of every strategy, at most
    shard_tokens: int | None = None  # of one Parquet file; `SHARD_TOKENS` if None
    shuffle_seed: int | None = None  # of the rows' order; `SHUFFLE_SEED` for best-fit decreasing if None
    in_order: bool = False  # the rows of every strategy in the order that it made
    mask_repeated: bool = False
    loss_across_boundaries: bool = False
    equal_weights: bool = False
    metrics: Path | None = None  # file for the metrics, beside the one in the output folder
    figure: Path | None = None  # likewise for the picture (PNG)
    front: Path | None = None  # likewise for the picture of all strategies' settings (PNG)

    @property
    def corpora(self) -> tuple[str, ...]:
        """Where the documents come from."""
        return (self.corpus,) if isinstance(self.corpus, str) else self.corpus

    @property
    def named(self) -> tuple[str, ...]:
        """The strategies to pack by."""
        return self.strategies or COMPARED

    @property
    def rules(self) -> LossRules:
        """What takes part in the loss."""
        return LossRules(self.loss_across_boundaries, self.mask_repeated, self.equal_weights)

    def reading(self, separator: int | None) -> Reading:
        """How the corpus is to be read, with nothing found yet; ``separator`` ends documents in a bare stream."""
        return Reading(
            self.column,
            self.split,
            self.streaming,
            self.config,
            self.revision,
            self.ignored,
            self.skip_null,
            separator,
        )

    def seed(self, strategy: str) -> int | None:
        """Seed of the rows' order under a strategy, None for the order that it made."""
        if self.in_order:
            return None
        return SHUFFLE_SEED if self.shuffle_seed is None and longest_first(strategy) else self.shuffle_seed


def check_request(request: PackRequest) -> None:
    """Raise InputError for what does not make sense or would do nothing, before anything is read."""
    for strategy in request.strategies:
        check_strategy(strategy)
    if request.shard_tokens is not None and request.shard_tokens < 1:
        raise InputError(f"shard size {request.shard_tokens}: give at least 1 token")
    if request.shuffle_seed is not None and request.shuffle_seed < 0:
        raise InputError(f"--shuffle-seed {request.shuffle_seed}: give a whole number, at least 0")
    if request.shuffle_seed is not None and request.in_order:
        raise InputError("--shuffle-seed and --in-order contradict each other; leave out either")
    if request.stride is not None and not any(name.endswith("+slide") for name in request.named):
        raise InputError(f"--stride {request.stride}: none of the strategies slides; leave it out")
    if request.budget is not None and request.budget < request.context:
        raise InputError(f"--budget {request.budget}: give at least the context, {request.context} tokens")
    if request.format is not None and request.format not in FORMATS:
        raise InputError(f"--format {request.format}: known are {', '.join(FORMATS)}")
    _check_shares(request)
    _check_rows(request)
    _check_reading(request)
    _check_places(request)


def _check_shares(request: PackRequest) -> None:
    """Shares lie between 0 and 1 and belong to a strategy that reads them."""
    if request.max_overlap is not None:
        checked_share(request.max_overlap, "--max-overlap")
        if not any(name.endswith("+spread") for name in request.named):
            raise InputError(f"--max-overlap {request.max_overlap}: none of the strategies spreads; leave it out")
    if request.threshold is not None:
        checked_share(request.threshold, "--threshold")
        if "pad-or-cut" not in request.named:
            raise InputError(f"--threshold {request.threshold}: pad-or-cut is not among the strategies; leave it out")


def _check_rows(request: PackRequest) -> None:
    """What is asked of the rows has rows to be done to."""
    of_rows = {
        "--shard-tokens": request.shard_tokens is not None,
        "--padding": request.padding is not None,
        "--format": request.format is not None,
        "--mask-repeated": request.mask_repeated,
        "--loss-across-boundaries": request.loss_across_boundaries,
        "--equal-weights": request.equal_weights,
    }
    ordered = {"--shuffle-seed": request.shuffle_seed is not None, "--in-order": request.in_order}
    given = [option for option, is_given in of_rows.items() if is_given]
    if request.index_only and given:
        raise InputError(f"{', '.join(given)}: --index-only writes no rows; leave out either")
    counted = ("--mask-repeated", "--loss-across-boundaries")  # the metrics say what they do
    unwritten = [option for option in given if option not in counted]
    unwritten += [option for option, is_given in ordered.items() if is_given]
    if request.format == MEGATRON and (useless := [option for option in given if option in NOT_IN_MEGATRON]):
        raise InputError(f"{', '.join(useless)}: --format {MEGATRON} holds token ids alone; leave out either")
    if request.output is None and (unwritten or request.index_only):
        named = ", ".join(unwritten or ["--index-only"])
        raise InputError(f"{named}: nothing is written without --output; name a folder with it, or leave them out")


def _check_reading(request: PackRequest) -> None:
    """What is asked of reading has something to be read."""
    of_text = {"--begin": request.begin, "--special-tokens": request.special_tokens}
    if request.tokenizer is None and (given := _given(of_text)):
        raise InputError(f"{given}: without --tokenizer no text is read; leave out either")
    _check_weights(request)
    of_rows = {"--column": request.column, "--ignore-column": request.ignored, "--skip-null": request.skip_null}
    of_sets = {"--split": request.split, "--config": request.config, "--revision": request.revision}
    named = ", ".join(request.corpora)
    if all(store_paths(corpus) is not None for corpus in request.corpora) and (given := _given(of_rows)):
        raise InputError(f"{given}: {named} holds token ids and nothing else; leave out either")
    if not any(map(is_data_set, request.corpora)) and (given := _given(of_sets)):
        raise InputError(f"{given}: {named} is no data set with splits; leave out either")
    remote = [corpus for corpus in request.corpora if is_data_set(corpus) and not Path(corpus).exists()]
    if not remote and (given := _given({"--streaming": request.streaming, "--revision": request.revision})):
        raise InputError(f"{given}: {named} lies here and is not fetched from the hub; leave out either")


def _given(options: Mapping[str, object]) -> str:
    return ", ".join(option for option, value in options.items() if value)


def _check_weights(request: PackRequest) -> None:
    if not request.corpora:
        raise InputError("no corpus: name a file, a folder or a hub id")
    if request.weights and len(request.weights) != len(request.corpora):
        raise InputError(f"--weights: {len(request.weights)} for {len(request.corpora)} corpora; give one for each")
    if len(request.corpora) == 1 and request.weights:
        raise InputError("--weights: there is one corpus; leave them out")
    if any(not 0 < weight < MOST_WEIGHT for weight in request.weights):
        raise InputError("--weights: give numbers above 0")


def _check_places(request: PackRequest) -> None:
    """What is to be written can be written where it is to lie."""
    if request.output is not None:
        check_folder(request.output, "the output folder")
    for path, what in (
        (request.metrics, "the metrics file"),
        (request.figure, "the figure"),
        (request.front, "the front"),
    ):
        if path is not None:
            check_file(path, what)
