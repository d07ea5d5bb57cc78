"""The ablation's tables as Markdown, as LaTeX and on a terminal: values in, text out."""

import re
from typing import TYPE_CHECKING

from harness.common.inert import one_line
from harness.compare.printed_table import Printed, Table
from harness.report.result_tables import markdown_table

if TYPE_CHECKING:
    from rich.console import RenderableType

LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "|": r"$|$",
}  # fmt: skip
NAME_WIDTH = 22  # up to which a group's name is not broken
NUMBER = re.compile(r"[-+<]? ?\d.*|-")  # begins a cell that is set to the right


def as_markdown(found: Printed) -> str:
    """Headings, tables and notes."""
    parts = ["# Ablation", *([" | ".join(map(one_line, found.above))] if found.above else [])]
    for table in found.tables:
        records = [
            {
                name: f"**{one_line(cell.text)}**" if cell.best else one_line(cell.text)
                for name, cell in zip(table.columns, row, strict=True)
            }
            for row in table.rows
        ]
        parts += [f"## {one_line(table.title)}", markdown_table(records)]
    notes = "\n".join(f"- {one_line(note)}" for note in found.beneath)
    return "\n\n".join([*parts, notes]) + "\n"


def as_latex(found: Printed) -> str:
    """Tables for a document that uses the package booktabs: ``\\input`` the file."""
    notes = " ".join(map(one_line, (*(f"{text}." for text in found.above), *found.beneath)))
    tables = [_latex_table(table) for table in found.tables]
    return (
        "% needs \\usepackage{booktabs}\n" + "\n\n".join(tables) + f"\n\n\\noindent {{\\footnotesize {latex(notes)}}}\n"
    )


def latex(text: str) -> str:
    """Text as LaTeX sets it, whatever signs are in it; what its fonts may lack is a question mark."""
    plain = one_line(text).encode("ascii", "replace").decode("ascii")
    return "".join(LATEX.get(letter, letter) for letter in plain)


def _latex_table(table: Table) -> str:
    sides = [
        "r" if all(NUMBER.fullmatch(row[place].text) for row in table.rows) and place else "l"
        for place in range(len(table.columns))
    ]
    lines = [" & ".join(map(latex, table.columns)), r"\midrule"]
    for row in table.rows:
        lines.append(" & ".join(rf"\textbf{{{latex(cell.text)}}}" if cell.best else latex(cell.text) for cell in row))
    body = "\n".join(line if line.startswith("\\midrule") else rf"{line} \\" for line in lines)
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
            rf"\caption{{{latex(table.title)}}}",
            rf"\begin{{tabular}}{{@{{}}{''.join(sides)}@{{}}}}",
            r"\toprule",
            body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def on_terminal(found: Printed) -> "RenderableType":
    """What rich prints: the tables, readable from 80 columns on, with what is said above and beneath."""
    from rich import box
    from rich.console import Group
    from rich.table import Table as RichTable
    from rich.text import Text

    parts: list[RenderableType] = [Text("; ".join(map(one_line, found.above)), style="dim"), ""]
    for table in found.tables:
        longest = max(len(row[0].text) for row in table.rows)
        shown = RichTable(title=table.title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        shown.show_edge = False
        for place, name in enumerate(table.columns):
            shown.add_column(
                Text(name.replace(" ", "\n")),
                justify="right" if place else "left",
                overflow="fold",
                no_wrap=place > 0 or longest <= NAME_WIDTH,
            )
        for row in table.rows:
            cells = [
                cell.text.replace(" [", "\n[").replace(" (", "\n(") if n else cell.text for n, cell in enumerate(row)
            ]
            styles = ["bold" if cell.best else "" for cell in row]
            shown.add_row(*(Text(one_line_each(text), style=style) for text, style in zip(cells, styles, strict=True)))
        parts += [shown, ""]
    return Group(*parts, Text("\n".join(map(one_line, found.beneath)), style="dim"))


def one_line_each(text: str) -> str:
    """Each line of a cell, inert."""
    return "\n".join(map(one_line, text.split("\n")))
