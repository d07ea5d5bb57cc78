"""The commands that read finished runs: they read arguments, call the one function that does the work, and print."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.common.options import say, show_table


class FormChoice(StrEnum):
    """The forms in which the ablation table is printed."""

    TERMINAL = "terminal"
    MARKDOWN = "md"
    LATEX = "tex"
    CSV = "csv"
    JSON = "json"


def compare(
    results: Annotated[
        list[str], typer.Argument(help="FOLDER, FOLDER:CHECKPOINT or FOLDER:GROUP, the one held against first.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not Markdown.")] = False,
) -> None:
    """Compare checkpoints or groups of finished runs with the first one, instance by instance."""
    from harness.compare.compare_command import compare_results

    say(compare_results(results, as_json), nl=False)


def show(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Output folder of a run, finished or under way.")],
    instance: Annotated[str, typer.Argument(help="Instance id.")],
    checkpoint: Annotated[str | None, typer.Option(help="Of this checkpoint or reference; all checkpoints.")] = None,
    condition: Annotated[str | None, typer.Option(help="Under this condition; all if not given.")] = None,
) -> None:
    """Show one instance from prompt to verdict: answers, how they were read, patches, votes, failing tests."""
    from harness.compare.show_attempt import show_attempts

    say(show_attempts(folder, instance, checkpoint, condition), nl=False)


def table(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Output folders of runs.")],
    form: Annotated[FormChoice, typer.Option("--format", help="What is printed.")] = FormChoice.TERMINAL,
    baseline: Annotated[
        str | None, typer.Option(help="Group that others are held against; concat-then-split's, or the first.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write ablation.md, .tex, .csv, .parquet and .json into this folder.")
    ] = None,
) -> None:
    """Print the ablation table of finished runs: groups of seeds, their scores, and what differs for sure."""
    from harness.compare.ablation_data import write_ablation
    from harness.compare.table_command import TEXT_FORMS, read_ablation, table_renderable, table_text

    found = read_ablation(folders, baseline)
    if output is not None:
        write_ablation(found, output)
    if form.value == "terminal":
        show_table(table_renderable(found))
    else:
        say(table_text(found, TEXT_FORMS[form]), nl=False)
