"""The picture of the study: resolve rates by arm, each seed's checkpoint a dot."""

from typing import IO, Any

from harness.statistics.crossed import Estimate
from lab.study.analysis import Analysis, View, views_of
from lab.study.study import Study

WIDTH, HEIGHT = 3.0, 0.42  # inches, of a condition and of an arm
SPREAD = 0.3  # of the rows' distance: how far seeds stand apart


def draw(study: Study, analysis: Analysis, file: IO[bytes]) -> None:
    """Draw one panel for the average and for each condition, as PNG into ``file``.

    A row is an arm: its mean with the bootstrap interval over instances and seeds, and a dot for each seed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    views = views_of(study)
    size = (2.0 + WIDTH * len(views), 1.2 + HEIGHT * len(study.arms))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(views), squeeze=False, sharex=True, sharey=True)[0]
    for axis, view in zip(panels, views, strict=True):
        for row, arm in enumerate(study.arms):
            _draw_arm(axis, row, analysis.estimates[arm, view, "resolved"])
        _tidy(axis, view, analysis, study.arms)
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})


def _draw_arm(axis: Any, row: int, found: Estimate) -> None:
    axis.plot([100 * end for end in found.bootstrap], [row, row], color="#4477aa", linewidth=2, zorder=1)
    axis.plot([100 * found.mean], [row], marker="|", markersize=14, color="#4477aa", zorder=2)
    count = len(found.seed_means)
    heights = [row + SPREAD * (place - (count - 1) / 2) / max(1, count - 1) for place in range(count)]
    axis.scatter([100 * mean for mean in found.seed_means], heights, s=14, color="#cc6677", zorder=3)


def _tidy(axis: Any, view: View, analysis: Analysis, arms: tuple[str, ...]) -> None:
    if analysis.baseline is not None:
        seen = analysis.estimates[analysis.baseline, view, "resolved"].mean
        axis.axvline(100 * seen, color="#999999", linewidth=0.8, linestyle="--", zorder=0)
    axis.set_yticks(range(len(arms)), arms, fontsize=8)
    axis.set_ylim(len(arms) - 0.5, -0.5)
    axis.set_title(view, fontsize=9)
    axis.set_xlabel("resolved %", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
