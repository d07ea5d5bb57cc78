"""The result tables of each checkpoint and condition: on a terminal, as Markdown, as CSV with the raw numbers.

What checkpoints have in common, and how they differ, is in the ablation table (`harness.compare.ablation_values`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.report.control_columns import control_columns, control_notes
from harness.report.cost_columns import cost_columns, cost_records, money_notes
from harness.report.format import NONE, bounds, counts, interval, percent, ratio, similarity, span, tokens
from harness.report.repeatability import repeatability_notes
from harness.report.suite_columns import BREAKS_NOTHING, suite_cell, suite_columns, suite_notes
from harness.report.summary import SummaryRow

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

COMPLETIONS = "completions"  # the route without a chat template
SEEDLESS = "without a seed"  # behind the route to a server that takes none
BOUNDS = "rate % if all ungraded fail, or resolve"
NOTES = (
    "Resolve rate: resolved over all instances, infrastructure failures included; in brackets its 95% Wilson score "
    "interval.",
    "Similarity to the gold patch: SWE-RL's, difflib's SequenceMatcher ratio of the two patches' hunks in each file, "
    "mean over the files, 0 for an empty patch; mean over the instances.",
    "Model time: summed over requests, of which many run at a time. Test time: likewise over containers. Wall time: in "
    "which at least one request was under way. A row counts all that its condition needed, shared questions included.",
)


def terminal_table(rows: Sequence[SummaryRow]) -> "RenderableType":
    """What rich prints: scores, costs and the notes.

    Two narrow tables rather than a wide one: it is readable from 80 columns on.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [_terminal_scores(rows), "", _terminal_costs(rows), ""]
    return Group(*parts, Text(" ".join(_notes(rows)), style="dim"))


def _terminal_scores(rows: Sequence[SummaryRow]) -> "Table":
    ungraded = any(row.infrastructure for row in rows)
    limits = ("bounds,\nungraded",) if ungraded else ()
    suites = any(row.suites for row in rows)
    whole = ("breaks\nnothing",) if suites else ()
    heads = ("resolved", *whole, "rate %\n95% interval", *limits, "patch\napplied", "empty", "simi-\nlarity")
    table = _terminal_empty("Scores", ("checkpoint,\nstrategy", "condition"), heads)
    for group in _by_checkpoint(rows):
        for place, row in enumerate(group):
            _add_row(
                table,
                (_label(group, place), _condition(row)),
                (
                    f"{row.resolved}/{row.instances}",
                    *((f"{row.clean}/{row.instances}" if row.suites else NONE,) if suites else ()),
                    f"{percent(row.resolve_rate)} {interval(row)}",
                    *((bounds(row),) if ungraded else ()),
                    str(row.applied),
                    str(row.empty),
                    ratio(row.similarity),
                ),
                last=place == len(group) - 1 > 0,
            )
    return table


def _terminal_costs(rows: Sequence[SummaryRow]) -> "Table":
    failures = any(row.infrastructure for row in rows)
    walls = any(row.checkpoint_cost for row in rows)
    times = ("model\ntime", *(("wall\ntime",) if walls else ()), "test\ntime")
    heads = ("tokens\nin", "tokens\nout", *times, *(("infra\nfailed",) if failures else ()))
    table = _terminal_empty("Costs", ("checkpoint", "condition"), heads)
    for group in _by_checkpoint(rows):
        for place, row in enumerate(group):
            _add_row(
                table,
                ("" if place else row.checkpoint, _condition(row)),
                (
                    tokens(row.prompt_tokens),
                    tokens(row.completion_tokens),
                    span(row.model_seconds),
                    *(("",) if walls else ()),
                    span(row.test_seconds),
                    *((str(row.infrastructure),) if failures else ()),
                ),
                last=place == len(group) - 1 > 0 and not row.checkpoint_cost,
            )
        if cost := group[0].checkpoint_cost:
            shared = (tokens(cost.prompt_tokens), tokens(cost.completion_tokens))
            cells = (*shared, span(cost.model_seconds), span(cost.wall_seconds))
            _add_row(table, ("", "all, once each"), (*cells, *[""] * (len(heads) - len(cells))), last=len(group) > 1)
    return table


