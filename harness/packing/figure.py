"""The picture of a comparison: documents per sequence, and where in their documents the cuts lie."""

from collections.abc import Mapping
from typing import IO

import numpy as np

from harness.packing.metrics import POSITION_BINS, Distributions

WIDTH, HEIGHT = 10.0, 1.3  # inches, of the picture and of one strategy in it
COLUMNS_SHOWN = 60  # bars at most


def draw(strategies: Mapping[str, Distributions], file: IO[bytes]) -> None:
    """Draw one row of two histograms per strategy, as PNG into ``file``.

    Left the share of sequences that hold so many documents, right the cuts by their place in the document
    (0 its beginning, 1 its end). Scales are shared down the columns, so that strategies compare.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, 0.9 + HEIGHT * len(strategies)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(strategies), 2, squeeze=False, sharex="col", sharey="col")
    most = max(len(shown.documents_per_sequence) for shown in strategies.values())
    width = -(-most // COLUMNS_SHOWN)  # of a bar, in documents
    centres = (np.arange(POSITION_BINS) + 0.5) / POSITION_BINS
    for (left, right), (name, shown) in zip(axes, strategies.items(), strict=True):
        counts = np.pad(shown.documents_per_sequence, (0, -len(shown.documents_per_sequence) % width))
        bars = counts.reshape(-1, width).sum(axis=1)
        left.bar(np.arange(len(bars)) * width, bars / max(1, bars.sum()), width, align="edge", color="#4477aa")
        right.bar(centres, shown.cut_positions, 1 / POSITION_BINS, color="#cc6677")
        left.set_title(name, loc="left", fontsize=9)
        right.set_title(f"{shown.cut_positions.sum():,} cuts", loc="right", fontsize=8)
        left.set_ylabel("sequences", fontsize=8)
        right.set_ylabel("cuts", fontsize=8)
        for axis in (left, right):
            axis.tick_params(labelsize=7)
            axis.spines[["top", "right"]].set_visible(False)
    axes[-1][0].set_xlabel("documents in a sequence", fontsize=8)
    axes[-1][1].set_xlabel("place of the cut in its document", fontsize=8)
    figure.savefig(file, format="png", dpi=120)
