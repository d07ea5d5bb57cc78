"""The counter-evaluations of a row in the result tables."""

from collections import Counter
from collections.abc import Sequence

from harness.core.control import ControlState
from harness.report.format import counts, span
from harness.report.summary import SummaryRow


def control_columns(row: SummaryRow) -> dict[str, object]:
    """Columns of the CSV: numbers of counter-evaluations by how they ended, and their time in seconds."""
    columns = {f"controls_{state.replace('-', '_')}": row.controls.get(state, 0) for state in ControlState}
    return {**columns, "control_seconds": row.control_seconds}


def control_notes(rows: Sequence[SummaryRow]) -> list[str]:
    """One line on all counter-evaluations, which names the rows with flagged ones; none if there are none."""
    states: Counter[str] = Counter()
    for row in rows:
        states.update({state.value: number for state, number in row.controls.items()})
    if not states:
        return []
    time = span(sum(row.control_seconds for row in rows))
    note = f"Counter-evaluations of resolved patches: {counts(dict(states))}; time {time}."
    if failed := _with(rows, ControlState.FAILED):
        note += f" Results that may be forged, flagged control-failed and counted as resolved: {failed}."
    if stopped := _with(rows, ControlState.STOPPED):
        note += f" Neither passed nor failed, flagged control-stopped and counted as resolved: {stopped}."
    return [note]


def _with(rows: Sequence[SummaryRow], state: ControlState) -> str:
    return ", ".join(f"{row.checkpoint} {row.condition or 'reference'}" for row in rows if row.controls.get(state))