def _terminal_empty(title: str, labels: Iterable[str], heads: Iterable[str]) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for label in labels:
        # conditions stay whole; names of the user's choosing are broken if the terminal is narrow
        table.add_column(label, overflow="fold", no_wrap=label == "condition")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _add_row(table: "Table", labels: Iterable[str], cells: Iterable[str], last: bool = False) -> None:
    """Add a row whose text is taken as it is, brackets included; ``last`` sets what follows apart."""
    from rich.text import Text

    table.add_row(*map(Text, (*labels, *cells)), end_section=last)


def _label(group: Sequence[SummaryRow], place: int) -> str:
    """First cell of a group's rows: the checkpoint's name, then its packing strategy below, if that says more."""
    lines = _names(group[0])
    last = place == len(group) - 1
    return "\n".join(lines[place:] if last else lines[place : place + 1])


def _names(row: SummaryRow) -> list[str]:
    """The checkpoint's name, and its packing strategy if that says more."""
    return [row.checkpoint, *([row.strategy] if row.strategy and row.strategy != row.checkpoint else [])]


def markdown(rows: Sequence[SummaryRow]) -> str:
    """Scores, notes, costs, and how the attempts ended."""
    parts = [markdown_table(_score_records(rows)), *_notes(rows)]
    parts += ["Costs:", markdown_table(_cost_records(rows))]
    if costs := cost_records(rows):
        parts += ["Costs of each checkpoint, a question that conditions share counted once:", markdown_table(costs)]
    parts += ["How the evaluations ended, and why candidates made no patch:", markdown_table(_ending_records(rows))]
    return "\n\n".join(parts) + "\n"


def csv(rows: Sequence[SummaryRow]) -> str:
    """One line for each checkpoint and condition with raw numbers: shares from 0 to 1, times in seconds."""
    import pandas as pd

    records = [_csv_record(row, _metric_names(rows)) for row in rows]
    text: str = pd.DataFrame(records, dtype=object).to_csv(index=False)  # a number that is missing makes no floats
    return text


def _csv_record(row: SummaryRow, metric_names: Iterable[str]) -> dict[str, object]:
    return {
        "checkpoint": row.checkpoint,
        "strategy": row.strategy,
        **{f"packing_{name}": row.packing_metrics.get(name) for name in metric_names},
        "condition": _condition(row),
        "route": row.route,
        "instances": row.instances,
        "resolved": row.resolved,
        "resolve_rate": row.resolve_rate,
        "resolve_rate_low": row.interval.low,
        "resolve_rate_high": row.interval.high,
        "patch_applied": row.applied,
        "empty": row.empty,
        "cut_prompts": row.cut_prompts,
        "read_before_cut": sum(row.read_before_cut.values()),
        "similarity": row.similarity,
        "similarity_instances": row.similarity_instances,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "model_seconds": row.model_seconds,
        "test_seconds": row.test_seconds,
        "container_seconds": row.container_seconds,
        **cost_columns(row.checkpoint_cost),
        **control_columns(row),
        **suite_columns(row),
        "resolve_rate_ungraded_failed": row.bounds.low,
        "resolve_rate_ungraded_resolved": row.bounds.high,
        "infrastructure_failures": row.infrastructure,
        "resolve_rate_without_infrastructure": row.resolve_rate_graded,
    }


