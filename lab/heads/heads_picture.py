"""The picture of the study: the learning curves, a thin line a checkpoint and a thick one its arm."""

from collections.abc import Sequence
from typing import IO, Any

from lab.heads.heads_study import CurvePoint, HeadsStudy

PANELS = (
    ("rare", "undefined", "rare dialects: answers with an undefined word, %"),
    ("rare", "exact", "rare dialects: exact answers, %"),
    ("canonical", "exact", "canonical dialect: exact answers, %"),
)
COLOURS = ("#cc6677", "#4477aa", "#228833", "#aa3377", "#ccbb44", "#66ccee")


def draw_curves(study: HeadsStudy, file: IO[bytes]) -> None:
    """Draw a panel for each measure, as PNG into ``file``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (asking, measure, title) in zip(figure.subplots(1, len(PANELS)), PANELS, strict=True):
        for arm, colour in zip(study.arms, COLOURS, strict=False):
            points = [point for point in study.curve if (point.arm, point.asking) == (arm, asking)]
            if points:
                _draw_arm(axis, points, measure, arm, colour)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("million slots", fontsize=8)
        axis.set_ylim(-2, 102)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    figure.axes[-1].legend(fontsize=7)
    figure.savefig(file, format="png", dpi=120, metadata={"Software": None})


def _draw_arm(axis: Any, points: Sequence[CurvePoint], measure: str, arm: str, colour: str) -> None:
    seeds = sorted({point.seed for point in points})
    lines = [[(p.tokens / 1e6, 100 * getattr(p, measure)) for p in points if p.seed == seed] for seed in seeds]
    for line in lines:
        axis.plot(*zip(*line, strict=True), color=colour, linewidth=0.6, alpha=0.5)
    means = [(x[0][0], sum(y for _, y in x) / len(x)) for x in zip(*lines, strict=True)]
    axis.plot(*zip(*means, strict=True), color=colour, linewidth=2, label=arm)
