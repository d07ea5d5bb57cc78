"""What whole suites add to the result tables: what is resolved, and breaks no other test."""

from collections import Counter
from collections.abc import Sequence

from harness.core.whole_suite import SuiteState
from harness.report.format import counts, percent, span
from harness.report.summary import SummaryRow

BREAKS_NOTHING = "resolved and breaks nothing"


def suite_columns(row: SummaryRow) -> dict[str, object]:
    """Columns of the CSV: patches that break nothing, numbers of whole suites by how they ended, time in seconds."""
    return {
        "resolved_and_breaks_nothing": row.clean if row.suites else None,
        "breaks_something": row.breaking if row.suites else None,
        **{f"whole_suites_{state.replace('-', '_')}": row.suites.get(state, 0) for state in SuiteState},
        "whole_suite_seconds": row.suite_seconds,
    }


def suite_cell(row: SummaryRow) -> str:
    """Resolved instances whose patch breaks nothing, beside all instances; what could not be compared is added."""
    if not row.suites:
        return "-"
    unknown = row.resolved - row.clean - row.breaking
    more = f", {unknown} unknown" if unknown else ""
    return f"{row.clean} / {row.instances} ({percent(row.clean / row.instances)}%{more})"


def suite_notes(rows: Sequence[SummaryRow]) -> list[str]:
    """One line on all whole suites; none if there are none."""
    states: Counter[str] = Counter()
    for row in rows:
        states.update({state.value: number for state, number in row.suites.items()})
    if not states:
        return []
    broken = sum(row.breaking for row in rows)
    return [
        f"Whole suites of resolved patches: {counts(dict(states))}; {broken} break tests that pass with the gold patch "
        f"(verdicts.jsonl names them); time {span(sum(row.suite_seconds for row in rows))}. "
        "What was not compared does not count as breaking nothing."
    ]