def _score_records(rows: Sequence[SummaryRow]) -> list[dict[str, str]]:
    failures, suites = any(row.infrastructure for row in rows), any(row.suites for row in rows)
    return [
        {
            "checkpoint": row.checkpoint,
            "condition": _condition(row),
            "resolved / instances": f"{row.resolved} / {row.instances}",
            **({BREAKS_NOTHING: suite_cell(row)} if suites else {}),
            "resolve rate %, 95% interval": f"{percent(row.resolve_rate)} {interval(row)}",
            **({BOUNDS: bounds(row)} if failures else {}),
            "patch applied": f"{row.applied} ({percent(row.applied_share)}%)",
            "empty": f"{row.empty} ({percent(row.empty_share)}%)",
            "similarity": similarity(row),
        }
        for row in rows
    ]


def _cost_records(rows: Sequence[SummaryRow]) -> list[dict[str, str]]:
    failures = any(row.infrastructure for row in rows)
    return [
        {
            "checkpoint": row.checkpoint,
            "condition": _condition(row),
            "tokens in / out": f"{row.prompt_tokens:,} / {row.completion_tokens:,}" if row.prompt_tokens else NONE,
            "model time": span(row.model_seconds),
            "test time": span(row.test_seconds),
            **(_failure_cells(row) if failures else {}),
        }
        for row in rows
    ]


def _failure_cells(row: SummaryRow) -> dict[str, str]:
    rate = row.resolve_rate_graded
    return {
        "infrastructure failures": str(row.infrastructure),
        "rate % without them": NONE if rate is None else f"{percent(rate)} ({row.resolved} / {row.graded})",
    }


def _ending_records(rows: Iterable[SummaryRow]) -> list[dict[str, str]]:
    return [
        {
            "checkpoint": row.checkpoint,
            "condition": _condition(row),
            "instances": str(row.instances),
            "outcomes (instances)": counts(row.outcomes),
            "no patch because (candidates)": counts(row.reasons),
            "cut, and read up to there (answers)": counts(row.read_before_cut),
        }
        for row in rows
    ]


def markdown_table(records: Sequence[Mapping[str, str]]) -> str:
    """A Markdown table of the records, which share their keys; a bar inside a cell is escaped."""
    if not records:
        return ""
    lines = [list(records[0]), ["---"] * len(records[0]), *([*record.values()] for record in records)]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def _notes(rows: Sequence[SummaryRow]) -> list[str]:
    notes = list(NOTES)
    failed = sum(row.infrastructure for row in rows)
    if failed:
        notes.append(
            f"The machine failed in {failed} of {sum(row.instances for row in rows)} evaluations, which stay ungraded. "
            "The bounds of a rate: all ungraded failed, and all resolved. Order by the lower."
        )
    cut = sum(row.cut_prompts for row in rows)
    if cut:
        notes.append(f"Repair prompts had no room for all located source in {cut} evaluations; see left_out in trails.")
    notes += control_notes(rows)
    notes += suite_notes(rows)
    notes += money_notes(rows)
    bare = dict.fromkeys(row.checkpoint for row in rows if COMPLETIONS in row.route)
    asked = [row for row in rows if row.condition is not None]
    notes += repeatability_notes(
        (row.checkpoint for row in asked), {row.checkpoint for row in asked if row.batch_invariant}
    )
    if bare:
        notes.append(f"Asked by /completions, without a chat template: {', '.join(bare)}.")
    if seedless := dict.fromkeys(row.checkpoint for row in rows if SEEDLESS in row.route):
        notes.append(f"Asked without a seed, which the server refuses: {', '.join(seedless)}.")
    return notes


def _by_checkpoint(rows: Iterable[SummaryRow]) -> list[list[SummaryRow]]:
    groups: dict[str, list[SummaryRow]] = {}
    for row in rows:
        groups.setdefault(row.checkpoint, []).append(row)
    return list(groups.values())


def _metric_names(rows: Iterable[SummaryRow]) -> list[str]:
    """Names of all packing metrics, in the order in which they first come."""
    return list(dict.fromkeys(name for row in rows for name in row.packing_metrics))


def _condition(row: SummaryRow) -> str:
    return row.condition or "reference"
