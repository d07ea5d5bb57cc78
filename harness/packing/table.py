"""All strategies side by side, for a terminal."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from harness.packing.metrics import Metrics

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    Columns = Mapping[str, Callable[[Metrics], str]]

FIRST_COLUMNS: "Columns" = {
    "sequences": lambda m: f"{m.sequences:,}",
    "over\nbound": lambda m: f"{m.sequences - m.sequences_bound:,}",
    "padding\n%": lambda m: _percent(m.padding_rate),
    "pieces\ncut %": lambda m: _percent(m.fragmentation_pieces),
    "documents\ncut %": lambda m: _percent(m.fragmentation_documents),
    "headless\n%": lambda m: _percent(m.headless_rate),
}
FURTHER_COLUMNS: "Columns" = {
    "cut at head /\ntail / both": lambda m: (
        f"{m.documents_cut_head:,}/{m.documents_cut_tail:,}/{m.documents_cut_both:,}"
    ),
    "repeated\n%": lambda m: _percent(m.repeated_tokens / m.tokens if m.tokens else 0.0),
    "dropped\n%": lambda m: _percent(m.dropped_tokens / m.tokens if m.tokens else 0.0),
    "docs per\nsequence": lambda m: f"{m.documents_per_sequence:.2f}",
    "trained\ntokens": lambda m: f"{m.trained_tokens:,}",
    "budget\ntokens": lambda m: f"{m.token_budget:,}",
}


def comparison_table(strategies: Mapping[str, Metrics]) -> "Group":
    """One row a strategy, in two tables that are readable from 80 columns on.

    "Headless" is the share of emitted tokens in pieces that miss their document's head. "Budget" is
    T / (1 - padding rate): slots that hold as many tokens as the corpus.
    """
    from rich.console import Group
    from rich.text import Text

    first = next(iter(strategies.values()))
    title = (
        f"{first.documents:,} documents ({first.overlong_documents:,} longer than the context, "
        f"{first.empty_documents:,} empty), {first.tokens:,} tokens ({first.separator_tokens:,} of them "
        f"appended separators), context {first.context_length:,}"
    )
    return Group(
        Text(title, style="italic"), _table(strategies, FIRST_COLUMNS), "", _table(strategies, FURTHER_COLUMNS)
    )


def _table(strategies: Mapping[str, Metrics], columns: "Columns") -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("strategy", no_wrap=True)
    for head in columns:
        table.add_column(head, justify="right", overflow="fold")  # on a narrow terminal nothing is cut
    for name, metrics in strategies.items():
        table.add_row(name, *(cell(metrics) for cell in columns.values()))
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.2f}" if share >= 5e-5 or share == 0 else f"{100 * share:.1g}"
