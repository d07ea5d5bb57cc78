"""The front of packing: what each strategy, at each of its settings, pays in cut documents, padding and repetition."""

from collections.abc import Callable, Sequence
from typing import IO, Any

import numpy as np

from harness.packing.metrics import Metrics, measure
from harness.packing.pieces import Packing

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # thresholds of `pad-or-cut`, overlaps of `spread`

Point = tuple[str, str, Metrics]  # strategy, setting, what it pays


def setting_points(strategy: str, packed: Callable[[str, float], tuple[Packing, Any]]) -> list[Point]:
    """The points of a strategy that has a setting; ``packed`` returns packing and lengths at a share."""
    points = []
    for share in SHARES:
        packing, lengths = packed(strategy, share)
        points.append((strategy, f"{share:g}", measure(packing, lengths)))
    return points


def draw_front(points: Sequence[Point], file: IO[bytes]) -> None:
    """Draw cut pieces against padding and against repeated tokens, a point a strategy and setting, as PNG.

    Settings of one strategy are joined by a line. Axes are percentages on a scale that is linear up to 0.1.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    for axis, (what, cost) in zip(figure.subplots(1, 2, sharey=True), COSTS.items(), strict=True):
        for number, strategy in enumerate(dict.fromkeys(name for name, _, _ in points)):
            own = [
                (cost(numbers), 100 * numbers.fragmentation_pieces) for name, _, numbers in points if name == strategy
            ]
            axis.plot(
                *np.array(own).T,
                "-",
                markersize=5,
                linewidth=1,
                color=f"C{number % 10}",
                label=strategy,
                marker="os^Dv<>pP*X"[number % 11],
            )
        axis.set_xscale("symlog", linthresh=0.1)
        axis.set_xlabel(f"{what} %")
        axis.grid(alpha=0.3)
    figure.axes[0].set_ylabel("pieces cut %")
    figure.axes[1].legend(fontsize=7)
    figure.savefig(file, format="png", dpi=120)


COSTS: dict[str, Callable[[Metrics], float]] = {
    "padding": lambda numbers: 100 * numbers.padding_rate,
    "repeated tokens": lambda numbers: 100 * numbers.repeated_tokens / max(1, numbers.tokens),
}
