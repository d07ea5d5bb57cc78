"""The printed tables of rates over the training: a row for each place in it, a column for each training."""

from harness.compare.printed_table import WIDEST, Cell, Table
from harness.compare.series import AllSeries, Series
from harness.report.format import NONE, percent


def series_tables(found: AllSeries | None) -> list[Table]:
    """The rates with their intervals, in as many tables as the trainings need; none without a series."""
    if found is None:
        return []
    size = WIDEST - 1
    parts = [found.series[start : start + size] for start in range(0, len(found.series), size)]
    return [_table(found, part) for part in parts]


def _table(found: AllSeries, part: tuple[Series, ...]) -> Table:
    columns = {one.name: dict(one.points) for one in part}
    rows = []
    for place in found.places:
        cells = [Cell(found.label(place))]
        for points in columns.values():
            rate = points.get(place)
            cells.append(
                Cell(
                    NONE
                    if rate is None
                    else f"{percent(rate.value)} [{percent(rate.interval.low)}, {percent(rate.interval.high)}]"
                )
            )
        rows.append(tuple(cells))
    return Table("Resolved % over the training", (found.unit, *columns), tuple(rows))
