"""What `harness pack` was asked for, and the checks that need no corpus."""

from dataclasses import dataclass
from pathlib import Path

from harness.common.paths import check_file, check_folder
from harness.errors import InputError
from harness.packing.defaults import COMPARED, SHUFFLE_SEED
from harness.packing.findings import Reading
from harness.packing.loss import LossRules
from harness.packing.store import store_paths
from harness.packing.strategies import check_strategy, longest_first


@dataclass(frozen=True)
class PackRequest:
    """What `harness pack` was asked for."""

    corpus: str  # see `read_documents`, or a .bin/.idx pair
    context: int  # tokens of a sequence
    tokenizer: str | None = None  # folder, tokenizer.json or hub id; not needed if the corpus holds ids
    strategies: tuple[str, ...] = ()  # `COMPARED` if empty
    stride: int | None = None  # of sliding windows, in tokens
    separator: str | None = None  # see `load_vocabulary`
    padding: str | None = None  # likewise
    column: str | None = None
    split: str | None = None
    streaming: bool = False
    ignored: tuple[str, ...] = ()  # columns that are not carried along
    skip_null: bool = False
    output: Path | None = None  # folder for data sets, one subfolder a strategy
    index_only: bool = False  # arrays instead of rows
    shard_tokens: int | None = None  # of one Parquet file; `SHARD_TOKENS` if None
    shuffle_seed: int | None = None  # of the rows' order; `SHUFFLE_SEED` for best-fit decreasing if None
    in_order: bool = False  # the rows of every strategy in the order that it made
    mask_repeated: bool = False
    loss_across_boundaries: bool = False
    metrics: Path | None = None  # file for the metrics, beside the one in the output folder
    figure: Path | None = None  # likewise for the picture (PNG)

    @property
    def named(self) -> tuple[str, ...]:
        """The strategies to pack by."""
        return self.strategies or COMPARED

    @property
    def rules(self) -> LossRules:
        """What takes part in the loss."""
        return LossRules(self.loss_across_boundaries, self.mask_repeated)

    def reading(self) -> Reading:
        """How the corpus is to be read, with nothing found yet."""
        return Reading(self.column, self.split, self.streaming, self.ignored, self.skip_null)

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
    _check_rows(request)
    _check_reading(request)
    _check_places(request)


def _check_rows(request: PackRequest) -> None:
    """What is asked of the rows has rows to be done to."""
    of_rows = {
        "--shard-tokens": request.shard_tokens is not None,
        "--padding": request.padding is not None,
        "--mask-repeated": request.mask_repeated,
        "--loss-across-boundaries": request.loss_across_boundaries,
    }
    ordered = {"--shuffle-seed": request.shuffle_seed is not None, "--in-order": request.in_order}
    given = [option for option, is_given in of_rows.items() if is_given]
    if request.index_only and given:
        raise InputError(f"{', '.join(given)}: --index-only writes no rows; leave out either")
    counted = ("--mask-repeated", "--loss-across-boundaries")  # the metrics say what they do
    unwritten = [option for option in given if option not in counted]
    unwritten += [option for option, is_given in ordered.items() if is_given]
    if request.output is None and (unwritten or request.index_only):
        named = ", ".join(unwritten or ["--index-only"])
        raise InputError(f"{named}: nothing is written without --output; name a folder with it, or leave them out")


def _check_reading(request: PackRequest) -> None:
    """What is asked of reading has something to be read."""
    if store_paths(request.corpus) is None:
        return
    given = {
        "--column": request.column,
        "--split": request.split,
        "--streaming": request.streaming,
        "--ignore-column": request.ignored,
        "--skip-null": request.skip_null,
    }
    if of_rows := [option for option, value in given.items() if value]:
        raise InputError(f"{', '.join(of_rows)}: {request.corpus} holds token ids and nothing else; leave them out")


def _check_places(request: PackRequest) -> None:
    """What is to be written can be written where it is to lie."""
    if request.output is not None:
        check_folder(request.output, "the output folder")
    for path, what in ((request.metrics, "the metrics file"), (request.figure, "the figure")):
        if path is not None:
            check_file(path, what)
