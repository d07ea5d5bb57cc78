"""Pictures of a run for a page and for print: rates, grid, funnel, pass@k, differences."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from harness.page.attempt_facts import STEPS, Funnel
from harness.statistics.share import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Form = Literal["svg", "dark.svg", "png"]
FORMS: tuple[Form, ...] = ("svg", "dark.svg", "png")
DOTS = 300  # per inch, of a PNG
# Okabe and Ito (2008): told apart with every kind of colour vision
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999933")
MARKERS = "osD^vPX"
LIGHT, DARK = {"ink": "#1f2328", "faint": "#d0d7de"}, {"ink": "#e6edf3", "faint": "#3d444d"}
GRID_COLOURS = ("#0072B2", "#E8C9A0", "#B0B0B0", "#FFFFFF00")  # resolved, not resolved, not graded, no attempt
STEP_NAMES = {
    "instances": "instances",
    "located": "places found",
    "patch": "patch made",
    "applied": "patch applies",
    "tested": "tests graded",
    "resolved": "resolved",
}

Draw = Callable[["Figure"], None]
Picture = tuple[Draw, tuple[float, float]]  # and its width and height in inches
Point = tuple[float, float, Interval]  # place in the training, rate, its interval
Rate = tuple[str, str, float, Interval]  # row, condition, rate, its interval


@contextmanager
def _styled(form: Form) -> Iterator[None]:
    import matplotlib as mpl

    colours = DARK if form == "dark.svg" else LIGHT
    style: Any = {
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), colours["ink"]),
        "axes.edgecolor": colours["faint"],
        "grid.color": colours["faint"],
        "font.size": 9,
        "font.family": ["DejaVu Sans"],
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "harness",
        "text.parse_math": False,  # a checkpoint's name may hold a dollar sign
    }
    with mpl.rc_context(style):
        yield


def render(draw: Draw, size: tuple[float, float], form: Form) -> bytes:
    """A picture of that size in inches, as SVG on any ground, for light or dark pages, or as PNG on white."""
    from matplotlib.figure import Figure

    with _styled(form):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        target = io.BytesIO()
        if form == "png":
            figure.savefig(target, format="png", dpi=DOTS, facecolor="white")
        else:
            figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
        return target.getvalue()


def rates_picture(rates: Sequence[Rate]) -> Picture:
    """Rates with their intervals, a line for each row, a colour and marker for each condition."""
    return _dots(rates, "resolved, % of instances (95% Wilson interval)"), _height(rates)


def forest_picture(differences: Sequence[Rate], baseline: str) -> Picture:
    """Differences to a baseline with their intervals, in points."""
    drawn = _dots(differences, f"difference to {baseline}, points (95% interval)")

    def draw(figure: "Figure") -> None:
        drawn(figure)
        figure.axes[0].axvline(0, linewidth=1, color=COLOURS[5], zorder=0)

    return draw, _height(differences)


def series_picture(trainings: Mapping[str, Sequence[Point]], unit: str) -> Picture:
    """Rates over the training with bands of their intervals, a colour and marker for each training."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for number, (name, points) in enumerate(trainings.items()):
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            places = [place for place, _, _ in points]
            low, high = ([100 * interval[end] for _, _, interval in points] for end in (0, 1))
            axes.fill_between(places, low, high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(places, [100 * rate for _, rate, _ in points], color=colour, marker=marker, label=name)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(unit)
        axes.set_ylabel("resolved, % of instances")
        axes.grid(linewidth=0.5)
        figure.legend(loc="outside upper left", ncols=min(3, len(trainings)), frameon=False)

    return draw, (7.0, 3.8)


def _height(rates: Sequence[Rate]) -> tuple[float, float]:
    return 7.0, 1.2 + 0.42 * len({rate[0] for rate in rates})


def _dots(rates: Sequence[Rate], label: str) -> Draw:
    rows, kinds = list(dict.fromkeys(r[0] for r in rates)), list(dict.fromkeys(r[1] for r in rates))

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for number, kind in enumerate(kinds):
            shift = (number - (len(kinds) - 1) / 2) * 0.22
            own = [rate for rate in rates if rate[1] == kind]
            places = [rows.index(rate[0]) + shift for rate in own]
            _intervals(axes, places, [(100 * rate[2], rate[3]) for rate in own], number, kind)
        _rows(axes, rows)
        axes.set_xlabel(label)
        if len(kinds) > 1:
            figure.legend(loc="outside upper left", ncols=len(kinds), frameon=False)

    return draw


def _intervals(
    axes: "Axes", places: Sequence[float], values: Sequence[tuple[float, Interval]], number: int, label: str
) -> None:
    middles = [value for value, _ in values]
    below = [value - 100 * interval.low for value, interval in values]
    above = [100 * interval.high - value for value, interval in values]
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    spread = [[max(0.0, one) for one in below], [max(0.0, one) for one in above]]
    axes.errorbar(middles, places, xerr=spread, fmt=marker, color=colour, markersize=4.5, capsize=2, label=label)


def _rows(axes: "Axes", rows: Sequence[str]) -> None:
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", linewidth=0.5)
    axes.set_axisbelow(True)


def grid_picture(cells: Sequence[Sequence[int]], columns: Sequence[str]) -> Picture:
    """Every instance (a line) under every part (a column), sorted by how many resolve it.

    A cell is 0 for resolved, 1 for not resolved, 2 for not graded, 3 for no attempt.
    """
    ordered = sorted(cells, key=lambda line: (-line.count(0), line))

    def draw(figure: "Figure") -> None:
        from matplotlib.colors import ListedColormap
        from matplotlib.patches import Patch

        axes = figure.subplots()
        axes.imshow(
            ordered, aspect="auto", interpolation="nearest", cmap=ListedColormap(GRID_COLOURS), vmin=-0.5, vmax=3.5
        )
        axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", fontsize=7)
        axes.set_yticks([])
        axes.set_ylabel(f"{len(cells)} instances")
        named = zip(GRID_COLOURS, ("resolved", "not resolved", "not graded"), strict=False)
        handles = [Patch(facecolor=colour, label=label) for colour, label in named]
        figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False)

    return draw, (min(12.0, 2.0 + 0.35 * len(columns)), min(7.0, 3.0 + 0.1 * len(cells)))


