"""The live display's picture of a state: on a narrow terminal names give way, then bars, but never counts."""

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.common.run_state import Part, State, known_words, time_left
from harness.common.stage import StageState
from harness.common.under_way import shortened

BAR, NARROW_BAR, NARROW = 20, 8, 110  # columns of a bar; and on a terminal with fewer columns than that


def picture(state: State, width: int) -> Group:
    """Stages as rows of a table, each part as a line below, in ``width`` columns."""
    return Group(_stages(state.stages, width), *(_part(part, width) for part in state.parts if part.words()))


def _stages(stages: tuple[StageState, ...], width: int) -> Table:
    rows = [(stage.name, f"{stage.done}/{stage.total}", known_words(stage), time_left(stage)) for stage in stages]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = width - sum(widths) - sum(map(bool, widths))
    bar = BAR if width >= NARROW else NARROW_BAR
    bar = bar if room > bar else 0
    names = room - bar - bool(bar) - 1 > 0
    grid = Table.grid(padding=(0, 1, 0, 0))
    for needed in (widths[0], bar, *widths[1:]) if rows else ():
        if needed:
            grid.add_column(width=needed, no_wrap=True, justify="right" if grid.columns else "left")
    if names:
        grid.add_column(no_wrap=True, overflow="ellipsis", style="dim", max_width=max(1, room - bar - bool(bar)))
    for stage, (name, *told) in zip(stages, rows, strict=True):
        bars = [ProgressBar(total=max(stage.total, 1), completed=stage.done)] if bar else []
        shown = [text for text, needed in zip(told, widths[1:], strict=True) if needed]
        grid.add_row(name, *bars, *shown, *([shortened(stage.running)] if names else []))
    return grid


def _part(part: Part, width: int) -> Text:
    room = width // 3
    name = part.name if len(part.name) <= room else part.name[: room - 1] + "…"
    fits = len(f"{name}: {part.counts};…") <= width  # else they go on in a second line
    style = "" if part.counts else "dim"
    return Text(f"{name}: {part.words()}", style, no_wrap=fits, overflow="ellipsis" if fits else "fold")
