"""The picture of a comparison: documents per sequence, and where in their documents the cuts lie."""

from collections.abc import Iterable, Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.packing.metrics import POSITION_BINS, Distributions

WIDTH, HEIGHT = 10.0, 1.3  # inches, of the picture and of one strategy in it
MOST_BARS = 60
SHOWN = 0.97  # share of every strategy's sequences that have a bar of their own; the rest share the last one


def draw(strategies: Mapping[str, Distributions], file: IO[bytes]) -> None:
    """Draw one row of two histograms per strategy, as PNG into ``file``.

    Left the share of sequences that hold so many documents (the last bar: so many or more), right the
    cuts by their place in the document (0 its beginning, 1 its end). Scales are shared down the columns, so
    that strategies compare.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 0.9 + HEIGHT * len(strategies)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(strategies), 2, squeeze=False, sharex="col", sharey="col")
    last = _last_bar(shown.documents_per_sequence for shown in strategies.values())
    width = -(-last // MOST_BARS)
    for (left, right), (name, shown) in zip(axes, strategies.items(), strict=True):
        shares = _shares(shown.documents_per_sequence, last, width)
        left.bar(1 + np.arange(len(shares)) * width, shares, width, align="edge", color="#4477aa", edgecolor="white")
        places = (np.arange(POSITION_BINS) + 0.5) / POSITION_BINS
        right.bar(places, shown.cut_positions, 1 / POSITION_BINS, color="#cc6677")
        left.set_title(name, loc="left", fontsize=9)
        right.set_title(f"{shown.cut_positions.sum():,} cuts", loc="right", fontsize=8)
        _tidy(left, "sequences")
        _tidy(right, "cuts")
    axes[-1][0].set_xlabel(f"documents in a sequence (last bar: or more; bars {width} wide)", fontsize=8)
    axes[-1][1].set_xlabel("place of the cut in its document", fontsize=8)
    figure.savefig(file, format="png", dpi=120)


def _last_bar(distributions: Iterable[NDArray[Any]]) -> int:
    """The smallest number of documents that enough sequences of every strategy do not exceed."""
    last = 1
    for counts in distributions:
        if counts.sum():
            last = max(last, int(np.searchsorted(np.cumsum(counts), SHOWN * counts.sum())))
    return last


def _shares(counts: NDArray[Any], last: int, width: int) -> NDArray[Any]:
    """Share of the sequences by documents, from 1 to ``last`` in bars of ``width``, more than that in the last bar."""
    bars = np.zeros(-(-last // width))
    documents = np.arange(1, len(counts))
    np.add.at(bars, np.minimum((documents - 1) // width, len(bars) - 1), counts[1:])
    shares: NDArray[Any] = bars / max(1, counts.sum())
    return shares


def _tidy(axis: Any, label: str) -> None:
    axis.set_ylabel(label, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)