def funnel_picture(funnels: Mapping[str, Funnel], columns: int) -> Picture:
    """How many instances reach each step, with the most frequent reasons of each loss, a panel for each part."""
    lines = -(-len(funnels) // columns)

    def draw(figure: "Figure") -> None:
        panels = figure.subplots(lines, columns, squeeze=False, sharex=True).flat
        for axes in panels:
            axes.set_axis_off()
        for axes, (name, found) in zip(panels, funnels.items(), strict=False):
            _funnel(axes, name, found)

    return draw, (4.2 * columns, 1.9 * lines)


def _funnel(axes: "Axes", name: str, found: Funnel) -> None:
    axes.set_axis_on()
    counts = [found.reached[step] for step in STEPS]
    axes.barh(range(len(STEPS)), counts, color=COLOURS[0], height=0.7)
    axes.set_yticks(range(len(STEPS)), [STEP_NAMES[step] for step in STEPS])
    axes.invert_yaxis()
    axes.set_xlim(0, max(counts[0], 1) * 1.9)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(name, fontsize=9, loc="left")
    for place, step in enumerate(STEPS):
        lost = list(found.lost[step].items())
        why = ", ".join(f"-{count} {reason}" for reason, count in lost[:2]) + (", ..." if len(lost) > 2 else "")
        axes.text(counts[place], place, f" {counts[place]}  {why}", va="center", fontsize=6.5)


def pass_picture(curves: Mapping[tuple[str, str], Mapping[int, float]]) -> Picture:
    """pass@k over k by checkpoint and condition: a colour and marker for each checkpoint, dashes by condition."""
    checkpoints, conditions = list(dict.fromkeys(c for c, _ in curves)), list(dict.fromkeys(k for _, k in curves))

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        for (checkpoint, condition), curve in curves.items():
            number = checkpoints.index(checkpoint)
            colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
            dashes = ("-", "--", ":")[conditions.index(condition) % 3]
            shares, name = [100 * share for share in curve.values()], f"{checkpoint} {condition}"
            axes.plot(list(curve), shares, dashes, color=colour, marker=marker, markersize=4, linewidth=1.2, label=name)
        ticks = sorted({k for curve in curves.values() for k in curve})
        axes.set_xscale("log")
        axes.set_xticks(ticks, [str(k) for k in ticks])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("candidates k")
        axes.set_ylabel("pass@k, %")
        axes.grid(linewidth=0.5)
        figure.legend(loc="outside right upper", frameon=False, fontsize=7)

    return draw, (7.0, 3.6)
